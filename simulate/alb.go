package simulate

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"picket"
)

// requestRecord is what an Application Load Balancer in front of a server knows of
// a conversation: that it was asked over the web, and how much either side sent.
func requestRecord(c *Conversation, l *line) bool {
	if c.Proto != picket.ProtoTCP || c.DstPort != 80 && c.DstPort != 443 || c.Outcome > Reset || c.Headless || c.Out.Data == 0 || c.Reply {
		return false
	}
	r := both(c, l, picket.SourceALB, 1e6)
	r.Interface = balancer
	r.Has |= picket.HasPayload | picket.HasFlags
	r.SrcFlags, r.DstFlags = picket.FlagSYN, picket.FlagSYN|picket.FlagACK
	r.SrcPayload, r.DstPayload = c.Out.Payload, c.In.Payload
	r.SrcPackets, r.DstPackets = 2+max(1, (r.SrcPayload+1447)/1448), 1+max(1, (r.DstPayload+1447)/1448)
	header := uint64(40)
	if r.Src.Is6() {
		header = 60
	}
	r.SrcBytes, r.DstBytes = r.SrcPayload+r.SrcPackets*header, r.DstPayload+r.DstPackets*header
	return true
}

// balancer is its name as the log has it.
const balancer = "app/shop/50dc6c495c0c9188"

// requestWriter writes access logs, an object for each node of the balancer and
// five minutes. The servers of the script are the nodes.
type requestWriter struct {
	out    *objects
	period int64
	open   map[netip.Addr]*requestFile
	order  []netip.Addr
	buf    []byte
}

type requestFile struct {
	file io.WriteCloser
	zip  *gzip.Writer
}

func requestText(_ *Script, _ *network, out *objects) encoder {
	return &requestWriter{out: out, open: map[netip.Addr]*requestFile{}}
}

func (w *requestWriter) write(l *line) error {
	if period := l.End / publish; period > w.period {
		if err := w.finish(); err != nil {
			return err
		}
		w.period = period
	}
	f := w.open[l.Dst]
	if f == nil {
		var err error
		if f, err = w.create(l.Dst); err != nil {
			return err
		}
	}
	w.buf = appendRequest(w.buf[:0], l)
	_, err := f.zip.Write(w.buf)
	return err
}

func (w *requestWriter) create(node netip.Addr) (*requestFile, error) {
	end := time.Unix(0, (w.period+1)*publish).UTC()
	name := fmt.Sprintf("AWSLogs/%s/elasticloadbalancing/%s/%s/%s_elasticloadbalancing_%s_app.shop.50dc6c495c0c9188_%s_%s_%08x.log.gz", account, region,
		end.Format("2006/01/02"), account, region, end.Format("20060102T1504Z"), node, uint32(mix(uint64(w.period))))
	file, err := w.out.create(name)
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	f := &requestFile{file, zip}
	w.open[node] = f
	w.order = append(w.order, node)
	return f, err
}

func (w *requestWriter) finish() error {
	for _, node := range slices.Clone(w.order) {
		f := w.open[node]
		if err := firstError(f.zip.Close(), w.out.close(f.file)); err != nil {
			return err
		}
		delete(w.open, node)
	}
	w.order = w.order[:0]
	return nil
}

func appendRequest(b []byte, l *line) []byte {
	kind, scheme := "http", "http"
	if l.DstPort == 443 {
		kind, scheme = "https", "https"
	}
	took := l.End - l.Start
	return fmt.Appendf(b, `%s %s %s %s 10.255.0.1:8080 0.000 %d.%03d 0.000 200 200 %d %d "GET %s://www.example.com:%d/ HTTP/1.1" "Mozilla/5.0" - - `+
		`arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/73e2d6bc24d8a067 "Root=1-%x" "-" "-" 0 %s "forward" "-" "-" "10.255.0.1:8080" "200" "-" "-"`+"\n",
		kind, time.Unix(0, l.End).UTC().Format("2006-01-02T15:04:05.000000Z"), balancer, netip.AddrPortFrom(l.Src, l.SrcPort), took/second, took/1e6%1000,
		l.SrcPayload, l.DstPayload, scheme, l.DstPort, l.count, time.Unix(0, l.Start).UTC().Format("2006-01-02T15:04:05.000000Z"))
}

package simulate

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	account = "123456789012"
	region  = "eu-west-1"
	publish = 5 * 60 * second // a flow log publishes an object each five minutes
	// objectLines is where an object of one period is closed and a next one begun,
	// as the service does at 75 MB.
	objectLines = 400_000
)

const (
	fields2 = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
	fields5 = fields2 + " vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path"
)

// flowWriter writes flow log lines into gzip objects by the time at which the
// service would publish them, a little late and some of them very late.
type flowWriter struct {
	net     *network
	out     *objects
	version int
	d       dice
	vpc     string
	open    []*flowObject // by period
	made    int
	fields  string                         // the header line
	row     func(b []byte, l *line) []byte // appends a line
	buf     []byte
}

type flowObject struct {
	period int64
	lines  int
	file   io.WriteCloser
	zip    *gzip.Writer
}

func flowText(version int) func(*Script, *network, *objects) encoder {
	return func(s *Script, net *network, out *objects) encoder {
		f := &flowWriter{net: net, out: out, version: version, d: newDice(s.Seed, 3), vpc: fmt.Sprintf("%017x", net.seed)[:17], fields: fields2}
		if version >= 3 {
			f.fields = fields5
		}
		f.row = f.append
		return f
	}
}

func (f *flowWriter) write(l *line) error {
	lag := f.d.Int64N(90 * second)
	if f.d.IntN(50) == 0 {
		lag += f.d.Int64N(12 * 60 * second)
	}
	// The capture window of a record ends less than an interval after the record.
	o, err := f.object((l.End+lag)/publish, l.End/publish)
	if err != nil {
		return err
	}
	f.buf = f.row(f.buf[:0], l)
	o.lines++
	_, err = o.zip.Write(f.buf)
	return err
}

// object gives the object of a period and closes those that nothing more can
// come to.
func (f *flowWriter) object(period, now int64) (*flowObject, error) {
	for len(f.open) > 0 && (f.open[0].period < now-4 || f.open[0].lines >= objectLines) {
		if err := f.close(f.open[0]); err != nil {
			return nil, err
		}
		f.open = slices.Delete(f.open, 0, 1)
	}
	i, ok := slices.BinarySearchFunc(f.open, period, func(o *flowObject, p int64) int { return int(o.period - p) })
	if ok {
		return f.open[i], nil
	}
	o, err := f.create(period)
	f.open = slices.Insert(f.open, i, o)
	return o, err
}

func (f *flowWriter) create(period int64) (*flowObject, error) {
	f.made++
	end := time.Unix(0, (period+1)*publish).UTC()
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], mix(f.net.seed+uint64(f.made)))
	h := fnv.New32a()
	h.Write(n[:])
	name := fmt.Sprintf("AWSLogs/%s/vpcflowlogs/%s/%s/%s_vpcflowlogs_%s_fl-0%s_%s_%08x.log.gz", account, region,
		end.Format("2006/01/02"), account, region, f.vpc[:16], end.Format("20060102T1504Z"), h.Sum32())
	file, err := f.out.create(name)
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(zip, f.fields+"\n")
	return &flowObject{period: period, file: file, zip: zip}, err
}

func (f *flowWriter) close(o *flowObject) error {
	return firstError(o.zip.Close(), f.out.close(o.file))
}

func (f *flowWriter) finish() error {
	for _, o := range f.open {
		if err := f.close(o); err != nil {
			return err
		}
	}
	return nil
}

func (f *flowWriter) append(b []byte, l *line) []byte {
	b = append(b, byte('0'+f.version), ' ')
	b = append(append(append(append(b, account...), ' '), l.Interface...), ' ')
	b = append(l.Src.AppendTo(b), ' ')
	b = append(l.Dst.AppendTo(b), ' ')
	for _, n := range [...]uint64{uint64(l.SrcPort), uint64(l.DstPort), uint64(l.Proto), l.SrcPackets, l.SrcBytes, uint64(l.Start / second), uint64(l.End / second)} {
		b = append(strconv.AppendUint(b, n, 10), ' ')
	}
	if l.Rejected {
		b = append(b, "REJECT OK"...)
	} else {
		b = append(b, "ACCEPT OK"...)
	}
	if f.version >= 3 {
		b = f.appendRest(b, l)
	}
	return append(b, '\n')
}

// appendRest adds the fields of versions 3 to 5.
func (f *flowWriter) appendRest(b []byte, l *line) []byte {
	b = append(append(b, " vpc-"...), f.vpc...)
	b = append(append(b, " subnet-"...), f.vpc...)
	b = append(append(append(b, " i-"...), l.Interface[4:]...), ' ')
	b = strconv.AppendUint(b, uint64(l.SrcFlags), 10)
	if l.Src.Is6() {
		b = append(b, " IPv6 "...)
	} else {
		b = append(b, " IPv4 "...)
	}
	b = append(l.Src.AppendTo(b), ' ')
	b = append(l.Dst.AppendTo(b), ' ')
	b = append(append(b, region...), " euw1-az2 - - - - "...)
	from := f.net.byAddr[l.Src]
	switch {
	case from == nil || from.addr != l.Src && from.six != l.Src || !f.owns(l, from):
		return append(b, "ingress -"...)
	case f.net.inside(l.Dst):
		return append(b, "egress 1"...)
	}
	return append(b, "egress 8"...)
}

// owns reports whether the record was taken at the machine's interface.
func (f *flowWriter) owns(l *line, h *host) bool {
	hex := strconv.FormatUint(mix(h.id)|1<<63, 16)
	return l.Interface[4:20] == hex[:16]
}

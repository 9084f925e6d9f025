package simulate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"picket"
)

// Sink makes the object of that name, to be closed when it is whole.
type Sink func(name string) (io.WriteCloser, error)

// Summary says what was written.
type Summary struct {
	Conversations uint64
	Attacks       uint64 // conversations of attacks
	Records       uint64 // lines or packets
	Packets       uint64 // that the records speak of, each direction once
	Bytes         uint64 // IP bytes of them
	Objects       int
	Labels        []Truth
}

// line is one record on its way to a log: what a decoder will read, and what
// only the writer needs.
type line struct {
	picket.Record
	conv  *Conversation
	in    bool   // it is about what conv.Dst sent
	flags uint8  // netflow, eve: TCP flags of all packets that Src sent
	back  uint8  // eve: that Dst sent
	count uint64 // pcap: number of the packet in its side; others: of the connection or record
	ack   uint64 // pcap: packets of the other side before it
}

// view turns conversations into the lines that one kind of log has of them, in
// the order of the log.
type view interface {
	take(c *Conversation, put func(*line) error) error
	finish(put func(*line) error) error
}

// encoder writes lines into objects.
type encoder interface {
	write(l *line) error
	finish() error
}

// format is one way to log: what is seen, and how it is written down.
type format struct {
	view    func(s *Script, net *network) view
	encoder func(s *Script, net *network, out *objects) encoder
}

var formats = map[string]format{
	"vpc":       {flowView(60, 2), flowText(2)},
	"vpc600":    {flowView(600, 2), flowText(2)},
	"vpc5":      {flowView(60, 5), flowText(5)},
	"vpc5-600":  {flowView(600, 5), flowText(5)},
	"zeek":      {connView, connText(false)},
	"zeek-json": {connView, connText(true)},
	"pcap":      {packetView, packetFile(false)},
	"pcapng":    {packetView, packetFile(true)},

	"vpc-parquet":  {flowView(60, 5), flowTable(flowRow)},
	"tgw":          {gatewayView, gatewayText},
	"tgw-parquet":  {gatewayView, flowTable(gatewayRow)},
	"ocsf-parquet": {flowView(60, 5), flowTable(lakeRow)},
	"ocsf":         {sensorView(ocsfRecord), hourlyText("ocsf/", "network_activity", "", appendOCSF)},
	"eve":          {sensorView(eveRecord), hourlyText("suricata/", "eve", "", appendEVE)},
	"nfw":          {exporterView(firewallPlace, false), hourlyText("network-firewall/", "flow", "", appendFirewall)},
	"netflow5":     {exporterView("/00000007", true), exportFile(5)},
	"netflow9":     {exporterView("/00000007", false), exportFile(9)},
	"ipfix":        {exporterView("/00000007", false), exportFile(10)},
	"goflow2":      {exporterView(sampler, false), hourlyText("goflow2/", "flows", "", appendGoFlow)},
	"nfdump":       {exporterView(sampler, false), hourlyText("nfdump/", "flows", nfdumpHead, appendNfdump)},
	"alb":          {sensorView(requestRecord), requestText},
}

// Formats are the names of the formats, sorted.
func Formats() []string {
	var names []string
	for name := range formats {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func formatOf(name string) (format, error) {
	f, ok := formats[name]
	if !ok {
		return f, fmt.Errorf("no format %q; there are %s", name, strings.Join(Formats(), ", "))
	}
	return f, nil
}

// Write plays the script into log objects of the format (see [Formats]), named
// and cut as the real service does it, and labels.csv beside them.
func Write(ctx context.Context, s *Script, format string, sink Sink) (Summary, error) {
	f, err := formatOf(format)
	if err != nil {
		return Summary{}, err
	}
	net, err := newNetwork(s.Network, s.Seed)
	if err != nil {
		return Summary{}, err
	}
	out := &objects{sink: sink}
	enc := f.encoder(s, net, out)
	sum, err := watch(ctx, s, f.view(s, net), enc.write)
	if err == nil {
		err = enc.finish()
	}
	if err != nil {
		out.abandon()
		return sum, err
	}
	w, err := sink("labels.csv")
	if err != nil {
		return sum, err
	}
	err = WriteLabels(w, sum.Labels)
	sum.Objects = out.made
	return sum, firstError(err, w.Close())
}

// Records plays the script and calls emit with the records that a decoder would
// read from the log of the format. The record is used again for the next one.
func Records(ctx context.Context, s *Script, format string, emit func(*picket.Record) error) (Summary, error) {
	f, err := formatOf(format)
	if err != nil {
		return Summary{}, err
	}
	net, err := newNetwork(s.Network, s.Seed)
	if err != nil {
		return Summary{}, err
	}
	n := uint64(0)
	return watch(ctx, s, f.view(s, net), func(l *line) error {
		n++
		l.Line = n
		return emit(&l.Record)
	})
}

// watch plays the script before a view.
func watch(ctx context.Context, s *Script, v view, put func(*line) error) (sum Summary, err error) {
	count := func(l *line) error {
		sum.Records++
		sum.Packets += l.SrcPackets + l.DstPackets
		sum.Bytes += l.SrcBytes + l.DstBytes
		return put(l)
	}
	sum.Labels, err = s.Run(ctx, func(c *Conversation) error {
		sum.Conversations++
		if c.Attack != nil {
			sum.Attacks++
		}
		return v.take(c, count)
	})
	if err == nil {
		err = v.finish(count)
	}
	return sum, err
}

// objects keeps track of what a sink has open.
type objects struct {
	sink Sink
	made int
	open []io.WriteCloser
}

func (o *objects) create(name string) (io.WriteCloser, error) {
	w, err := o.sink(name)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	o.made++
	o.open = append(o.open, w)
	return w, nil
}

func (o *objects) close(w io.WriteCloser) error {
	o.open = slices.DeleteFunc(o.open, func(x io.WriteCloser) bool { return x == w })
	return w.Close()
}

// abandon closes what an error left open.
func (o *objects) abandon() {
	for _, w := range o.open {
		w.Close()
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

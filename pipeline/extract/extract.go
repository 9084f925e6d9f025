// Package extract turns records into numbers: Record → Window → Features.
//
// It works in two steps. A Builder reads the records of one raw object and
// writes window parts, one per hour and source: tables of flow rows, each the
// integer sums of one conversation in one minute at one interface. Windows
// reads all parts of a span and closes over them: equal rows are summed, a flow
// seen at two interfaces is counted once, the opener of each conversation is
// decided from its whole hour, and every feature is computed exactly from the
// sorted rows, with no sketch and no sample.
//
// Rows merge by sum, OR, min and max alone, so that any cut of the records into
// objects, in any order, gives the same features bit for bit. Memory is bounded
// by sorting: what does not fit goes to disk in sorted runs, in the same form
// as a part.
package extract

import (
	"fmt"
	"io"
	"slices"

	"picket"
)

// PartID names a window part: what one raw object says of one hour.
type PartID struct {
	Hour   int64  // Unix seconds, a multiple of 3600
	Source string // family of the log: "vpc", "zeek", "pcap"
}

// PartInfo says what a part holds.
type PartInfo struct {
	ID          PartID
	Rows        uint64 // conversation-minutes at an interface
	Records     uint64 // log records that start in the hour
	First, Last int64  // Unix seconds: start of the first minute and end of the last; 0 in an empty part
}

// Part is a window part to close over, with the raw object that it came from.
type Part struct {
	ID      PartID
	Object  string // key of the raw object
	Version string // of its content
	Open    func() (io.ReadCloser, error)
}

// Bounds that Options and CloseOptions default to.
const (
	// DefaultMaxRows keeps a Builder near 150 MB and a close near 200 MB.
	DefaultMaxRows = 1 << 19
	// DefaultMaxEntities have a row of their own per window and kind; the rest
	// share one. It is part of the schema.
	DefaultMaxEntities = 8192
)

// sources are the families of logs by their number in a flow row, which is in
// the stored form: add, never reorder.
var sources = []string{picket.SourceVPC, picket.SourceZeek, picket.SourcePcap,
	picket.SourceNetFlow, picket.SourceEVE, picket.SourceALB, picket.SourceOCSF}

// FlowSources are the families of logs that tell of flows.
func FlowSources() []string { return slices.Clone(sources) }

func sourceNumber(name string) (uint8, error) {
	i := slices.Index(sources, name)
	if i < 0 {
		return 0, fmt.Errorf("unknown source %q", name)
	}
	return uint8(i), nil
}

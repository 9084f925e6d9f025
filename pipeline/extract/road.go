package extract

import (
	"context"
	"io"

	"picket"
)

// RecordBuilder sums the records of one raw object and writes them as window parts.
type RecordBuilder interface {
	Add(*picket.Record) error
	Finish(part func(PartID) (io.WriteCloser, error)) ([]PartInfo, error)
	Close() error
}

// Road is how the records of a family of sources become features. Every family
// has parts of its own form, and one schema for all rows that come of them.
type Road struct {
	Detector string
	Widths   []int64 // of its windows, in seconds, ascending
	MaxRows  int     // that a close holds in memory, unless it is told otherwise
	Schema   func() picket.Schema
	Builder  func(Options) RecordBuilder
	Windows  func(context.Context, []Part, CloseOptions, func(*picket.Features) error) (CloseStats, error)
	Proofs   func(ctx context.Context, parts []Part, windows []picket.Window, limit int) ([]Proof, error)
	Empty    func(io.Writer, PartID) error // writes a part without rows

	// History writes what was seen up to the end of a day; nil where nothing is
	// remembered. See WriteAccessHistory.
	History func(ctx context.Context, w io.WriteCloser, day int64, prev *Part, parts []Part, o Options) error
}

// Widest returns its widest windows, in seconds.
func (r *Road) Widest() int64 { return r.Widths[len(r.Widths)-1] }

var flowRoad = &Road{
	Detector: picket.DetectorTraffic,
	Widths:   []int64{picket.Minute, picket.Hour, picket.Day},
	MaxRows:  DefaultMaxRows,
	Schema:   func() picket.Schema { return Schema(picket.KindActor) },
	Builder:  func(o Options) RecordBuilder { return NewBuilder(o) },
	Windows:  Windows,
	Proofs:   Proofs,
	Empty:    writeEmptyFlowPart,
}

var nameRoad = &Road{
	Detector: picket.DetectorPhishing,
	Widths:   []int64{picket.Hour},
	MaxRows:  DefaultMaxRows,
	Schema:   func() picket.Schema { return Schema(picket.KindName) },
	Builder:  func(o Options) RecordBuilder { return NewNameBuilder(o) },
	Windows:  NameWindows,
	Proofs:   NameProofs,
	Empty:    writeEmptyLedgerPart[nameState],
}

var accessRoad = &Road{
	Detector: picket.DetectorAccess,
	Widths:   []int64{picket.Hour, picket.Day},
	MaxRows:  accessRows,
	Schema:   AccessSchema,
	Builder:  func(o Options) RecordBuilder { return NewAccessBuilder(o) },
	Windows:  AccessWindows,
	Proofs:   AccessProofs,
	Empty:    writeEmptyAccessPart,
	History:  WriteAccessHistory,
}

// RoadOf returns the road of a source, nil where there is none.
func RoadOf(source string) *Road {
	switch source {
	case picket.SourceNames:
		return nameRoad
	case picket.SourceAccess:
		return accessRoad
	}
	return flowRoad
}

// SourcesOf returns the sources whose windows a record counts into: a packet is a
// flow, and may carry a name besides.
func SourcesOf(r *picket.Record) []string {
	switch {
	case r.Access != nil:
		return []string{picket.SourceAccess}
	case r.Source == picket.SourceNames:
		return []string{picket.SourceNames}
	case r.Lookup != nil:
		return []string{r.Source, picket.SourceNames}
	}
	return []string{r.Source}
}

// WriteEmptyPart writes a part without rows: what the newest version of a raw
// object says of an hour that only older versions speak of.
func WriteEmptyPart(w io.Writer, id PartID) error { return RoadOf(id.Source).Empty(w, id) }

package picket

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Features are the numbers computed from one window: one row.
type Features struct {
	Window
	From    int64     // Unix seconds: where what is covered begins; 0 is the start of the window
	Elapsed int64     // seconds of the window covered so far; rates divide by it
	Flows   uint64    // conversations in the window: how much the row rests on
	Values  []float64 // in the order of the schema; NaN is missing, which is not 0
}

// Covered returns what the window has seen so far, in Unix seconds.
func (f *Features) Covered() (from, to int64) {
	from = max(f.Start, f.From)
	if f.Elapsed <= 0 {
		return from, f.End()
	}
	return from, min(from+f.Elapsed, f.End())
}

// Schema names the columns of a row of features, in order.
type Schema struct {
	Names []string `json:"names"`
	Hash  string   `json:"hash"` // of the catalogue entries behind the names; see extract.Schema
}

// NewSchema returns a schema of columns with no catalogue behind them, as for a
// labelled table: its hash is of the names alone.
func NewSchema(names []string) Schema {
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return Schema{Names: names, Hash: hex.EncodeToString(sum[:8])}
}

// Match returns nil if s and other are the same schema; otherwise an error with
// both hashes and the first column that differs.
func (s Schema) Match(other Schema) error {
	if s.Hash == other.Hash && len(s.Names) == len(other.Names) {
		return nil
	}
	for i, name := range s.Names {
		switch {
		case i >= len(other.Names):
			return fmt.Errorf("schema %s has %d columns and %s has %d: %q is missing", s.Hash, len(s.Names), other.Hash, len(other.Names), name)
		case other.Names[i] != name:
			return fmt.Errorf("schema %s and %s differ at column %d: %q and %q", s.Hash, other.Hash, i+1, name, other.Names[i])
		}
	}
	if len(other.Names) > len(s.Names) {
		return fmt.Errorf("schema %s has %d columns and %s has %d: %q is extra", s.Hash, len(s.Names), other.Hash, len(other.Names), other.Names[len(s.Names)])
	}
	return fmt.Errorf("schema %s and %s have the same names but different definitions", s.Hash, other.Hash)
}

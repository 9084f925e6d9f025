package gbdt

import "unsafe"

// prefetch asks for the cache lines of eight entries' rows, which are 1<<shift
// bytes each from rows on. It has no other effect. The rows of a node deep in the
// tree lie far apart: without this the processor waits for each.
//
//go:noescape
func prefetch(rows unsafe.Pointer, shift uint64, entries *[8]entry)

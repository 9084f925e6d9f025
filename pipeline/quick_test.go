//go:build !e2e

package pipeline

// How much of what could be tried is tried; make e2e tries it all.
const (
	faultStride   = 5 // every fifth call fails
	interleavings = 6
)

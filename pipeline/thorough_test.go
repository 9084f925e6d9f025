//go:build e2e

package pipeline

const (
	faultStride   = 1
	interleavings = 200
)

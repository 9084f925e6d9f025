//go:build !amd64

package gbdt

import "unsafe"

// prefetch does nothing here: Go has no such instruction of its own.
func prefetch(unsafe.Pointer, uint64, *[8]entry) {}

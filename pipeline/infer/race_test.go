//go:build race

package infer

// The race detector makes sync.Pool forget on purpose: allocations mean nothing.
const raced = true

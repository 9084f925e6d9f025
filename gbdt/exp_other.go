//go:build !amd64

package gbdt

// exp4 leaves all to exp here.
func exp4([]float32) int { return 0 }

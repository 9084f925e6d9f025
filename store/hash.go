package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// Hash passes on what it reads and takes the SHA-256 of it: the version of a raw
// object on disk, of exactly the bytes that were decoded.
type Hash struct {
	r   io.Reader
	sum hash.Hash
	n   int64
}

// NewHash returns a Hash that reads from r.
func NewHash(r io.Reader) *Hash { return &Hash{r: r, sum: sha256.New()} }

func (h *Hash) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.sum.Write(p[:n])
	h.n += int64(n)
	return n, err
}

// Size returns the number of bytes read so far.
func (h *Hash) Size() int64 { return h.n }

// ETag returns the hash of what was read so far. Read to io.EOF first.
func (h *Hash) ETag() string { return hex.EncodeToString(h.sum.Sum(nil)) }

// stopping reads from r until ctx ends.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

package decode

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"picket"
)

// unread gives what it is asked for in small pieces, and counts.
type unread struct {
	r    io.Reader
	read int
}

func (u *unread) Read(p []byte) (int, error) {
	n, err := u.r.Read(p[:min(len(p), 1<<12)])
	u.read += n
	return n, err
}

// TestAheadEnds stops in the middle of a compressed object and wants the rest of it
// left to the caller: nothing reads on, and what was read was not lost on the way.
func TestAheadEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, "srcaddr dstaddr srcport dstport protocol packets bytes start\n")
	for range 100_000 {
		line := []byte("10.0.0.1 198.51.100.7 443 50123 6 12 3400 1772528400\n")
		for i := 26; i < 31; i++ {
			if line[i] != ' ' {
				line[i] = byte('1' + rng.IntN(9))
			}
		}
		z.Write(line)
	}
	z.Close()
	stop := errors.New("enough")
	for _, after := range []int{1, 100, 50_000} {
		r := &unread{r: bytes.NewReader(packed.Bytes())}
		n := 0
		s, err := Decode(context.Background(), Object{Key: "a.gz"}, r, func(*picket.Record) error {
			if n++; n == after {
				return stop
			}
			return nil
		}, nil)
		if err != stop || s.Records != uint64(after) {
			t.Fatalf("%d records, error %v", s.Records, err)
		}
		left, err := io.ReadAll(r)
		if err != nil || r.read != packed.Len() || !bytes.HasSuffix(packed.Bytes(), left) {
			t.Errorf("after %d records %d of %d bytes were read, error %v", after, r.read, packed.Len(), err)
		}
		if after == 1 && len(left) < packed.Len()/2 {
			t.Errorf("after a record only %d of %d bytes are left: it is read too far ahead", len(left), packed.Len())
		}
	}
}

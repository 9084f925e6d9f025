package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"picket/pipeline/decode"
	"picket/store"
)

// maxQuarantine bounds what is kept of one object's refused lines, in bytes of
// JSON. Beyond it they are counted, not kept: the raw object still has them.
const maxQuarantine = 4 << 20

// Refused is one line of a quarantine object: what could not be read, and why.
type Refused struct {
	Object string `json:"object"`
	Offset int64  `json:"offset"` // byte in the decompressed object
	Line   uint64 `json:"line,omitempty"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
	Bytes  []byte `json:"bytes,omitempty"` // the first 4 KiB of it, base64
}

// refusals collects what one object's decoding set aside.
type refusals struct {
	object string
	buf    bytes.Buffer
	left   int // refused lines that were not kept
}

func newRefusals(object string) *refusals { return &refusals{object: object} }

func (q *refusals) Add(r decode.Reject) error {
	return q.add(Refused{Object: q.object, Offset: r.Offset, Line: r.Line, Reason: r.Reason, Detail: r.Detail, Bytes: r.Bytes})
}

// Object notes why the rest of the object could not be read.
func (q *refusals) Object(e *decode.ObjectError) {
	q.add(Refused{Object: q.object, Offset: e.Offset, Reason: e.Reason, Detail: fmt.Sprint(e.Err)})
}

func (q *refusals) add(r Refused) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if q.buf.Len()+len(line) > maxQuarantine {
		q.left++
		return nil
	}
	q.buf.Write(append(line, '\n'))
	return nil
}

// Put writes the refused lines as one object and returns its key, "" if nothing
// was refused.
func (q *refusals) Put(ctx context.Context, b store.Bucket, version string) (string, error) {
	if q.left > 0 {
		line, err := json.Marshal(Refused{Object: q.object, Reason: "more refused lines", Detail: fmt.Sprintf("%d more were counted and not kept here", q.left)})
		if err != nil {
			return "", err
		}
		q.buf.Write(append(line, '\n'))
	}
	if q.buf.Len() == 0 {
		return "", nil
	}
	key := quarantineKey(q.object, version)
	return key, putOnce(ctx, b, key, bytes.NewReader(q.buf.Bytes()))
}

// Package pipeline runs the stages over a bucket: raw objects in, findings out.
//
// Ingest reads one raw object into window parts. Close merges parts into
// features. Detect scores features and writes findings. Learn turns features and
// labels into a model package and moves it through the registry. Every output
// key follows from its input, and every write but two (the registry's
// stages.json, a run's state) is put-if-absent: a step may be killed or
// delivered twice anywhere, and its effect is once.
package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"picket"
	"picket/pipeline/train"
	"picket/store"
	"picket/telemetry"
)

// Deps are what a pipeline works with. The caller owns them.
type Deps struct {
	Bucket  store.Bucket
	Log     *slog.Logger
	Metrics telemetry.Metrics
	Now     func() time.Time // the clock; never read elsewhere
	TempDir string           // spilled runs go here; "" is the system's
	Version string           // of the program, for findings

	// Shipped is the package that scores where the registry has no live one. May be nil.
	Shipped func() (*train.Package, error)

	// Tell is told of each event of a finding once it is written, and again if it fails
	// or the process dies in between: at least once. May be nil.
	Tell func(ctx context.Context, events []Event) error
}

// Event is one event of a finding, as others are told it.
type Event struct {
	Finding picket.Finding
	UID     string // of the event: the same whenever it is told again
	OCSF    []byte // a Detection Finding, JSON
}

// Pipeline runs the stages over one bucket. Its methods may be called at the
// same time, by several processes.
type Pipeline struct {
	cfg   Config
	deps  Deps
	hits  hitCache
	lists lists
	pasts pastCache
	usual baselineCache

	origins origins
}

// New returns a pipeline. It does nothing yet.
func New(cfg Config, deps Deps) *Pipeline {
	if deps.TempDir == "" {
		deps.TempDir = os.TempDir()
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Metrics == nil {
		deps.Metrics = telemetry.Nothing{}
	}
	return &Pipeline{cfg: cfg, deps: deps}
}

// Bucket returns the bucket that the pipeline runs over.
func (p *Pipeline) Bucket() store.Bucket { return p.deps.Bucket }

// digest is how a key names content: 16 hex digits of SHA-256.
func digest(parts ...string) string {
	h := sha256.New()
	for _, s := range parts {
		io.WriteString(h, s)
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// there reports whether an object is there. It asks by list: who may not read an
// object may ask this.
func (p *Pipeline) there(ctx context.Context, key string) (bool, error) {
	for info, err := range p.deps.Bucket.List(ctx, key, "") {
		return info.Key == key, err
	}
	return false, nil
}

// putOnce writes an object whose key follows from its content: if it is already
// there, that is success.
func putOnce(ctx context.Context, b store.Bucket, key string, r io.Reader) error {
	_, err := b.Put(ctx, key, r, store.IfAbsent)
	if errors.Is(err, store.ErrPrecondition) {
		return nil
	}
	return err
}

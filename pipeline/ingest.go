package pipeline

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"picket"
	"picket/pipeline/decode"
	"picket/pipeline/extract"
	"picket/store"
)

// ErrChanged is returned for an object that changed while it was read: the
// caller puts it back and tries again once it is quiet.
var ErrChanged = errors.New("the object changed while it was read")

// Raw is one raw object to ingest.
type Raw struct {
	Key      string // what people call it: the key below raw/, or a path
	Modified time.Time
	Size     int64
	Open     func() (io.ReadCloser, error)
	Changed  func() bool // whether it changed since; nil if it cannot
	ID       string      // that the store gave this version: on S3 its version id or ETag; "" if none
	Sequence string      // S3's sequencer of the event, for versions of one second; "" if unknown
}

// Ingested is what became of one raw object. It is kept as JSON in windows/objects/.
type Ingested struct {
	Object   string       `json:"object"`
	Version  string       `json:"version"` // SHA-256 of the content, 16 hex digits
	Modified time.Time    `json:"modified"`
	Size     int64        `json:"size"`
	ID       string       `json:"id,omitempty"`       // see Raw
	Sequence string       `json:"sequence,omitempty"` // see Raw
	Slots    []string     `json:"slots"`              // hours and sources that it has a part in
	Stats    decode.Stats `json:"stats"`
	Error    string       `json:"error,omitempty"` // why the rest of it could not be read
	Set      string       `json:"quarantine,omitempty"`
	Already  bool         `json:"-"` // this version was ingested before
	whole    bool         // all its parts are written
}

// Ingest reads one raw object and writes its window parts, their marks, what was
// refused, and a manifest: raw/ → windows/, due/, quarantine/. An object that can
// be read only in part is not an error: Ingested.Error says why.
func (p *Pipeline) Ingest(ctx context.Context, raw Raw) (Ingested, error) {
	versions, err := p.manifests(ctx, raw.Key)
	if err != nil {
		return Ingested{}, err
	}
	for _, m := range versions {
		if m.whole && m.Size == raw.Size && m.Modified.Equal(raw.Modified) && m.ID == raw.ID && raw.Size > 0 {
			m.Already = true
			return m, p.reconcile(ctx, versions) // who wrote it may have been killed before
		}
	}
	began := p.deps.Now()
	in, err := p.read(ctx, raw, versions)
	if err != nil {
		return in, fmt.Errorf("ingest %s: %w", raw.Key, err)
	}
	p.deps.Metrics.Took("ingest", p.deps.Now().Sub(began))
	p.countDecoded(in.Stats)
	if versions, err = p.manifests(ctx, raw.Key); err != nil {
		return in, err
	}
	return in, p.reconcile(ctx, versions)
}

// Take is Ingest that says in the log what became of the object, and counts what
// failed. ErrChanged means that it changed while it was read: try again later.
func (p *Pipeline) Take(ctx context.Context, raw Raw) (Ingested, error) {
	in, err := p.Ingest(ctx, raw)
	if err != nil {
		if !errors.Is(err, ErrChanged) && ctx.Err() == nil {
			p.deps.Metrics.Error("ingest")
		}
		return in, err
	}
	trace := Trace(in.Object, in.Version)
	if in.Error != "" {
		p.deps.Log.Warn("object set aside", "stage", "decode", "key", raw.Key, "trace", trace, "records", in.Stats.Records, "error", in.Error)
	}
	if !in.Already {
		p.deps.Log.Info("object read", "stage", "decode", "key", raw.Key, "trace", trace, "records", in.Stats.Records)
	}
	return in, nil
}

func (p *Pipeline) countDecoded(s decode.Stats) {
	p.deps.Metrics.In("decode", s.Lines)
	p.deps.Metrics.Out("decode", s.Records)
	p.deps.Metrics.Bytes("decode", s.Bytes)
	for reason, n := range s.Dropped {
		p.deps.Metrics.Dropped("decode", reason, n)
	}
}

// read decodes the object and puts what it holds. Nothing is visible to Close
// before the marks, and the manifest comes last.
func (p *Pipeline) read(ctx context.Context, raw Raw, versions []Ingested) (Ingested, error) {
	in := Ingested{Object: raw.Key, Modified: raw.Modified.UTC(), Size: raw.Size, ID: raw.ID, Sequence: raw.Sequence}
	r, err := raw.Open()
	if err != nil {
		return in, err
	}
	defer r.Close()
	builder := newBuilders(extract.Options{TempDir: p.deps.TempDir})
	defer builder.Close()
	refused := newRefusals(raw.Key)

	content := &hashed{r: r, h: sha256.New()}
	in.Stats, err = decode.Decode(ctx, decode.Object{Key: raw.Key, Modified: raw.Modified, Size: raw.Size}, content, builder.Add, refused.Add)
	var unreadable *decode.ObjectError
	switch {
	case errors.As(err, &unreadable):
		in.Error = unreadable.Error()
		refused.Object(unreadable)
	case err != nil:
		return in, err
	}
	if in.Version, err = content.Sum(); err != nil {
		return in, err
	}
	if raw.Changed != nil && raw.Changed() {
		return in, ErrChanged
	}
	in.Version = again(in, versions)
	if in.Set, err = refused.Put(ctx, p.deps.Bucket, in.Version); err != nil {
		return in, err
	}
	return in, p.finish(ctx, &in, builder)
}

// again returns the version of content that was read. An object that is put back
// to what it was before its last change has the content of an old version, but is
// newer than all: it becomes a version of its own.
func again(in Ingested, versions []Ingested) string {
	known, last := false, Ingested{}
	for _, v := range versions {
		if v.Modified.Before(in.Modified) {
			known = known || v.Version == in.Version
			if last.Version == "" || v.edition().after(last.edition()) {
				last = v
			}
		}
	}
	if known && last.Version != in.Version {
		return digest(in.Version, in.Modified.String())
	}
	return in.Version
}

// The manifest of a version is written twice: before its parts, so that a newer
// version knows which to supersede even if this one was never finished, and once
// they are all there.
const (
	begunManifest = ".begun.json"
	wholeManifest = ".json"
)

// finish writes the parts, each followed by its marks, between the manifests.
func (p *Pipeline) finish(ctx context.Context, in *Ingested, builder *builders) error {
	var staged []*stagedPart
	defer func() {
		for _, s := range staged {
			s.discard()
		}
	}()
	infos, err := builder.Finish(func(id extract.PartID) (io.WriteCloser, error) {
		s, err := stage(p.deps.TempDir)
		if err == nil {
			staged = append(staged, s)
		}
		return s, err
	})
	if err != nil {
		return err
	}
	for _, info := range infos {
		in.Slots = append(in.Slots, partSlot(info.ID).String())
	}
	if err := p.putManifest(ctx, *in, begunManifest); err != nil {
		return err
	}
	for i, s := range staged {
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		body := io.MultiReader(bytes.NewReader(in.provenance(infos[i])), s.file)
		if err := putPart(ctx, p.deps.Bucket, partSlot(infos[i].ID), in.Object, in.Version, body); err != nil {
			return err
		}
	}
	return p.putManifest(ctx, *in, wholeManifest)
}

func partSlot(id extract.PartID) slot { return slot{Start: id.Hour, Source: id.Source} }

// provenance is the first line of a part object: where it came from.
type provenance struct {
	Object   string    `json:"object"`
	Version  string    `json:"version"`
	Modified time.Time `json:"modified"`
	Sequence string    `json:"sequence,omitempty"`
	First    int64     `json:"first"` // Unix seconds: start of its first minute and end of its last,
	Last     int64     `json:"last"`  // both 0 in a part without rows
}

func (in Ingested) provenance(info extract.PartInfo) []byte {
	line, _ := json.Marshal(provenance{in.Object, in.Version, in.Modified, in.Sequence, info.First, info.Last})
	return append(line, '\n')
}

// stagedPart is a part on its way to the bucket: a temporary file, so that a
// part of any size costs no memory.
type stagedPart struct {
	file *os.File
	w    *bufio.Writer
}

func stage(dir string) (*stagedPart, error) {
	f, err := os.CreateTemp(dir, "picket-part-*")
	if err != nil {
		return nil, err
	}
	return &stagedPart{file: f, w: bufio.NewWriterSize(f, 1<<16)}, nil
}

func (s *stagedPart) Write(b []byte) (int, error) { return s.w.Write(b) }
func (s *stagedPart) Close() error                { return s.w.Flush() }

func (s *stagedPart) discard() {
	s.file.Close()
	os.Remove(s.file.Name())
}

// putPart writes a part, then its marks: one for its hour and, where its source has
// windows of a day, one for its day.
func putPart(ctx context.Context, b store.Bucket, s slot, object, version string, body io.Reader) error {
	if err := putOnce(ctx, b, partKey(s, object, version), body); err != nil {
		return err
	}
	return putMarks(ctx, b, s, path.Base(partKey(s, object, version)))
}

// putMarks marks a part as due, by the last part of its key.
func putMarks(ctx context.Context, b store.Bucket, s slot, part string) error {
	if err := putOnce(ctx, b, picket.DuePrefix+s.String()+"/"+part, bytes.NewReader(nil)); err != nil {
		return err
	}
	if extract.RoadOf(s.Source).Widest() < picket.Day {
		return nil
	}
	return putOnce(ctx, b, picket.DuePrefix+s.day().String()+"/"+part+"."+s.String()[11:13], bytes.NewReader(nil))
}

func (p *Pipeline) putManifest(ctx context.Context, in Ingested, kind string) error {
	body, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		return err
	}
	return putOnce(ctx, p.deps.Bucket, manifestPrefix(in.Object)+in.Version+kind, bytes.NewReader(body))
}

// manifests returns the versions of one raw object, those that were only begun too.
func (p *Pipeline) manifests(ctx context.Context, object string) ([]Ingested, error) {
	var all []Ingested
	for info, err := range p.deps.Bucket.List(ctx, manifestPrefix(object), "") {
		if err != nil {
			return nil, err
		}
		var m Ingested
		if err := readJSON(ctx, p.deps.Bucket, info.Key, &m); err != nil {
			return nil, err
		}
		m.whole = !strings.HasSuffix(info.Key, begunManifest)
		all = append(all, m)
	}
	return all, nil
}

// reconcile gives the newest version of an object an empty part in every slot
// that only older versions fill. Each of two concurrent ingests does it after
// its own manifest is written, so that whichever comes second sees both.
func (p *Pipeline) reconcile(ctx context.Context, versions []Ingested) error {
	if len(versions) == 0 {
		return nil
	}
	newest := slices.MaxFunc(versions, func(a, b Ingested) int { return a.edition().compare(b.edition()) })
	has := map[string]bool{}
	for _, s := range newest.Slots {
		has[s] = true
	}
	for _, v := range versions {
		for _, text := range v.Slots {
			if has[text] {
				continue
			}
			if err := p.putEmpty(ctx, newest, text); err != nil {
				return err
			}
			has[text] = true
		}
	}
	return nil
}

func (p *Pipeline) putEmpty(ctx context.Context, in Ingested, text string) error {
	s, err := parseSlot(text)
	if err != nil {
		return err
	}
	id := extract.PartID{Hour: s.Start, Source: s.Source}
	body := bytes.NewBuffer(in.provenance(extract.PartInfo{ID: id}))
	if err := extract.WriteEmptyPart(body, id); err != nil {
		return err
	}
	return putPart(ctx, p.deps.Bucket, s, in.Object, in.Version, body)
}

// edition orders the versions of an object: the later supersedes the earlier, of
// two of the same instant (S3 tells seconds) that of the later event, and where
// that is not known the greater.
type edition struct {
	modified          time.Time
	sequence, version string
}

func (in Ingested) edition() edition  { return edition{in.Modified, in.Sequence, in.Version} }
func (v provenance) edition() edition { return edition{v.Modified, v.Sequence, v.Version} }

func (e edition) after(o edition) bool { return e.compare(o) > 0 }

func (e edition) compare(o edition) int {
	if at := e.modified.Compare(o.modified); at != 0 {
		return at
	}
	if e.sequence != "" && o.sequence != "" {
		n := max(len(e.sequence), len(o.sequence)) // the shorter one is filled up at its right, says S3's documentation
		pad := func(text string) string { return text + strings.Repeat("0", n-len(text)) }
		if order := cmp.Compare(pad(e.sequence), pad(o.sequence)); order != 0 {
			return order
		}
	}
	return cmp.Compare(e.version, o.version)
}

// hashed takes the SHA-256 of what is read through it.
type hashed struct {
	r io.Reader
	h hash.Hash
}

func (h *hashed) Read(b []byte) (int, error) {
	n, err := h.r.Read(b)
	h.h.Write(b[:n])
	return n, err
}

// Sum reads what is left and returns the version that the content has.
func (h *hashed) Sum() (string, error) {
	if _, err := io.Copy(io.Discard, h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.h.Sum(nil)[:8]), nil
}

func readJSON(ctx context.Context, b store.Bucket, key string, v any) error {
	r, _, err := b.Get(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := json.NewDecoder(r).Decode(v); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

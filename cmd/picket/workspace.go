package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"picket/pipeline"
	"picket/store"
)

// workspace is a bucket in a temporary folder with a pipeline over it: how a
// command reads files that are not in any bucket. Nothing of it is left.
type workspace struct {
	*pipeline.Pipeline
	app    *app
	folder string
	bucket store.Bucket
}

func (a *app) workspace(ctx context.Context) (*workspace, error) {
	return a.workspaceIn(ctx, "", func(*pipeline.Config) {})
}

// workspaceIn keeps the bucket in one that stays, a folder or one in S3, or with ""
// in a folder that does not. change has the last word on the configuration.
func (a *app) workspaceIn(ctx context.Context, keep string, change func(*pipeline.Config)) (*workspace, error) {
	cfg, err := a.settings()
	if err != nil {
		return nil, err
	}
	change(&cfg.Pipeline)
	folder, err := os.MkdirTemp("", "picket-")
	if err != nil {
		return nil, hint(err, "set TMPDIR to a folder that can be written")
	}
	bucket, err := bucketAt(ctx, cmp.Or(keep, filepath.Join(folder, "bucket")))
	if err != nil {
		os.RemoveAll(folder)
		return nil, err
	}
	p := pipeline.New(cfg.Pipeline, pipeline.Deps{Bucket: bucket, Now: time.Now, TempDir: folder, Version: version})
	return &workspace{Pipeline: p, app: a, folder: folder, bucket: bucket}, nil
}

func (w *workspace) Close() {
	closeBucket(w.bucket)
	os.RemoveAll(w.folder)
}

// ingest reads every file below paths, "-" being stdin, and says on stderr what
// was read of each. A file that cannot be read is reported and left out; only if
// none could be read is that an error.
func (w *workspace) ingest(ctx context.Context, paths []string) ([]pipeline.Ingested, error) {
	raws, total, err := w.app.toRead(ctx, paths)
	if err != nil {
		return nil, err
	}
	bar := w.app.progress("reading", total)
	done := make([]pipeline.Ingested, len(raws))
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, raw := range raws {
		group.Go(func() error {
			in, err := w.Ingest(ctx, raw)
			mu.Lock()
			defer mu.Unlock()
			bar.Add(raw.Size)
			if err != nil && ctx.Err() == nil {
				in.Object, in.Error = raw.Key, err.Error()
				err = nil
			}
			done[i] = in
			return err
		})
	}
	err = group.Wait()
	bar.Done()
	if err != nil {
		return done, err
	}
	return done, w.app.reportIngested(done)
}

// reportIngested prints a line for each object and fails if none gave a record
// and something was wrong with each.
func (a *app) reportIngested(done []pipeline.Ingested) error {
	failed := 0
	for _, in := range done {
		a.say("%s", ingestedLine(in))
		if in.Error != "" && in.Stats.Records == 0 {
			failed++
		}
	}
	a.sayCoverage(done)
	a.saySensors(done)
	if failed == len(done) {
		return hint(fmt.Errorf("nothing could be read: %s", done[0].Error), "docs/formats.md lists the logs that Picket reads, plain or compressed")
	}
	return nil
}

// ingestedLine says what was read of one object: rows in, rows refused and why.
func ingestedLine(in pipeline.Ingested) string {
	var b strings.Builder
	fmt.Fprintf(&b, "read %s: ", oneLine(in.Object))
	if in.Stats.Format != "" {
		fmt.Fprintf(&b, "%s, %d lines, %d records", in.Stats.Format, in.Stats.Lines, in.Stats.Records)
	} else {
		b.WriteString("nothing")
	}
	reasons := make([]string, 0, len(in.Stats.Dropped))
	for r := range in.Stats.Dropped {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	for _, r := range reasons {
		fmt.Fprintf(&b, ", %d %s", in.Stats.Dropped[r], r)
	}
	if in.Error != "" {
		fmt.Fprintf(&b, "; %s", oneLine(in.Error))
	}
	return b.String()
}

// toRead lists what is below paths with its bytes together. What cannot be looked
// at is reported and left out.
func (a *app) toRead(ctx context.Context, paths []string) (raws []pipeline.Raw, total int64, err error) {
	raws, problems := a.raws(ctx, paths)
	for _, p := range problems {
		a.complain(p)
	}
	for _, r := range raws {
		total += r.Size
	}
	if len(raws) == 0 {
		err = codedError{exitError, hint(errors.New("no file to read"), "name log files, folders that hold them, or s3://NAME/PREFIX")}
	}
	return raws, total, err
}

// raws lists the files below paths, and the objects below addresses in S3, in
// order, each once. What cannot be looked at
// is returned as an error of its own and does not stop the rest.
func (a *app) raws(ctx context.Context, paths []string) (raws []pipeline.Raw, problems []error) {
	seen := map[string]bool{}
	add := func(raw pipeline.Raw) {
		if !seen[raw.Key] {
			seen[raw.Key] = true
			raws = append(raws, raw)
		}
	}
	for _, path := range paths {
		if path == "-" {
			raws = append(raws, a.stdinRaw())
			continue
		}
		if inS3(path) {
			problems = append(problems, bucketRaws(ctx, path, add)...)
			continue
		}
		err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				problems = append(problems, err)
				return skipDir(d)
			}
			if d.IsDir() {
				return nil
			}
			info, err := os.Stat(p) // follows links
			switch {
			case err != nil:
				problems = append(problems, err)
			case info.Mode().IsRegular():
				add(fileRaw(p, info))
			}
			return nil
		})
		if err != nil {
			problems = append(problems, err)
		}
	}
	return raws, problems
}

func skipDir(d fs.DirEntry) error {
	if d != nil && d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func fileRaw(path string, info fs.FileInfo) pipeline.Raw {
	return pipeline.Raw{
		Key: path, Modified: info.ModTime(), Size: info.Size(),
		Open: func() (io.ReadCloser, error) { return os.Open(path) },
		Changed: func() bool {
			now, err := os.Stat(path)
			return err == nil && (now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()))
		},
	}
}

func (a *app) stdinRaw() pipeline.Raw {
	return pipeline.Raw{Key: "-", Modified: time.Now(), Open: func() (io.ReadCloser, error) { return io.NopCloser(a.stdin), nil }}
}

// closeAll closes every slot and says how many rows came of it.
func (w *workspace) closeAll(ctx context.Context) error {
	return w.Pipeline.Close(ctx, true, nil)
}

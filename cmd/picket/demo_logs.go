package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/simulate"
	"picket/store"
)

// excerpts are real logs, dropped among the new ones; see demo/README.md.
//
//go:embed demo
var excerpts embed.FS

// demoFormats are what the simulated traffic is written as.
var demoFormats = []string{"vpc5", "zeek-json"}

// labSeeds are small random networks with several attacks each (picket simulate
// knows them as the profile "lab"): the demo learns from them beside its script.
var labSeeds = []uint64{
	1004, 1006, 1007, 1010, 1012, 1013, 1015, 1016, 1022, 1024, 1025, 1027,
}

// demoLessons returns the scripts to learn from, each at a time of its own.
func demoLessons() ([]*simulate.Script, error) {
	office, err := simulate.Load("demo-train")
	if err != nil {
		return nil, err
	}
	quiet, err := simulate.Load("demo-train") // what attacks are told from needs more than the machines they spare
	if err != nil {
		return nil, err
	}
	quiet.Seed, quiet.Attacks, quiet.Start = 72, nil, office.Start.Add(-24*time.Hour)
	quiet.Benign = quiet.Benign[:1] // no visitors
	small, err := labs(labSeeds, office.Start.Add(-96*time.Hour))
	return append([]*simulate.Script{office, quiet}, small...), err
}

// labs returns random networks, one after the other.
func labs(seeds []uint64, at time.Time) ([]*simulate.Script, error) {
	var scripts []*simulate.Script
	for _, seed := range seeds {
		lab, err := simulate.Random(seed, "lab")
		if err != nil {
			return nil, err
		}
		lab.Start = at
		at = at.Add(lab.Duration).Truncate(time.Hour).Add(2 * time.Hour)
		scripts = append(scripts, lab)
	}
	return scripts, nil
}

// drop plays scripts into raw/, and their label files into labels/: the first one
// in every format, the others in one each.
func (d *demo) drop(ctx context.Context, what string, scripts []*simulate.Script) ([]simulate.Truth, error) {
	sums := make([][]*simulate.Summary, len(demoFormats)) // by format and script, nil where it is not played
	group, playing := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for f, format := range demoFormats {
		sums[f] = make([]*simulate.Summary, len(scripts))
		for i, script := range scripts {
			if i > 0 && i%len(demoFormats) != f {
				continue
			}
			group.Go(func() error {
				folder := path.Join(strings.ReplaceAll(what, " ", "-"), format, fmt.Sprintf("network-%02d", i))
				sum, err := simulate.Write(playing, script, format, d.sink(playing, folder))
				sums[f][i] = &sum
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var truths []simulate.Truth
	for f, format := range demoFormats {
		var total simulate.Summary
		attacks := 0
		for i, sum := range sums[f] {
			if sum == nil {
				continue
			}
			if i > 0 || f == 0 {
				truths = append(truths, sum.Labels...)
			}
			total.Objects += sum.Objects
			total.Records += sum.Records
			total.Conversations += sum.Conversations
			attacks += len(scripts[i].Attacks)
		}
		d.say("%-9s %s, as %s: %d objects, %d records; %d attacks hidden in %d conversations", "raw", what, format, total.Objects, total.Records, attacks, total.Conversations)
	}
	return truths, nil
}

// sink puts the objects of a simulation below raw/, its labels below labels/.
func (d *demo) sink(ctx context.Context, folder string) simulate.Sink {
	return func(object string) (io.WriteCloser, error) {
		prefix := picket.RawPrefix
		if object == "labels.csv" {
			prefix = picket.LabelsPrefix
		}
		return &upload{ctx: ctx, bucket: d.bucket, key: prefix + path.Join(folder, object)}, nil
	}
}

// dropExcerpts puts the real logs beside the simulated ones.
func (d *demo) dropExcerpts(ctx context.Context) error {
	entries, err := excerpts.ReadDir("demo")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".md" {
			continue
		}
		f, err := excerpts.Open("demo/" + e.Name())
		if err != nil {
			return err
		}
		if _, err := d.bucket.Put(ctx, picket.RawPrefix+"real/"+e.Name(), f); err != nil {
			return err
		}
		d.say("%-9s real log %s", "raw", e.Name())
	}
	return nil
}

// upload writes one object, kept in a temporary file until it is whole.
type upload struct {
	ctx    context.Context
	bucket store.Bucket
	key    string
	file   *os.File
}

func (u *upload) Write(b []byte) (n int, err error) {
	if u.file == nil {
		if u.file, err = os.CreateTemp("", "picket-upload-*"); err != nil {
			return 0, err
		}
		os.Remove(u.file.Name()) // gone once it is closed
	}
	return u.file.Write(b)
}

func (u *upload) Close() error {
	if u.file == nil {
		return nil
	}
	defer u.file.Close()
	if _, err := u.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := u.bucket.Put(u.ctx, u.key, u.file)
	return err
}

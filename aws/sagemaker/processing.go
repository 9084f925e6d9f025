package sagemaker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/store"
)

// Processing is the body of a processing container. Its channels are folders below
// Root, which is /opt/ml/processing in one: input/NAME is read, output/NAME written.
type Processing struct {
	Root    string
	Config  pipeline.Config
	Log     *slog.Logger
	Now     func() time.Time
	Version string

	// Shipped is the package that scores where channel registry has no live one; may be nil.
	Shipped func() (*train.Package, error)
}

func (p *Processing) in(channel string) string  { return filepath.Join(p.Root, "input", channel) }
func (p *Processing) out(channel string) string { return filepath.Join(p.Root, "output", channel) }

// work runs a step over a bucket of its own, into which the channels named by prefix
// are laid, and leaves the prefixes of out as channels.
func (p *Processing) work(prefixes map[string]string, step func(*pipeline.Pipeline) error, out ...string) error {
	dir, err := os.MkdirTemp(p.Root, "picket-work-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bucket, err := store.OpenDisk(filepath.Join(dir, "bucket"))
	if err != nil {
		return err
	}
	defer bucket.Close()
	for prefix, channel := range prefixes {
		if err := lay(p.in(channel), filepath.Join(bucket.Dir(), filepath.FromSlash(prefix))); err != nil {
			return fmt.Errorf("channel %s: %w", channel, err)
		}
	}
	over := pipeline.New(p.Config, pipeline.Deps{Bucket: bucket, Log: p.Log, Now: p.Now, TempDir: dir, Version: p.Version, Shipped: p.Shipped})
	if err := step(over); err != nil {
		return err
	}
	for _, channel := range out {
		if err := lay(filepath.Join(bucket.Dir(), channel), p.out(channel)); err != nil {
			return fmt.Errorf("channel %s: %w", channel, err)
		}
	}
	return nil
}

// lay makes the files of from appear in to: by link, which costs nothing, or by copy
// where they lie on another disk. A folder that is not there has no files.
func lay(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return nil
		}
		rest, relErr := filepath.Rel(from, path)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		target := filepath.Join(to, rest)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if os.Link(path, target) == nil {
			return nil
		}
		return copyFile(path, target)
	})
}

func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}

// Extract reads the raw objects of channel raw into parts: channels windows and
// quarantine. An object that cannot be read is set aside; only if none can is that an
// error.
func (p *Processing) Extract(ctx context.Context) (string, error) {
	var objects, failed, records atomic.Int64
	err := p.work(nil, func(over *pipeline.Pipeline) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		err := filepath.WalkDir(p.in("raw"), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			raw, err := rawFile(p.in("raw"), path, d)
			if err != nil {
				return err
			}
			group.Go(func() error {
				in, err := over.Ingest(ctx, raw)
				objects.Add(1)
				records.Add(int64(in.Stats.Records))
				if err != nil && ctx.Err() == nil {
					failed.Add(1)
					p.Log.Error("object left out", "stage", "ingest", "key", raw.Key, "error", err)
				}
				return ctx.Err()
			})
			return ctx.Err()
		})
		if err := errors.Join(err, group.Wait()); err != nil {
			return err
		}
		if n := failed.Load(); n > 0 && n == objects.Load() {
			return fmt.Errorf("none of %d raw objects could be read", n)
		}
		return nil
	}, "windows", "quarantine")
	return fmt.Sprintf("%d raw objects, %d records", objects.Load(), records.Load()), err
}

// rawFile is a raw object whose key is its path in the channel, as below raw/.
func rawFile(root, path string, d fs.DirEntry) (pipeline.Raw, error) {
	info, err := d.Info()
	if err != nil {
		return pipeline.Raw{}, err
	}
	key, err := filepath.Rel(root, path)
	return pipeline.Raw{
		Key: filepath.ToSlash(key), Modified: info.ModTime(), Size: info.Size(),
		Open: func() (io.ReadCloser, error) { return os.Open(path) },
	}, err
}

// Close computes features of the parts in channel windows: channels features and
// history.
func (p *Processing) Close(ctx context.Context) (string, error) {
	var slots, rows uint64
	err := p.work(map[string]string{"windows": "windows"}, func(over *pipeline.Pipeline) error {
		var err error
		slots, rows, err = closeAll(ctx, over)
		return err
	}, "features", "history")
	return fmt.Sprintf("%d slots closed: %d rows of features", slots, rows), err
}

func closeAll(ctx context.Context, over *pipeline.Pipeline) (slots, rows uint64, err error) {
	if err := over.MarkAll(ctx); err != nil {
		return 0, 0, err
	}
	err = over.Close(ctx, true, func(closed []pipeline.Closed) error {
		for _, c := range closed {
			slots++
			rows += c.Rows
		}
		return nil
	})
	return slots, rows, err
}

// Dataset closes the parts of channel windows, labels their rows by channel labels,
// and leaves what training jobs read: channel dataset; see pipeline.WriteDataset.
func (p *Processing) Dataset(ctx context.Context, o pipeline.RunOptions) (string, error) {
	var detail string
	err := p.work(map[string]string{"windows": "windows", "labels": "labels"}, func(over *pipeline.Pipeline) error {
		if _, _, err := closeAll(ctx, over); err != nil {
			return err
		}
		in, err := over.Prepare(ctx, o)
		if err != nil {
			return err
		}
		counts := in.Snapshot.Counts
		detail = fmt.Sprintf("dataset %s: %d rows, %d unlabelled, %v", in.Snapshot.ID, counts.Rows, counts.Unlabelled, counts.ByClass)
		if err := over.CheckVerdicts(ctx, in, o); err != nil {
			return err
		}
		return over.WriteDataset(ctx, in, o, p.out("dataset"))
	})
	return detail, err
}

// Evaluation is evaluation.json: SageMaker's model-quality shape of the weakest
// booster that the gate could judge, and all the rest under "picket".
type Evaluation struct {
	Binary     map[string]any `json:"binary_classification_metrics"`
	Multiclass map[string]any `json:"multiclass_classification_metrics,omitempty"`
	Picket     struct {
		Booster string `json:"booster"` // whose figures stand above
		Model   string `json:"model"`   // id of the package
		Gate    struct {
			Verdict string `json:"verdict"`
			Judged  int    `json:"judged"`
			Reasons string `json:"reasons"`
		} `json:"gate"`
		Boosters map[string]train.Report `json:"boosters"`
	} `json:"picket"`
}

func newEvaluation(f pipeline.Finished) Evaluation {
	weakest := pipeline.Weakest(f.Package)
	e := Evaluation{Binary: weakest.Binary, Multiclass: weakest.Multiclass}
	e.Picket.Booster, e.Picket.Model = weakest.Picket.Booster, f.Package.Model.ID
	e.Picket.Gate.Verdict, e.Picket.Gate.Judged = f.Judgement.Verdict, f.Judgement.Judged
	e.Picket.Gate.Reasons = strings.Join(f.Judgement.Reasons, "; ")
	e.Picket.Boosters = map[string]train.Report{}
	for id, one := range f.Package.Evaluations {
		e.Picket.Boosters[id.String()] = one.Picket
	}
	return e
}

// Evaluate makes a package of channels dataset and trees (what the training jobs
// wrote, below a folder for each booster), and holds it against the live package of
// channel registry: channels package and evaluation.
func (p *Processing) Evaluate(ctx context.Context) (string, error) {
	var detail string
	err := p.work(map[string]string{"models": "registry"}, func(over *pipeline.Pipeline) error {
		f, err := over.Finish(ctx, p.in("dataset"), func(folder string) ([]byte, error) { return Trees(filepath.Join(p.in("trees"), folder)) })
		if err != nil {
			return err
		}
		if err := p.leave(f); err != nil {
			return err
		}
		detail = fmt.Sprintf("package %.12s of %d boosters, gate %s", f.Package.Model.ID, len(f.Package.Model.Boosters), f.Judgement.Verdict)
		return nil
	})
	return detail, err
}

// leave writes the package and what is known of it. Nothing else is in the artifact:
// the endpoint unpacks it all.
func (p *Processing) leave(f pipeline.Finished) error {
	var zip, artifact bytes.Buffer
	if err := f.Package.Write(&zip); err != nil {
		return err
	}
	if err := WriteArtifact(&artifact, PackageName, zip.Bytes()); err != nil {
		return err
	}
	evaluation, err := json.MarshalIndent(newEvaluation(f), "", " ")
	if err != nil {
		return err
	}
	for name, body := range map[string][]byte{
		p.out("package") + "/" + ArtifactName:    artifact.Bytes(),
		p.out("package") + "/card.json":          f.Package.Card,
		p.out("evaluation") + "/evaluation.json": append(evaluation, '\n'),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Verbs of a processing container, as its entry point names them.
const (
	VerbExtract  = "extract"
	VerbClose    = "close"
	VerbDataset  = "dataset"
	VerbEvaluate = "evaluate"
)

// Run executes a verb and says what came of it. Why it failed is left where
// SageMaker looks for it.
func (p *Processing) Run(ctx context.Context, verb string, o pipeline.RunOptions) (detail string, err error) {
	switch verb {
	case VerbExtract:
		detail, err = p.Extract(ctx)
	case VerbClose:
		detail, err = p.Close(ctx)
	case VerbDataset:
		detail, err = p.Dataset(ctx, o)
	case VerbEvaluate:
		detail, err = p.Evaluate(ctx)
	default:
		err = fmt.Errorf("no step %q: one of %s, %s, %s, %s", verb, VerbExtract, VerbClose, VerbDataset, VerbEvaluate)
	}
	if err != nil {
		err = fmt.Errorf("processing %s: %w", verb, err)
		message := filepath.Join(filepath.Dir(p.Root), "output", "message")
		_ = os.MkdirAll(filepath.Dir(message), 0o755)
		_ = os.WriteFile(message, []byte(err.Error()), 0o644) // the error itself is returned
	}
	return detail, err
}

// ShapeOf reads boosters with their classes, as the dataset step is told them:
// traffic/actor/60=normal,scan.
func ShapeOf(boosters []string) (pipeline.Shape, error) {
	if len(boosters) == 0 {
		return nil, nil
	}
	shape := pipeline.Shape{}
	for _, text := range boosters {
		name, classes, ok := strings.Cut(text, "=")
		id, err := picket.ParseBoosterID(name)
		if err != nil {
			return nil, err
		}
		shape[id] = strings.Split(classes, ",")
		if !ok || len(shape[id]) < 2 || shape[id][0] != picket.ClassNormal {
			return nil, fmt.Errorf("booster %.80q: want BOOSTER=normal,CLASS…", text)
		}
	}
	return shape, nil
}

package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"picket"
	"picket/pipeline/train"
)

// Snapshot describes a dataset in datasets/: what was learned from, byte by byte.
type Snapshot struct {
	ID     string            `json:"id"` // hash of the files
	Counts train.Counts      `json:"counts"`
	Split  string            `json:"split"` // the rule, in words
	Files  map[string]string `json:"files"` // SHA-256 by name
}

// PutDataset writes split datasets for each booster: the splits that have rows as
// Parquet, and as the CSV that the built-in XGBoost reads (no header, the class's
// number first, its weight second), beside columns.json, which carries the names.
// The key is the hash of it all.
func (p *Pipeline) PutDataset(ctx context.Context, sets []*picket.Dataset, counts train.Counts, split string) (Snapshot, error) {
	folder, err := os.MkdirTemp(p.deps.TempDir, "picket-dataset-*")
	if err != nil {
		return Snapshot{}, err
	}
	defer os.RemoveAll(folder)
	s := Snapshot{Counts: counts, Split: split, Files: map[string]string{}}
	for _, set := range sets {
		if err := s.write(folder, set); err != nil {
			return s, err
		}
	}
	manifest, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, err
	}
	s.ID = digest(string(manifest))
	prefix := picket.DatasetsPrefix + s.ID + "/"
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		if err := p.putFile(ctx, prefix+name, filepath.Join(folder, name)); err != nil {
			return s, err
		}
	}
	return s, putOnce(ctx, p.deps.Bucket, prefix+"dataset.json", bytes.NewReader(manifest))
}

func (p *Pipeline) putFile(ctx context.Context, key, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return putOnce(ctx, p.deps.Bucket, key, f)
}

// write writes the files of one dataset into a folder and notes their hashes.
func (s *Snapshot) write(folder string, set *picket.Dataset) error {
	booster := strings.ReplaceAll(set.Booster.String(), "/", "-")
	if err := os.Mkdir(filepath.Join(folder, booster), 0o755); err != nil {
		return err
	}
	err := s.file(folder, booster+"/columns.json", func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"classes": set.Classes, "schema": set.Schema})
	})
	if err != nil {
		return err
	}
	for _, split := range []string{picket.SplitTrain, picket.SplitValidation, picket.SplitCalibration, picket.SplitTest} {
		if !slices.ContainsFunc(set.Examples, func(e picket.Example) bool { return e.Split == split }) {
			continue
		}
		err := errors.Join(
			s.file(folder, booster+"/"+split+".csv", func(w io.Writer) error { return train.WriteCSV(w, set, split, true) }),
			s.file(folder, booster+"/"+split+".parquet", func(w io.Writer) error { return train.WriteParquet(w, set, split) }))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Snapshot) file(folder, name string, write func(io.Writer) error) error {
	f, err := os.Create(filepath.Join(folder, name))
	if err != nil {
		return err
	}
	h := sha256.New()
	if err := errors.Join(write(io.MultiWriter(f, h)), f.Close()); err != nil {
		return err
	}
	s.Files[name] = hex.EncodeToString(h.Sum(nil))
	return nil
}

// PutLabels writes a label file to labels/ under the hash of its content.
func (p *Pipeline) PutLabels(ctx context.Context, author string, labels []picket.Label) error {
	var body bytes.Buffer
	if err := train.WriteLabels(&body, labels); err != nil {
		return err
	}
	key := picket.LabelsPrefix + author + "/" + digest(body.String()) + ".csv"
	return putOnce(ctx, p.deps.Bucket, key, &body)
}

// Labels reads every label file of the bucket.
func (p *Pipeline) Labels(ctx context.Context) ([]picket.Label, error) {
	var all []picket.Label
	for info, err := range p.deps.Bucket.List(ctx, picket.LabelsPrefix, "") {
		if err != nil {
			return nil, err
		}
		if path.Ext(info.Key) != ".csv" {
			continue
		}
		r, _, err := p.deps.Bucket.Get(ctx, info.Key)
		if err != nil {
			return nil, err
		}
		labels, err := readLabels(r, info.Key)
		if err != nil {
			return nil, err
		}
		all = append(all, labels...)
	}
	return all, nil
}

func readLabels(r io.ReadCloser, name string) ([]picket.Label, error) {
	defer r.Close()
	labels, err := train.ReadLabels(r, name)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	return labels, nil
}

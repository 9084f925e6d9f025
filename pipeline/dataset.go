package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
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

// PutDataset writes split datasets as the built-in XGBoost reads them: for each
// booster and split a CSV without a header, the class's number first and its weight second, beside
// columns.json, which alone carries the names. The key is the hash of it all.
func (p *Pipeline) PutDataset(ctx context.Context, sets []*picket.Dataset, counts train.Counts, split string) (Snapshot, error) {
	files := map[string][]byte{}
	for _, set := range sets {
		folder := strings.ReplaceAll(set.Booster.String(), "/", "-")
		columns, err := json.MarshalIndent(map[string]any{"classes": set.Classes, "schema": set.Schema}, "", "  ")
		if err != nil {
			return Snapshot{}, err
		}
		files[folder+"/columns.json"] = append(columns, '\n')
		for _, name := range []string{picket.SplitTrain, picket.SplitValidation, picket.SplitCalibration, picket.SplitTest} {
			var rows bytes.Buffer
			if err := train.WriteCSV(&rows, set, name, true); err != nil {
				return Snapshot{}, err
			}
			files[folder+"/"+name+".csv"] = rows.Bytes()
		}
	}
	s := Snapshot{Counts: counts, Split: split, Files: map[string]string{}}
	for name, body := range files {
		sum := sha256.Sum256(body)
		s.Files[name] = hex.EncodeToString(sum[:])
	}
	manifest, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, err
	}
	s.ID = digest(string(manifest))
	prefix := picket.DatasetsPrefix + s.ID + "/"
	for name, body := range files {
		if err := putOnce(ctx, p.deps.Bucket, prefix+name, bytes.NewReader(body)); err != nil {
			return s, err
		}
	}
	return s, putOnce(ctx, p.deps.Bucket, prefix+"dataset.json", bytes.NewReader(manifest))
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

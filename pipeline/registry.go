package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"picket"
	"picket/pipeline/train"
	"picket/store"
)

const stagesKey = picket.ModelsPrefix + "stages.json"

func modelKey(id string) string { return picket.ModelsPrefix + id + ".zip" }

// ErrNoModel is returned where no model has the stage that was asked for.
var ErrNoModel = errors.New("no such model in the registry")

// PutModel writes a package to the registry: models/ID.zip. It has no stage yet.
func (p *Pipeline) PutModel(ctx context.Context, pkg *train.Package) error {
	var body bytes.Buffer
	if err := pkg.Write(&body); err != nil {
		return err
	}
	return putOnce(ctx, p.deps.Bucket, modelKey(pkg.Model.ID), &body)
}

// PutModelFile writes a package to the registry as it stands in a file, byte by byte: one
// that an older version wrote keeps its id.
func (p *Pipeline) PutModelFile(ctx context.Context, file []byte) (*train.Package, error) {
	pkg, err := train.ReadPackage(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	return pkg, putOnce(ctx, p.deps.Bucket, modelKey(pkg.Model.ID), bytes.NewReader(file))
}

// ModelFile returns the file of a package of the registry, by its whole id.
func (p *Pipeline) ModelFile(ctx context.Context, id string) ([]byte, error) {
	r, _, err := p.deps.Bucket.Get(ctx, modelKey(id))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Model reads a package of the registry by its id, or by a prefix of it that no
// other package has.
func (p *Pipeline) Model(ctx context.Context, id string) (*train.Package, error) {
	full, err := p.modelID(ctx, id)
	if err != nil {
		return nil, err
	}
	r, _, err := p.deps.Bucket.Get(ctx, modelKey(full))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("model %q: %w", full, ErrNoModel)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	pkg, err := train.ReadPackage(r)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", full, err)
	}
	return pkg, nil
}

func (p *Pipeline) modelID(ctx context.Context, prefix string) (string, error) {
	if len(prefix) == 2*sha256.Size {
		return prefix, nil
	}
	ids, err := p.Models(ctx)
	if err != nil {
		return "", err
	}
	var found []string
	for _, id := range ids {
		if strings.HasPrefix(id, prefix) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("model %q: %w", prefix, ErrNoModel)
	}
	return "", fmt.Errorf("model %q: %d models begin so", prefix, len(found))
}

// Models returns the ids of all packages.
func (p *Pipeline) Models(ctx context.Context) ([]string, error) {
	var ids []string
	for info, err := range p.deps.Bucket.List(ctx, picket.ModelsPrefix, "") {
		if err != nil {
			return nil, err
		}
		if id, ok := strings.CutSuffix(strings.TrimPrefix(info.Key, picket.ModelsPrefix), ".zip"); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Stages returns which model has which stage.
func (p *Pipeline) Stages(ctx context.Context) (train.Stages, error) {
	stages, _, err := p.stages(ctx)
	return stages, err
}

func (p *Pipeline) stages(ctx context.Context) (train.Stages, string, error) {
	var stages train.Stages
	r, info, err := p.deps.Bucket.Get(ctx, stagesKey)
	if errors.Is(err, fs.ErrNotExist) {
		return stages, "", nil
	}
	if err != nil {
		return stages, "", err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return stages, "", err
	}
	return stages, info.ETag, json.Unmarshal(body, &stages)
}

// stageTries bounds how often a lost race is run again.
const stageTries = 20

// ChangeStages applies a transition to stages.json: read, change, write if nobody
// else has; who loses the race reads again.
func (p *Pipeline) ChangeStages(ctx context.Context, change func(train.Stages) (train.Stages, error)) (train.Stages, error) {
	for range stageTries {
		before, etag, err := p.stages(ctx)
		if err != nil {
			return before, err
		}
		after, err := change(before)
		if err != nil {
			return before, err
		}
		body, err := json.MarshalIndent(after, "", "  ")
		if err != nil {
			return before, err
		}
		condition := store.IfAbsent
		if etag != "" {
			condition = store.IfMatch(etag)
		}
		_, err = p.deps.Bucket.Put(ctx, stagesKey, bytes.NewReader(append(body, '\n')), condition)
		if !errors.Is(err, store.ErrPrecondition) {
			return after, err
		}
	}
	return train.Stages{}, fmt.Errorf("%s: lost the race %d times", stagesKey, stageTries)
}

// LiveModel returns the package whose stage is live.
func (p *Pipeline) LiveModel(ctx context.Context) (*train.Package, error) {
	stages, err := p.Stages(ctx)
	if err != nil {
		return nil, err
	}
	if stages.Live == "" {
		return nil, ErrNoModel
	}
	return p.Model(ctx, stages.Live)
}

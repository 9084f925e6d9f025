package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
	"picket/store"
)

// eventExt is how the key of a finding's event ends.
const eventExt = ".json"

// putFinding writes one event of a finding. It reports false where the same
// event was written before.
func (p *Pipeline) putFinding(ctx context.Context, day int64, f *picket.Finding) (bool, error) {
	line, err := triage.Encoder{Version: p.deps.Version}.Encode(f)
	if err != nil {
		return false, err
	}
	key := fmt.Sprintf("%s%s/%06d-%s%s", findingsPrefix(day), f.UID, f.Count, digest(triage.EventUID(f)), eventExt)
	_, err = p.deps.Bucket.Put(ctx, key, bytes.NewReader(append(line, '\n')), store.IfAbsent)
	if errors.Is(err, store.ErrPrecondition) {
		return false, nil
	}
	return err == nil, err
}

// Findings returns every event of the findings of one UTC day.
func (p *Pipeline) Findings(ctx context.Context, day int64) ([]picket.Finding, error) {
	return p.findings(ctx, findingsPrefix(day))
}

// LatestFinding returns the newest event of the finding whose uid begins so. None
// is fs.ErrNotExist.
func (p *Pipeline) LatestFinding(ctx context.Context, uid string) (picket.Finding, error) {
	all, err := p.findings(ctx, picket.FindingsPrefix)
	if err != nil {
		return picket.Finding{}, err
	}
	found := slices.DeleteFunc(triage.Latest(all), func(f picket.Finding) bool { return !strings.HasPrefix(f.UID, uid) })
	switch {
	case len(found) == 0:
		return picket.Finding{}, fmt.Errorf("finding %q: %w", uid, fs.ErrNotExist)
	case len(found) > 1:
		return picket.Finding{}, fmt.Errorf("%d findings begin with %q", len(found), uid)
	}
	return found[0], nil
}

// LatestFindings returns the newest event of every finding, the newest first.
func (p *Pipeline) LatestFindings(ctx context.Context) ([]picket.Finding, error) {
	all, err := p.findings(ctx, picket.FindingsPrefix)
	if err != nil {
		return nil, err
	}
	latest := triage.Latest(all)
	slices.Reverse(latest)
	return latest, nil
}

// Conversations returns the largest conversations of the window behind a finding.
func (p *Pipeline) Conversations(ctx context.Context, f picket.Finding, limit int) ([]extract.ConversationRow, error) {
	proofs, err := p.proofs(ctx, windowSlot(f.Window()), []picket.Window{f.Window()}, limit)
	if err != nil {
		return nil, err
	}
	return proofs[0].Rows, nil
}

func (p *Pipeline) findings(ctx context.Context, prefix string) ([]picket.Finding, error) {
	var keys []string
	for info, err := range p.deps.Bucket.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		if path.Ext(info.Key) == eventExt {
			keys = append(keys, info.Key)
		}
	}
	return fetch(ctx, keys, func(ctx context.Context, key string) (picket.Finding, error) {
		f, err := p.readFinding(ctx, key)
		if err != nil {
			err = fmt.Errorf("%s: %w", key, err)
		}
		return f, err
	})
}

func (p *Pipeline) readFinding(ctx context.Context, key string) (picket.Finding, error) {
	r, _, err := p.deps.Bucket.Get(ctx, key)
	if err != nil {
		return picket.Finding{}, err
	}
	defer r.Close()
	line, err := io.ReadAll(r)
	if err != nil {
		return picket.Finding{}, err
	}
	return triage.Decode(line)
}

// Days returns the UTC days that have features.
func (p *Pipeline) Days(ctx context.Context) ([]int64, error) {
	days := map[int64]bool{}
	for info, err := range p.deps.Bucket.List(ctx, picket.FeaturesPrefix, "") {
		if err != nil {
			return nil, err
		}
		s, _, err := featuresSlot(info.Key)
		if err != nil {
			return nil, err
		}
		days[s.day().Start] = true
	}
	return slices.Sorted(maps.Keys(days)), nil
}

package pipeline

import (
	"bytes"
	"context"
	"io"
	"path"
	"slices"
	"strings"

	"picket"
	"picket/pipeline/triage"
)

// Others are told of an event of a finding once it is written, never before: whatever
// they know is in the bucket. A mark, an empty object of the event's name, says that
// they were. A process that dies between the two leaves an event without a mark, and
// whoever detects that day next tells it: at least once, each time the same bytes
// under the same uid.
const toldPrefix = picket.FindingsPrefix + "told/"

// tellAtOnce bounds how much is told again where a process dies in the middle.
const tellAtOnce = 100

// announce tells of each event of a day that has no mark. An old event that was missed
// brings the newest one of its finding along, behind it: who keeps one state for each
// finding ends with that.
func (p *Pipeline) announce(ctx context.Context, day int64) error {
	if p.deps.Tell == nil {
		return nil
	}
	written, err := p.eventNames(ctx, picket.FindingsPrefix, day)
	if err != nil || len(written) == 0 {
		return err
	}
	marks, err := p.eventNames(ctx, toldPrefix, day)
	if err != nil {
		return err
	}
	told := map[string]bool{}
	for _, name := range marks {
		told[name] = true
	}
	for names := range slices.Chunk(untold(written, told), tellAtOnce) {
		if err := p.announceSome(ctx, names); err != nil {
			return err
		}
	}
	return nil
}

// eventNames returns DAY/UID/EVENT of the events of a day below a prefix, those of one
// finding together, the oldest first: the order of their keys.
func (p *Pipeline) eventNames(ctx context.Context, prefix string, day int64) ([]string, error) {
	var names []string
	below := strings.TrimPrefix(findingsPrefix(day), picket.FindingsPrefix)
	for info, err := range p.deps.Bucket.List(ctx, prefix+below, "") {
		if err != nil {
			return nil, err
		}
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(info.Key, prefix), eventExt))
	}
	return names, nil
}

// untold returns the events without a mark, and behind those of a finding its newest.
func untold(written []string, told map[string]bool) []string {
	var names []string
	missed := false // of the finding at hand
	for i, name := range written {
		missed = missed || !told[name]
		last := i+1 == len(written) || path.Dir(written[i+1]) != path.Dir(name)
		if !told[name] || last && missed {
			names = append(names, name)
		}
		missed = missed && !last
	}
	return names
}

func (p *Pipeline) announceSome(ctx context.Context, names []string) error {
	events, err := fetch(ctx, names, p.event)
	if err != nil {
		return err
	}
	if err := p.deps.Tell(ctx, events); err != nil {
		return err
	}
	for _, name := range names {
		if err := putOnce(ctx, p.deps.Bucket, toldPrefix+name, bytes.NewReader(nil)); err != nil {
			return err
		}
	}
	return nil
}

// event reads an event as it was written.
func (p *Pipeline) event(ctx context.Context, name string) (Event, error) {
	r, _, err := p.deps.Bucket.Get(ctx, picket.FindingsPrefix+name+eventExt)
	if err != nil {
		return Event{}, err
	}
	defer r.Close()
	line, err := io.ReadAll(r)
	if err != nil {
		return Event{}, err
	}
	f, err := triage.Decode(line)
	return Event{Finding: f, UID: triage.EventUID(&f), OCSF: bytes.TrimSuffix(line, []byte("\n"))}, err
}

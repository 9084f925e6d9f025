package pipeline

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// lists are an organisation's own lists of names, kept in files that are read
// again when they change. A file that cannot be read, or has a line that is wrong,
// is logged once, and what it last held stays.
type lists struct {
	mu      sync.Mutex
	brands  listFile[*extract.Brands]
	allowed listFile[map[string]bool]
	tagged  map[ListFile]*listFile[*entries]
	places  map[string]*listFile[*maxminddb.Reader]
}

// ListFile is a list of the user's with its tag; see triage.ListTags.
type ListFile struct {
	Tag  string `json:"tag" yaml:"tag"`
	Path string `json:"path" yaml:"path"` // addresses, networks and names, one a line
}

// Validate says what is wrong with a list.
func (l ListFile) Validate() error {
	if !slices.Contains(triage.ListTags(), l.Tag) {
		return fmt.Errorf("tag %q is not one of %s", l.Tag, strings.Join(triage.ListTags(), ", "))
	}
	if l.Path == "" {
		return fmt.Errorf("list of tag %s has no path", l.Tag)
	}
	return nil
}

// byTag are the user's lists as they are now, and a name for their state.
type byTag struct {
	lists   map[string][]*entries
	places  places
	version string
}

// loadTagged reads those of the user's lists that have changed.
func (p *Pipeline) loadTagged() byTag {
	now := byTag{lists: map[string][]*entries{}}
	if len(p.cfg.Lists)+len(p.cfg.Places) == 0 {
		return now
	}
	p.lists.mu.Lock()
	defer p.lists.mu.Unlock()
	if p.lists.tagged == nil {
		p.lists.tagged = map[ListFile]*listFile[*entries]{}
	}
	var state []string
	for _, l := range p.cfg.Lists {
		f := p.lists.tagged[l]
		if f == nil {
			f = &listFile[*entries]{}
			p.lists.tagged[l] = f
		}
		if e := load(p, f, l.Tag+" "+filepath.Base(l.Path), l.Path, readEntries); e != nil {
			now.lists[l.Tag] = append(now.lists[l.Tag], e)
		}
		state = append(state, l.Tag, l.Path, f.modified.String(), strconv.FormatInt(f.size, 10))
	}
	for _, path := range p.cfg.Places {
		f := p.lists.places[path]
		if f == nil {
			f = &listFile[*maxminddb.Reader]{}
			if p.lists.places == nil {
				p.lists.places = map[string]*listFile[*maxminddb.Reader]{}
			}
			p.lists.places[path] = f
		}
		if db := load(p, f, "places "+filepath.Base(path), path, readPlaces); db != nil {
			now.places = append(now.places, db)
		}
		state = append(state, path, f.modified.String(), strconv.FormatInt(f.size, 10))
	}
	now.version = digest(state...)
	return now
}

// has reports whether a list of a tag has an entity's id.
func (b *byTag) has(tag, id string) bool {
	return slices.ContainsFunc(b.lists[tag], func(e *entries) bool { return e.has(id) })
}

// tags returns the tags of what is bad under which an address is listed. One's own
// and what is allowed is under none.
func (b *byTag) tags(a netip.Addr) (tags []string) {
	for tag, lists := range b.lists {
		if tag != triage.TagOwn && tag != triage.TagAllow && slices.ContainsFunc(lists, func(e *entries) bool { return e.hasAddress(a) }) {
			tags = append(tags, tag)
		}
	}
	if len(tags) > 0 && (b.address(triage.TagOwn, a) || b.address(triage.TagAllow, a)) {
		return nil
	}
	slices.Sort(tags)
	return tags
}

func (b *byTag) address(tag string, a netip.Addr) bool {
	return slices.ContainsFunc(b.lists[tag], func(e *entries) bool { return e.hasAddress(a) })
}

// inside reports whether an address is one of the organisation's: on its list where
// it has one, else private.
func (b *byTag) inside(a netip.Addr) bool {
	if len(b.lists[triage.TagOwn]) > 0 {
		return b.address(triage.TagOwn, a)
	}
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

// listFile is one file with what was read of it.
type listFile[T any] struct {
	size     int64
	modified time.Time
	failed   string // what was logged last
	value    T
	read     bool
}

// load returns what the file holds now; kind names the list, for log and metrics.
func load[T any](p *Pipeline, f *listFile[T], kind, path string, parse func(io.Reader) (T, int, error)) T {
	info, err := os.Stat(path)
	if err == nil && f.read && info.Size() == f.size && info.ModTime().Equal(f.modified) {
		return f.value
	}
	var value T
	n := 0
	if err == nil {
		value, n, err = parseFile(path, parse)
	}
	if err != nil {
		if f.failed != err.Error() {
			f.failed = err.Error()
			p.deps.Log.Warn("list not read", "list", kind, "path", path, "error", err)
			p.deps.Metrics.Error("lists")
		}
		return f.value
	}
	*f = listFile[T]{size: info.Size(), modified: info.ModTime(), value: value, read: true}
	p.deps.Log.Info("list read", "list", kind, "path", path, "entries", n)
	p.deps.Metrics.List(kind, n)
	return value
}

func parseFile[T any](path string, parse func(io.Reader) (T, int, error)) (value T, n int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return value, 0, err
	}
	defer file.Close()
	value, n, err = parse(file)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return value, n, err
}

// brands returns the names that must not be imitated: those that ship and, where
// the organisation has a list, its own.
func (p *Pipeline) brands() *extract.Brands {
	if p.cfg.Brands == "" {
		return extract.DefaultBrands()
	}
	p.lists.mu.Lock()
	defer p.lists.mu.Unlock()
	own := load(p, &p.lists.brands, "brands", p.cfg.Brands, func(r io.Reader) (*extract.Brands, int, error) {
		b, err := extract.DefaultBrands().With(r)
		if err != nil {
			return nil, 0, err
		}
		return b, b.Len() - extract.DefaultBrands().Len(), nil
	})
	if own == nil {
		return extract.DefaultBrands()
	}
	return own
}

// allow drops the alerts on addresses and names that the organisation's lists allow.
func (p *Pipeline) allow(alerts []triage.Alert) []triage.Alert {
	var names map[string]bool
	if p.cfg.AllowedNames != "" {
		p.lists.mu.Lock()
		names = load(p, &p.lists.allowed, "allowed names", p.cfg.AllowedNames, readNames)
		p.lists.mu.Unlock()
	}
	lists := p.loadTagged()
	if names == nil && len(lists.lists[triage.TagAllow]) == 0 {
		return alerts
	}
	kept := make([]triage.Alert, 0, len(alerts))
	for _, a := range alerts {
		switch {
		case a.Entity.Kind == picket.KindName && covers(names, a.Entity.ID):
			p.deps.Metrics.Dropped("triage", "allowed name", 1)
		case a.Entity.Kind != picket.KindPrincipal && lists.has(triage.TagAllow, a.Entity.ID):
			p.deps.Metrics.Dropped("triage", "allowed", 1)
		default:
			kept = append(kept, a)
		}
	}
	return kept
}

// covers reports whether a list has the name or a domain that it is below of.
func covers(names map[string]bool, host string) bool {
	for ok := true; ok; _, host, ok = strings.Cut(host, ".") {
		if names[host] {
			return true
		}
	}
	return false
}

// readNames reads names, one a line; # begins a comment.
func readNames(r io.Reader) (map[string]bool, int, error) {
	names := map[string]bool{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		name, err := extract.ParseName(text)
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %q: %w", n, text, err)
		}
		names[name.Host] = true
	}
	return names, len(names), lines.Err()
}

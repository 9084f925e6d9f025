package pipeline

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

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

// allow drops the alerts on names that the organisation's list allows.
func (p *Pipeline) allow(alerts []triage.Alert) []triage.Alert {
	if p.cfg.AllowedNames == "" {
		return alerts
	}
	p.lists.mu.Lock()
	allowed := load(p, &p.lists.allowed, "allowed names", p.cfg.AllowedNames, readNames)
	p.lists.mu.Unlock()
	kept := make([]triage.Alert, 0, len(alerts))
	for _, a := range alerts {
		if a.Entity.Kind == picket.KindName && covers(allowed, a.Entity.ID) {
			p.deps.Metrics.Dropped("triage", "allowed name", 1)
			continue
		}
		kept = append(kept, a)
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

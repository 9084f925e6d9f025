package pipeline

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/train"
	"picket/pipeline/triage"
	"picket/simulate"
	"picket/store"
)

// shippedModel is the package of the binary, which judges flows and names here.
var shippedModel = sync.OnceValues(func() (Serving, error) {
	f, err := os.Open("../cmd/picket/default/model.zip")
	if err != nil {
		return Serving{}, err
	}
	defer f.Close()
	pkg, err := train.ReadPackage(f)
	if err != nil {
		return Serving{}, err
	}
	return ServePackage(pkg)
})

// network begins the scripts of these tests: a small network, ten minutes of it.
const network = "seed 4711\nstart 2026-03-02T09:00:00Z\nduration 12m\nnetwork 10.40.0.0/22 hosts 12 servers 8\nvolume 0.2\nfrom 00:00 for 12m benign office level 0.4\n"

// flowsSay returns the findings of the shipped model on a simulated flow log.
func flowsSay(t *testing.T, lines ...string) ([]picket.Finding, []simulate.Truth) {
	t.Helper()
	script, err := simulate.ParseScript(strings.NewReader(network + strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	p := New(Default(), Deps{Bucket: store.NewMemory(nil), Now: time.Now, TempDir: t.TempDir()})
	b := newBuilders(extract.Options{TempDir: t.TempDir()})
	defer b.Close()
	sum, err := simulate.Records(ctx, script, "vpc5", b.Add)
	if err == nil {
		err = p.finish(ctx, &Ingested{Object: "coverage", Version: "1"}, b)
	}
	if err == nil {
		err = p.Close(ctx, true, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return modelSays(t, p), sum.Labels
}

// modelSays returns the findings of the shipped model on all days of a bucket.
func modelSays(t *testing.T, p *Pipeline) []picket.Finding {
	t.Helper()
	ctx := context.Background()
	s, err := shippedModel()
	if err != nil {
		t.Fatal(err)
	}
	days, err := p.Days(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var all []picket.Finding
	for _, day := range days {
		d, err := p.Detect(ctx, s.Model, s.Scorer, day)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d.Events...)
	}
	return all
}

// namesSay returns the findings of the shipped model on lookups.
func namesSay(t *testing.T, lines ...string) []picket.Finding {
	t.Helper()
	p := New(Default(), Deps{Bucket: store.NewMemory(nil), Now: func() time.Time { return nine.Add(3 * time.Hour) }, TempDir: t.TempDir()})
	take(t, p, resolver("raw/lookups.log", lines...))
	if err := p.Close(context.Background(), true, func([]Closed) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return modelSays(t, p)
}

// classed reports whether a finding of a class is there, and, with truths, that one
// of them names a side of an attack.
func classed(found []picket.Finding, class string, truths []simulate.Truth) bool {
	return slices.ContainsFunc(found, func(f picket.Finding) bool {
		return f.Class == class && (truths == nil || slices.ContainsFunc(truths, func(t simulate.Truth) bool {
			return t.Attack != nil && (f.Entity.ID == t.Entity.ID || slices.Contains(f.Others, t.Entity.ID))
		}))
	})
}

// floodOf is a flow log in which one host drowns another for eight minutes, by the
// packets that it sends a minute, amid what an office does.
func floodOf(proto, port, sources, packets int) string {
	var b strings.Builder
	for minute := range 8 {
		at := nine.Add(time.Duration(minute) * time.Minute).Unix()
		for i := range sources {
			fmt.Fprintf(&b, "2 123456789010 eni-1 10.0.0.9 198.51.100.7 %d %d %d %d %d %d %d ACCEPT OK\n", (1024+37*i*minute%60000)*boolIndex(port > 0), port, proto, packets, 1000*packets, at, at+58)
		}
	}
	return b.String()
}

func logSays(t *testing.T, log string) []picket.Finding {
	t.Helper()
	p := New(Default(), Deps{Bucket: store.NewMemory(nil), Now: func() time.Time { return nine.Add(3 * time.Hour) }, TempDir: t.TempDir()})
	take(t, p, rawText("raw/flows.log", nine.Add(2*time.Hour), log))
	if err := p.Close(context.Background(), true, func([]Closed) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return modelSays(t, p)
}

// tunnel is n names below one domain; from 24 letters on they could carry data.
func tunnel(n, letters int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("10.0.0.5 %s.t.tunnel-test.com", (dgaName(i) + dgaName(i+9999) + dgaName(i+77777))[:letters]))
	}
	return lines
}

// generated is n domains of letters by chance, with the code of their answers.
func generated(n int, code string) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("10.0.0.5 %s.com %s", dgaName(i), code))
	}
	return lines
}

// say is what is told of a positive log and of one that looks like it.
type say struct{ positive, benign []picket.Finding }

// byAttack is of a simulated attack, and of a habit that looks like it.
func byAttack(attack, habit string) func(*testing.T) say {
	return func(t *testing.T) say {
		found, truths := flowsSay(t, attack)
		found = slices.DeleteFunc(found, func(f picket.Finding) bool { return !classed([]picket.Finding{f}, f.Class, truths) })
		benign, _ := flowsSay(t, "from 00:00 for 12m benign "+habit)
		return say{found, benign}
	}
}

// byLog is of handmade flow logs.
func byLog(positive, benign string) func(*testing.T) say {
	return func(t *testing.T) say {
		office := browsing(nine, 30)
		return say{logSays(t, office+positive), logSays(t, office+benign)}
	}
}

// byLookups is of handmade resolver logs.
func byLookups(positive, benign []string) func(*testing.T) say {
	return func(t *testing.T) say { return say{namesSay(t, positive...), namesSay(t, benign...)} }
}

// byList is of a raw log with a list of the tag that has what it speaks of, and with a
// list that has something near it.
func byList(tag string, raw Raw, listed, near string) func(*testing.T) say {
	return func(t *testing.T) say {
		return say{listedIn(t, map[string]string{tag: listed}, raw), listedIn(t, map[string]string{tag: near}, raw)}
	}
}

func hashOf(i int) uint64 { return uint64(i+1) * 0x9e3779b97f4a7c15 }

func dgaName(i int) string {
	h := hashOf(i)
	b := make([]byte, 14)
	for j := range b {
		b[j] = 'a' + byte(h>>(j*4)%26)
		h = h*6364136223846793005 + 1
	}
	return string(b)
}

// byHabit says what is unusual where a client does something new in an hour, and where
// it goes on with what it did in every hour of the day before.
func byHabit(positive, usual func(at time.Time) string) func(*testing.T) say {
	says := func(t *testing.T, more func(at time.Time) string) []picket.Finding {
		t.Helper()
		first := nine.Truncate(24 * time.Hour)
		second := first.AddDate(0, 0, 1)
		p := pipelineOver(t, store.NewMemory(nil))
		p.deps.Now = func() time.Time { return second.Add(12 * time.Hour) }
		p.cfg.AnomaliesPerDay = 2 // what "picket up" has by default
		hourly := func(day time.Time, hours int) Raw {
			var b strings.Builder
			for h := range hours {
				b.WriteString(usual(day.Add(time.Duration(h) * time.Hour)))
			}
			return rawText("usual-"+day.Format(dayLayout)+".log", day.Add(24*time.Hour), b.String())
		}
		take(t, p, habits(first, 24), hourly(first, 24))
		turn(t, p)
		take(t, p, habits(second, 12), hourly(second, 12))
		if more != nil {
			take(t, p, rawText("more.log", second.Add(24*time.Hour), more(second.Add(9*time.Hour))))
		}
		turn(t, p)
		events, err := p.Findings(context.Background(), second.Unix())
		if err != nil {
			t.Fatal(err)
		}
		return triage.Latest(events)
	}
	return func(t *testing.T) say { return say{positive: says(t, positive), benign: says(t, nil)} }
}

// portUse is a client that asks its server at a port, once a minute for half an hour.
func portUse(port int) func(at time.Time) string {
	return func(at time.Time) string {
		var b strings.Builder
		for i := range 30 {
			b.WriteString(answered(at.Add(time.Duration(i)*time.Minute), "10.0.1.3", 51000+i, "10.0.0.80", port))
		}
		return b.String()
	}
}

// sent is what a client sends its server in one flow of a minute.
func sent(packets int) func(at time.Time) string {
	return func(at time.Time) string {
		s := at.Unix()
		return fmt.Sprintf("2 123456789010 eni-1 10.0.1.3 10.0.0.80 52000 443 6 %d %d %d %d ACCEPT OK\n", packets, 1400*packets, s, s+50)
	}
}

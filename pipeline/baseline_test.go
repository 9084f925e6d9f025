package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/triage"
	"picket/store"
)

// habits is a day's log in which ten clients ask a web server once in each of so
// many hours.
func habits(day time.Time, hours int) Raw {
	var lines []string
	for h := range hours {
		lines = append(lines, browsing(day.Add(time.Duration(h)*time.Hour), 10))
	}
	return rawText("habits-"+day.Format(dayLayout)+".log", day.Add(24*time.Hour), lines...)
}

// spree is a log in which a client asks n hosts of another network that nobody ever
// asks: no scan to a walker.
func spree(at time.Time, client string, n int) Raw {
	var lines []string
	for i := range n {
		lines = append(lines, flow(at.Add(time.Duration(i)*time.Second), client, 51000+i, fmt.Sprintf("198.51.100.%d", i+1), 6667))
	}
	return rawText("spree-"+client+".log", at.Add(time.Hour), lines...)
}

// TestAnomalies learns a day of habits and then sees two clients do what nobody did.
func TestAnomalies(t *testing.T) {
	ctx := context.Background()
	first := nine.Truncate(24 * time.Hour)
	second := first.AddDate(0, 0, 1)
	site := func(hours int) *Pipeline {
		p := pipelineOver(t, store.NewMemory(nil))
		p.deps.Now = func() time.Time { return second.Add(12 * time.Hour) }
		p.cfg.AnomaliesPerDay = 20
		take(t, p, habits(first, hours))
		turn(t, p)
		take(t, p, habits(second, 12), spree(second.Add(9*time.Hour), "10.0.1.3", 35), spree(second.Add(9*time.Hour), "10.0.1.7", 25))
		take(t, p, rawText("scan.log", second.Add(24*time.Hour), scan(second.Add(10*time.Hour), 100)))
		turn(t, p)
		return p
	}
	f := func(p *Pipeline, day time.Time, class string, want ...string) {
		t.Helper()
		var got []string
		events, err := p.Findings(ctx, day.Unix())
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range triage.Latest(events) {
			if found.Class == class && found.Entity.Kind == picket.KindActor && found.Status != picket.StatusClosed {
				got = append(got, found.Entity.ID)
			}
			if found.Class == picket.ClassAnomaly && (found.Severity > picket.SeverityLow || found.Cut != picket.CutBaseline || found.Confidence > 0.5) {
				t.Errorf("%s: %s, %v, threshold from %s", found.Title, found.Severity, found.Confidence, found.Cut)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s of %s: %v, want %v", class, day.Format(dayLayout), got, want)
		}
	}
	p := site(24)
	f(p, first, picket.ClassAnomaly)
	f(p, second, picket.ClassAnomaly, "10.0.1.3", "10.0.1.7", "203.0.113.9")
	f(p, second, picket.ClassScan, "203.0.113.9") // with a baseline beside it as without
	found := open(t, p, second)["10.0.1.3"]
	if !strings.HasPrefix(found.Title, "Unusual behaviour by 10.0.1.3 towards 10.0.0.80 and 35 others") || !strings.Contains(found.Sentence, "(usual 0)") {
		t.Error(found.Sentence)
	}
	if len(found.Evidence) == 0 {
		t.Error("it rests on no line")
	}

	f(site(23), second, picket.ClassAnomaly) // an hour too few

	// What is sealed stays: neither a late part nor another process moves it.
	before := keys(t, p.deps.Bucket, baselinePrefix)
	again := pipelineOver(t, p.deps.Bucket)
	again.cfg, again.deps.Now = p.cfg, p.deps.Now
	take(t, again, spree(first.Add(9*time.Hour), "10.0.1.3", 35))
	turn(t, again)
	f(again, second, picket.ClassAnomaly, "10.0.1.3", "10.0.1.7", "203.0.113.9")
	if after := keys(t, p.deps.Bucket, baselinePrefix); !slices.Equal(before, after) || len(after) != 2 {
		t.Errorf("baselines %v, then %v", before, after)
	}
}

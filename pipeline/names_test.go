package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/train"
	"picket/pipeline/triage"
	"picket/store"
)

// excerpt is some thousand names of the public lists, split and with what is made
// of them.
func excerpt(t testing.TB) ([]NameExample, NameRecipe) {
	t.Helper()
	listed, _, err := train.ReadNameSets("../testdata/names")
	if err != nil {
		t.Fatal(err)
	}
	r := DefaultNameRecipe()
	r.Forged = 2000
	return Forge(SplitNames(listed, r), r), r
}

// No name is in two splits, no domain that was learned as phishing is tested or
// tuned by, and no harmless domain is in two splits.
func TestNameSplitsApart(t *testing.T) {
	all, _ := excerpt(t)
	hosts, domains := map[string]string{}, map[string]string{}
	counts := map[string]int{}
	for i := range all {
		e := &all[i]
		counts[fmt.Sprint(e.Split, e.Phishing)]++
		if s, ok := hosts[e.Host]; ok && s != e.Split {
			t.Errorf("%s is in %s and %s", e.Host, s, e.Split)
		}
		hosts[e.Host] = e.Split
		if e.Source == sourceForged || e.Hosting != "" && !e.Phishing {
			continue
		}
		key := fmt.Sprint(e.Phishing, e.Registrable)
		if s, ok := domains[key]; ok && s != e.Split {
			t.Errorf("%s is in %s and %s", key, s, e.Split)
		}
		domains[key] = e.Split
	}
	for _, split := range splitOrder {
		if counts[split+"true"] < 20 || counts[split+"false"] < 50 {
			t.Errorf("%s: %d phishing, %d harmless names", split, counts[split+"true"], counts[split+"false"])
		}
	}
}

// Later names test earlier ones.
func TestNameSplitsByTime(t *testing.T) {
	listed := func(text, day string) train.ListedName {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		return train.ListedName{Text: text, Source: train.SourcePolkadot, Phishing: true, Unix: at.Unix()}
	}
	r := DefaultNameRecipe()
	got := map[string]string{}
	for _, e := range SplitNames([]train.ListedName{
		listed("a.one.top", "2024-08-31"), listed("b.one.top", "2025-03-01"), listed("two.top", "2024-09-01"),
		listed("three.top", "2025-01-01"), listed("a.one.top", "2025-01-02"),
	}, r) {
		got[e.Host] = e.Split
	}
	if got["a.one.top"] != picket.SplitTrain || got["b.one.top"] != "" || got["three.top"] != picket.SplitTest ||
		got["two.top"] != picket.SplitValidation && got["two.top"] != picket.SplitCalibration {
		t.Errorf("%v", got)
	}
}

// Letter runs and priors know nothing but the training part, and never a brand's own.
func TestLexiconKnowsTrainingAlone(t *testing.T) {
	all, r := excerpt(t)
	bytesOf := func(examples []NameExample) []byte {
		var b bytes.Buffer
		if err := LearnLexicon(TrainPart(examples), r.Seed).Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	want := bytesOf(all)
	others := slices.Clone(all)
	for i := range others {
		if others[i].Split != picket.SplitTrain || others[i].Owned {
			others[i].Phishing = !others[i].Phishing
			others[i].Name, _ = extract.ParseName(fmt.Sprintf("changed%d.example.com", i))
		}
	}
	if !bytes.Equal(bytesOf(others), want) {
		t.Error("names of other splits change the lexicon")
	}
	others = slices.Clone(all)
	others[slices.IndexFunc(others, func(e NameExample) bool { return e.Split == picket.SplitTrain && !e.Owned })].Phishing = true
	others[0].Weight *= 2
	if bytes.Equal(bytesOf(others), want) {
		t.Error("names of the training part do not change it")
	}
}

// A booster of some thousand names tells most of the rest, and with its labels
// mixed up it tells nothing.
func TestLearnNames(t *testing.T) {
	all, r := excerpt(t)
	figure := func(all []NameExample) NameFigure {
		lexicon := LearnLexicon(TrainPart(all), r.Seed)
		_, scores, err := LearnNames(context.Background(), all, lexicon, r, Learning{
			Name: "names", Options: train.Options{Params: map[string]string{"num_round": "40"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		every := func(*NameExample) bool { return true }
		return scores.Figure("all", "all", every, every)
	}
	if f := figure(all); f.AUC < 0.9 || f.Recall1 < 0.2 {
		t.Errorf("%+v", f)
	}
	mixed := slices.Clone(all)
	for i := range mixed {
		if mixed[i].Split != picket.SplitTest {
			mixed[i].Phishing = hash01("mixed "+mixed[i].Registrable, 1) < 0.5
		}
	}
	if f := figure(mixed); f.AUC < 0.35 || f.AUC > 0.65 {
		t.Errorf("learned from mixed labels: %+v", f)
	}
}

// scorerOf says that the names of a set phish.
type scorerOf map[string]bool

func (s scorerOf) Score(_ context.Context, rows []picket.Features, _ bool) ([]picket.Score, error) {
	scores := make([]picket.Score, len(rows))
	for i := range rows {
		p := 0.01
		if s[rows[i].Entity.ID] {
			p = 0.99
		}
		scores[i] = picket.Score{Features: rows[i], Booster: picket.BoosterOf(picket.DetectorPhishing, &rows[i]),
			Classes: picket.ClassesOf(picket.DetectorPhishing), Probabilities: []float64{1 - p, p}, Malicious: p, Margin: 10*p - 5}
		if rows[i].Entity.Kind != picket.KindName {
			scores[i].Classes = nil
		}
	}
	return scores, nil
}

// A name in a resolver log becomes a finding that says whom it imitates, who asked
// and whether a connection followed; the organisation's lists are read again when
// they change.
func TestNamesToFindings(t *testing.T) {
	ctx := context.Background()
	folder := t.TempDir()
	cfg := Default()
	cfg.Brands, cfg.AllowedNames = filepath.Join(folder, "brands"), filepath.Join(folder, "allowed")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(cfg.Brands, "acmeworks acmeworks.com\n")
	bucket := store.NewMemory(nil)
	p := New(cfg, Deps{Bucket: bucket, Now: func() time.Time { return time.Unix(1_709_300_000, 0) }})
	take := func(key, body string) {
		t.Helper()
		in, err := p.Ingest(ctx, Raw{Key: key, Modified: time.Unix(1_709_290_000, 0), Size: int64(len(body)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }})
		if err != nil || in.Error != "" {
			t.Fatal(in, err)
		}
	}
	take("dns.log", `{"query_timestamp":"2024-03-01T09:00:05Z","query_name":"login-acmeworks.top.","query_type":"A","rcode":"NOERROR","answers":[{"Rdata":"192.0.2.7","Type":"A"}],"srcaddr":"10.0.1.5","srcport":"5","transport":"UDP"}
{"query_timestamp":"2024-03-01T09:00:06Z","query_name":"fine.example.org.","query_type":"A","rcode":"NOERROR","srcaddr":"10.0.1.6","srcport":"5","transport":"UDP"}
{"query_timestamp":"2024-03-01T09:00:07Z","query_name":"www.allowed.com.","query_type":"A","rcode":"NOERROR","srcaddr":"10.0.1.6","srcport":"5","transport":"UDP"}
{"query_timestamp":"2024-03-01T09:00:07Z","query_name":"www.acmeworks.com.edgekey.net.","query_type":"A","rcode":"NOERROR","srcaddr":"10.0.1.6","srcport":"5","transport":"UDP"}
{"query_timestamp":"2024-03-01T09:00:08Z","query_name":"acmevvorks.com.","query_type":"A","rcode":"NOERROR","srcaddr":"10.0.1.6","srcport":"5","transport":"UDP"}
{"query_timestamp":"2024-03-01T09:00:08Z","query_name":"www.g00gle.com.allowed.com.","query_type":"A","rcode":"NOERROR","srcaddr":"10.0.1.6","srcport":"5","transport":"UDP"}
`)
	take("flows.log", "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"+
		"2 1 eni-1 10.0.1.5 192.0.2.7 50000 443 6 5 400 1709283610 1709283660 ACCEPT OK\n")
	if err := p.Close(ctx, true, nil); err != nil {
		t.Fatal(err)
	}
	scorer := scorerOf{"login-acmeworks.top": true, "www.allowed.com": true, "www.acmeworks.com.edgekey.net": true}
	detect := func() []picket.Finding {
		t.Helper()
		d, err := p.Detect(ctx, &picket.Model{ID: "m"}, scorer, 1_709_251_200)
		if err != nil {
			t.Fatal(err)
		}
		return d.Events
	}
	write(cfg.AllowedNames, "allowed.com # ours\n")
	events := detect()
	if len(events) != 2 {
		t.Fatalf("%d findings: %+v", len(events), events)
	}
	slices.SortFunc(events, func(a, b picket.Finding) int { return cmp.Compare(b.Entity.ID, a.Entity.ID) })
	if f := events[1]; f.Title != "Phishing: acmevvorks.com, imitating acmeworks, asked for by 10.0.1.6" || f.Cut != picket.CutRule {
		t.Errorf("%q by %s", f.Title, f.Cut)
	}
	f := events[0]
	if f.Entity.ID != "login-acmeworks.top" || !slices.Equal(f.Peers, []string{"10.0.1.5"}) || len(f.Evidence) != 1 || f.Evidence[0].FirstLine != 1 {
		t.Errorf("%+v", f)
	}
	for _, want := range []picket.Fact{{Name: picket.FactImitates, Value: "acmeworks (acmeworks.com)"}, {Name: "first asked", Value: "2024-03-01 09:00:05 UTC"},
		{Name: "led to", Value: "192.0.2.7"}, {Name: triage.FactFollowed, Value: "a connection from 10.0.1.5 to 192.0.2.7 at 09:00 UTC"}} {
		if !slices.Contains(f.Facts, want) {
			t.Errorf("no fact %v in %v", want, f.Facts)
		}
	}
	if !strings.Contains(f.Sentence, "asked for by 10.0.1.5") || !strings.Contains(f.Sentence, "imitates acmeworks") {
		t.Error(f.Sentence)
	}
	if again := detect(); len(again) != 0 {
		t.Errorf("told again: %+v", again)
	}
	write(cfg.AllowedNames, "# nothing is allowed any more\n")
	if events = detect(); len(events) != 1 || events[0].Entity.ID != "www.allowed.com" {
		t.Errorf("after the list changed: %+v", events)
	}
	write(cfg.AllowedNames, "10.0.0.1 is no name\n") // what it last held stays
	if events = detect(); len(events) != 0 {
		t.Errorf("after the list was broken: %+v", events)
	}
}

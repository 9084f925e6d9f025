package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"math"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
	"picket/store"
	"picket/telemetry"
	"picket/telemetry/prometheus"
)

// nine is the hour in which the small logs of these tests begin.
var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// vpcHeader begins a VPC flow log of version 2.
const vpcHeader = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"

// flow is one line of a flow log: ten packets of TCP in ten seconds.
func flow(at time.Time, src string, srcPort int, dst string, dstPort int) string {
	return fmt.Sprintf("2 123456789010 eni-1 %s %s %d %d 6 10 840 %d %d ACCEPT OK\n", src, dst, srcPort, dstPort, at.Unix(), at.Unix()+10)
}

// scan is a log in which 203.0.113.9 walks over n ports of 10.0.0.5 in a minute.
func scan(at time.Time, n int) string {
	var b strings.Builder
	for port := range n {
		b.WriteString(flow(at.Add(time.Duration(port%50)*time.Second), "203.0.113.9", 40000+port, "10.0.0.5", 1+port))
	}
	return b.String()
}

// browsing is a log in which some clients ask one web server.
func browsing(at time.Time, clients int) string {
	var b strings.Builder
	for c := range clients {
		b.WriteString(flow(at.Add(time.Duration(c)*time.Second), fmt.Sprintf("10.0.1.%d", c+1), 50000+c, "10.0.0.80", 443))
	}
	return b.String()
}

// rawText is a raw object of a flow log.
func rawText(key string, modified time.Time, lines ...string) Raw {
	text := vpcHeader + strings.Join(lines, "")
	return Raw{Key: key, Modified: modified, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

// pipelineOver returns a pipeline over a bucket, whose clock stands at noon.
func pipelineOver(t testing.TB, b store.Bucket) *Pipeline {
	t.Helper()
	return New(Default(), Deps{Bucket: b, Metrics: prometheus.New(), Now: func() time.Time { return nine.Add(3 * time.Hour) }, TempDir: t.TempDir()})
}

// walker stands in for a trained model: an actor that touches 40 ports of one
// peer scans. It knows nothing else, so that a test can say what must be found.
type walker struct{ ports, flows int }

func newWalker() walker {
	names := extract.Schema(picket.KindActor).Names
	return walker{ports: slices.Index(names, "ports_per_peer_max"), flows: slices.Index(names, "flow_count")}
}

func (w walker) Score(_ context.Context, rows []picket.Features, explain bool) ([]picket.Score, error) {
	scores := make([]picket.Score, len(rows))
	for i, row := range rows {
		scores[i] = picket.Score{Features: row}
		if row.Entity.Kind != picket.KindActor {
			continue
		}
		ports := row.Values[w.ports]
		margin := (ports - 40) / 10
		if math.IsNaN(margin) {
			margin = -10
		}
		p := 1 / (1 + math.Exp(-margin))
		scores[i].Booster = picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: row.Seconds}
		scores[i].Classes = []string{picket.ClassNormal, picket.ClassScan}
		scores[i].Probabilities = []float64{1 - p, p}
		scores[i].Malicious, scores[i].Margin = p, margin
		if explain {
			scores[i].Contributions = []picket.Contribution{
				{Feature: "ports_per_peer_max", Value: ports, Shap: margin},
				{Feature: "flow_count", Value: row.Values[w.flows], Shap: 0.1},
			}
		}
	}
	return scores, nil
}

// watched is a Live that scores with a walker.
func watched(p *Pipeline) *Live {
	return NewLive(p, Serving{Model: &picket.Model{ID: strings.Repeat("a", 64), Name: "walker"}, Scorer: newWalker()})
}

// outcome is what a bucket says in the end: the content of the newest revision
// of each slot, and the newest word on each finding but how often it was told
// and which objects it rests on.
func outcome(t testing.TB, p *Pipeline) map[string]string {
	t.Helper()
	ctx := context.Background()
	out := map[string]string{}
	newest, err := p.newestFeatures(ctx, math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	for s, key := range newest {
		out[picket.FeaturesPrefix+s.String()] = path.Base(key) + " " + sum(t, p.deps.Bucket, key)
	}
	latest, err := p.LatestFindings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range latest {
		open := f.Status != picket.StatusClosed
		f.Count, f.Revision, f.Status, f.Evidence = 0, "", "", nil
		line, err := triage.Encoder{}.Encode(&f)
		if err != nil {
			t.Fatal(err)
		}
		out[picket.FindingsPrefix+f.UID] = fmt.Sprintf("open %t %s", open, line)
	}
	return out
}

func sum(t testing.TB, b store.Bucket, key string) string {
	t.Helper()
	r, _, err := b.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// keys lists a bucket below a prefix.
func keys(t testing.TB, b store.Bucket, prefix string) []string {
	t.Helper()
	var all []string
	for info, err := range b.List(context.Background(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Key)
	}
	return all
}

// take ingests raw objects and fails the test if one cannot be.
func take(t testing.TB, p *Pipeline, raws ...Raw) {
	t.Helper()
	for _, r := range raws {
		if _, err := p.Ingest(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
}

// turn closes and detects everything that is due.
func turn(t testing.TB, p *Pipeline) {
	t.Helper()
	if err := watched(p).Turn(context.Background(), true); err != nil {
		t.Fatal(err)
	}
}

// hooked is a bucket that asks before each call; an error is what the caller gets.
type hooked struct {
	store.Bucket
	before func() error
}

func (h hooked) around(call func() error) error {
	if err := h.before(); err != nil {
		return err
	}
	return call()
}

func (h hooked) Get(ctx context.Context, key string) (r io.ReadCloser, info store.Info, err error) {
	err = h.around(func() (err error) { r, info, err = h.Bucket.Get(ctx, key); return err })
	return r, info, err
}

func (h hooked) Stat(ctx context.Context, key string) (info store.Info, err error) {
	err = h.around(func() (err error) { info, err = h.Bucket.Stat(ctx, key); return err })
	return info, err
}

func (h hooked) Put(ctx context.Context, key string, r io.Reader, c ...store.Condition) (info store.Info, err error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return info, err
	}
	err = h.around(func() (err error) { info, err = h.Bucket.Put(ctx, key, bytes.NewReader(body), c...); return err })
	return info, err
}

func (h hooked) Delete(ctx context.Context, key string) error {
	return h.around(func() error { return h.Bucket.Delete(ctx, key) })
}

func (h hooked) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := h.around(func() error { return nil }); err != nil {
			yield(store.Info{}, err)
			return
		}
		h.Bucket.List(ctx, prefix, after)(yield)
	}
}

// rowText is a row as text that two rows share only if every bit is the same.
func rowText(f *picket.Features) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s elapsed %d flows %d", f.Window, f.Elapsed, f.Flows)
	for _, v := range f.Values {
		fmt.Fprintf(&b, " %x", math.Float64bits(v))
	}
	return b.String()
}

// samples returns what a pipeline of pipelineOver has counted.
func samples(p *Pipeline) []telemetry.Sample { return p.deps.Metrics.(*prometheus.Metrics).Samples() }

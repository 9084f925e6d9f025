package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestReadNameSets(t *testing.T) {
	names, notes, err := ReadNameSets("../../testdata/names")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, n := range names {
		counts[n.Source]++
		if n.Phishing != (n.Source == SourcePolkadot) || n.Phishing != (n.Unix > 1_600_000_000) {
			t.Fatalf("%+v", n)
		}
		if strings.ContainsAny(n.Text, " #@:\t") {
			t.Errorf("%q of %s holds more than a name", n.Text, n.Source)
		}
	}
	for source, want := range map[string]int{SourcePolkadot: 1250, SourceTop: 600, SourceRandom: 600} {
		if counts[source] != want {
			t.Errorf("%d names of %s, want %d", counts[source], source, want)
		}
	}
	if counts[SourceGov] < 350 || counts[SourceV2fly] < 300 {
		t.Errorf("%v", counts)
	}
	if !slices.ContainsFunc(names, func(n ListedName) bool { return n.Text == "paypal.com" && n.Owner == "paypal" }) {
		t.Error("v2fly's list of PayPal's domains has no owner")
	}
	if len(notes) != 4 || !strings.Contains(strings.Join(notes, "\n"), "no jpcert-phishurl/") {
		t.Errorf("notes %q", notes)
	}
	if _, _, err := ReadNameSets(t.TempDir()); err == nil {
		t.Error("an empty folder is no error")
	}
}

func TestJPCERTTime(t *testing.T) {
	f := func(text string, want int64) {
		t.Helper()
		if at, ok := jpcertTime(text); at != want || ok != (want > 0) {
			t.Errorf("%q: %d %v", text, at, ok)
		}
	}
	f("2023/05/01 10:30:00", 1682937000)
	f("2019/1/7 9:05", 1546851900)
	f("2022-05-01 00:00:00", 1651363200)
	f("yesterday", 0)
}

// A linear model finds the feature that decides, and gives the same bits again.
func TestFitLinear(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := make([]LinearRow, 4000)
	for i := range rows {
		r := &rows[i]
		r.Positive, r.Weight = rng.IntN(2) == 0, 1
		telling := uint32(0)
		if r.Positive != (rng.IntN(10) == 0) { // wrong once in ten
			telling = 1
		}
		r.Groups = [3][]uint32{{telling}, {2 + uint32(rng.IntN(50)), 2 + uint32(rng.IntN(50))}}
	}
	weights, bias := FitLinear(rows, 64, LinearOptions{Seed: 3})
	if d := weights[1] - weights[0]; math.Abs(d-2*math.Log(9)) > 1 { // log-odds of nine to one, both ways
		t.Errorf("telling features are %g apart", d)
	}
	for i, w := range weights[2:] {
		if math.Abs(w) > 1 {
			t.Errorf("feature %d, which tells nothing, weighs %g", i+2, w)
		}
	}
	again, bias2 := FitLinear(rows, 64, LinearOptions{Seed: 3})
	if !slices.Equal(weights, again) || bias != bias2 {
		t.Error("the same rows give other weights")
	}
}

// Every technique gives names, and each differs from the brand's own domain.
func TestForger(t *testing.T) {
	f := Forger{Words: []string{"login", "secure"}, Suffixes: []string{"com", "top"}, Hosts: []string{"pages.dev"}, Rand: rand.New(rand.NewPCG(1, 1))}
	kinds := map[string]bool{}
	for range 500 {
		name := f.Forge("paypal", []string{"paypal.com"})
		if name == "" || strings.HasPrefix(name, ".") || strings.Contains(name, "..") || strings.ToLower(name) != name {
			t.Fatalf("%q", name)
		}
		switch {
		case strings.HasSuffix(name, ".pages.dev"):
			kinds["hosted"] = true
		case strings.Contains(name, "paypal.com."):
			kinds["below"] = true
		case name == "paypal.top":
			kinds["suffix"] = true
		case strings.Contains(name, "paypal-") || strings.Contains(name, "-paypal"):
			kinds["joined"] = true
		case strings.Contains(name, "paypa1") || strings.Contains(name, "p4ypal") || strings.Contains(name, "payp4l"):
			kinds["glyphs"] = true
		case !strings.Contains(name, "paypal"):
			kinds["typo"] = true
		}
	}
	if len(kinds) != 6 {
		t.Errorf("techniques %v", kinds)
	}
}

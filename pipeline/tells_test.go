package pipeline

import (
	"testing"

	"picket"
	"picket/pipeline/extract"
)

// A handful of answers is no flood, however much it looks like one.
func TestBears(t *testing.T) {
	f := func(want bool, class string, perSecond float64, elapsed int64) {
		t.Helper()
		s := picket.Score{Booster: picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindVictim, Seconds: 60},
			Classes: []string{picket.ClassNormal, class}, Probabilities: []float64{0.1, 0.9}}
		s.Values = make([]float64, len(extract.Schema(picket.KindVictim).Names))
		s.Values[packetsIn()], s.Elapsed = perSecond, elapsed
		if got := bears(&s); got != want {
			t.Errorf("%s of %g packets/s over %d s: %v, want %v", class, perSecond, elapsed, got, want)
		}
	}
	f(false, picket.ClassDDoS, 1.5, 60)
	f(true, picket.ClassDDoS, 5, 60)
	f(true, picket.ClassDDoS, 1.5, 3600)
	f(true, picket.ClassBruteforce, 0.1, 60)
}

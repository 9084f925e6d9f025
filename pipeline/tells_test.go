package pipeline

import (
	"math"
	"testing"

	"picket"
	"picket/pipeline/extract"
)

// A handful of answers is no flood, however much it looks like one.
// And who asks one port again and again is no scanner.
func TestBears(t *testing.T) {
	kind, width := picket.KindVictim, int64(60)
	f := func(want bool, class string, perSecond float64, elapsed int64, asked float64) {
		t.Helper()
		s := picket.Score{Booster: picket.BoosterID{Detector: picket.DetectorTraffic, Kind: kind, Seconds: width},
			Classes: []string{picket.ClassNormal, class}, Probabilities: []float64{0.1, 0.9}}
		s.Values = make([]float64, len(extract.Schema(picket.KindVictim).Names))
		s.Values[packetsIn()], s.Values[targets()], s.Values[flowCount()], s.Elapsed = perSecond, asked, asked, elapsed
		if got := bears(&s); got != want {
			t.Errorf("%s of %g packets/s over %d s: %v, want %v", class, perSecond, elapsed, got, want)
		}
	}
	f(false, picket.ClassDDoS, 1.5, 60, 9)
	f(true, picket.ClassDDoS, 5, 60, 1)
	f(true, picket.ClassDDoS, 1.5, 3600, 1)
	width = 3600
	f(false, picket.ClassDDoS, 500, 3600, 1)
	f(true, picket.ClassBruteforce, 0.1, 60, 5)
	f(false, picket.ClassBruteforce, 0.1, 60, 4)
	f(false, picket.ClassScan, 0.1, 3600, 200) // 200 sources, a port each
	kind = picket.KindActor
	f(false, picket.ClassScan, 0.4, 60, 1)
	f(false, picket.ClassScan, 0.1, 3600, 9)
	f(true, picket.ClassScan, 0.1, 3600, 10)
	f(false, picket.ClassC2, 0.1, 120, 3)
	f(true, picket.ClassC2, 0.1, 3600, 3)
}

// A machine that asks a time server calls nobody home; one whose words are as short,
// but not of that size both ways, may.
func TestBearsNoClock(t *testing.T) {
	f := func(want bool, out, in float64) {
		t.Helper()
		s := picket.Score{Booster: picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: picket.Hour},
			Classes: []string{picket.ClassNormal, picket.ClassC2}, Probabilities: []float64{0.1, 0.9}}
		s.Values = make([]float64, len(extract.Schema(picket.KindActor).Names))
		s.Values[soleOut()], s.Values[soleIn()], s.Elapsed = out, in, picket.Hour
		if got := bears(&s); got != want {
			t.Errorf("c2 of %g bytes out and %g in a flow: %v, want %v", out, in, got, want)
		}
	}
	f(false, 76, 76)
	f(false, 90, 90)
	f(false, 7*76, 6*76) // from one port for an hour, one of them unanswered
	f(true, 76, 120)
	f(true, 450, 320)
	f(true, math.NaN(), math.NaN())
}

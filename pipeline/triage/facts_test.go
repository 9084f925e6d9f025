package triage

import (
	"slices"
	"strings"
	"testing"

	"picket"
)

// What a finding says in words is kept, stands in its sentence, and only what flows
// tell later is no news.
func TestFacts(t *testing.T) {
	alert := Alert{
		Score: picket.Score{
			Features: picket.Features{Window: picket.Window{Entity: picket.Entity{Kind: picket.KindName, ID: "paypa1.top"}, Seconds: picket.Hour, Source: picket.SourceNames}, Flows: 1},
			Booster:  picket.BoosterID{Detector: picket.DetectorPhishing, Kind: picket.KindName},
			Classes:  picket.ClassesOf(picket.DetectorPhishing), Probabilities: []float64{0.1, 0.9}, Malicious: 0.9, Margin: 3, Threshold: 1,
		},
		Facts: []picket.Fact{{Name: picket.FactImitates, Value: "paypal (paypal.com)"}},
	}
	told := Triage([]Alert{alert}, Config{})
	if len(told) != 1 || !strings.HasSuffix(told[0].Sentence, "; imitates paypal (paypal.com)") || !slices.Equal(told[0].Facts, alert.Facts) {
		t.Fatalf("%+v", told)
	}
	f := told[0]
	f.Facts = append(slices.Clone(f.Facts), picket.Fact{Name: FactFollowed, Value: "a connection"})
	line, err := Encoder{}.Encode(&f)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Decode(line)
	if err != nil || !slices.Equal(read.Facts, f.Facts) {
		t.Errorf("read back %v, %v", read.Facts, err)
	}
	if !Same(told[0], read) {
		t.Error("a connection that was seen later is news")
	}
	read.Facts[0].Value = "another brand"
	if Same(told[0], read) {
		t.Error("another brand is no news")
	}
}

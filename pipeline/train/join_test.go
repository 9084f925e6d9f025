package train

import (
	"bytes"
	"strings"
	"testing"

	"picket"
)

// A package that takes another's booster has it once, with all that belongs to it,
// and its card tells of both.
func TestTake(t *testing.T) {
	p, other := packed(t), packed(t)
	mine, theirs := p.Model.Boosters[0].ID, picket.BoosterID{Detector: picket.DetectorPhishing, Kind: picket.KindName}
	b := &other.Model.Boosters[0]
	other.Evaluations = map[picket.BoosterID]*Evaluation{theirs: other.Evaluations[b.ID]}
	other.Evaluations[theirs].Picket.Booster, other.Evaluations[theirs].Picket.Data = theirs.String(), "names"
	other.Snapshots = map[picket.BoosterID]*Snapshot{theirs: other.Snapshots[b.ID]}
	b.ID = theirs
	other.Model.Name = "names"
	facts := CardFacts{Evidence: RealToReal, Datasets: []string{"lists of names"}, Caveats: "Of names alone."}
	var first []byte
	for round := range 2 { // the second time changes nothing
		if err := p.Take(other, facts); err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if err := p.Write(&body); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			first = body.Bytes()
		} else if !bytes.Equal(first, body.Bytes()) {
			t.Error("taking again changes the package")
		}
	}
	if len(p.Model.Boosters) != 2 || p.Model.Booster(mine) == nil || p.Model.Booster(theirs) == nil || p.Snapshots[theirs] == nil || p.Evaluations[mine] == nil {
		t.Errorf("boosters %v", p.Model.Boosters)
	}
	read, err := ReadPackage(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if read.Model.Training["names"] == nil || strings.Count(string(read.Card), "Of names alone.") != 1 {
		t.Errorf("training %v, card %s", read.Model.Training, read.Card)
	}
	evaluations, err := CardEvaluations(read.Card)
	if err != nil || len(evaluations) != 2 || evaluations[1].Evidence != RealToReal || evaluations[1].Booster != theirs.String() {
		t.Errorf("%+v, %v", evaluations, err)
	}
}

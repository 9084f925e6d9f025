package picket

import (
	"fmt"
	"strconv"
	"strings"
)

// Detectors. Each has boosters of its own.
const (
	DetectorTraffic  = "traffic"
	DetectorAccess   = "access"
	DetectorPhishing = "phishing"
	DetectorTable    = "table" // a model of somebody's labelled table
	DetectorLists    = "lists" // no booster: the user's own lists
)

// BoosterID names one booster of a model package.
type BoosterID struct {
	Detector string `json:"detector"`
	Kind     Kind   `json:"entity_kind"`
	Seconds  int64  `json:"window_seconds"` // width of its windows; 0 for names and tables
}

// BoosterOf returns which booster of a detector a row is for. A name says the same
// in a window of any width.
func BoosterOf(detector string, f *Features) BoosterID {
	id := BoosterID{Detector: detector, Kind: f.Entity.Kind, Seconds: f.Seconds}
	if f.Entity.Kind == KindName {
		id.Seconds = 0
	}
	return id
}

func (b BoosterID) String() string {
	return fmt.Sprintf("%s/%s/%d", b.Detector, b.Kind, b.Seconds)
}

// ParseBoosterID reads what BoosterID.String writes.
func ParseBoosterID(text string) (BoosterID, error) {
	part := strings.Split(text, "/")
	if len(part) == 3 && part[0] != "" {
		seconds, err := strconv.ParseInt(part[2], 10, 64)
		if err == nil && seconds >= 0 {
			return BoosterID{Detector: part[0], Kind: Kind(part[1]), Seconds: seconds}, nil
		}
	}
	return BoosterID{}, fmt.Errorf("%.80q names no booster: want DETECTOR/KIND/SECONDS, as traffic/actor/60", text)
}

// Booster is one trained model of a package with all that is needed to use it.
type Booster struct {
	ID          BoosterID           `json:"id"`
	Schema      Schema              `json:"schema"`
	Classes     []string            `json:"classes"`              // Classes[0] is normal
	Categories  map[string][]string `json:"categories,omitempty"` // text columns of a table: value i of the list is coded i
	Calibration Calibration         `json:"calibration"`
	Threshold   Threshold           `json:"threshold"`
	Usual       map[string]float64  `json:"usual,omitempty"` // medians of the normal training rows; what they always lack is left out
	Trees       []byte              `json:"-"`               // XGBoost UBJ; boosters/DETECTOR-KIND-SECONDS.ubj in the package
}

// Calibration maps a booster's malicious margin to a probability: a sigmoid
// (Platt 1999) below 1,000 positives, else isotonic steps (Zadrozny & Elkan 2002).
type Calibration struct {
	Method   string    `json:"method"` // "sigmoid", "isotonic" or "none"
	A        float64   `json:"a,omitempty"`
	B        float64   `json:"b,omitempty"` // p = 1 / (1 + exp(A*margin + B))
	X        []float64 `json:"x,omitempty"` // isotonic: margins, ascending
	Y        []float64 `json:"y,omitempty"` // and their probabilities, never falling
	BaseRate float64   `json:"base_rate"`   // share of malicious rows that it was fitted on
	Rows     int       `json:"rows"`
}

// Threshold is a cut on the uncalibrated malicious margin, log((1-p0)/p0).
type Threshold struct {
	Margin float64 `json:"margin"`
	// Classes are the cuts of rows by their most probable class other than normal;
	// Margin is that of all others. A class that has many look-alikes must not
	// raise the cut of one that has none.
	Classes    map[string]float64 `json:"classes,omitempty"`
	Method     string             `json:"method"` // how it was set: "fpr-budget", "leave-one-kind-out", ...
	Budget     float64            `json:"budget,omitempty"`
	Validation string             `json:"validation"` // on which data
}

// Of returns the cut of rows whose most probable class other than normal is this.
func (t *Threshold) Of(class string) float64 {
	if cut, ok := t.Classes[class]; ok {
		return cut
	}
	return t.Margin
}

// Model is a model package: boosters, a card, a manifest of what it was trained on.
type Model struct {
	ID       string         `json:"id"` // hash of the package's content
	Name     string         `json:"name"`
	Boosters []Booster      `json:"boosters"`
	Training map[string]any `json:"training"` // manifest: data hashes, seeds, parameters
}

// Booster returns the booster of the given name, or nil.
func (m *Model) Booster(id BoosterID) *Booster {
	for i := range m.Boosters {
		if m.Boosters[i].ID == id {
			return &m.Boosters[i]
		}
	}
	return nil
}

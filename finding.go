package picket

// Severity of a finding, with OCSF's numbers.
type Severity int

const (
	SeverityInformational Severity = 1 + iota
	SeverityLow
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

func (s Severity) String() string {
	switch s {
	case SeverityInformational:
		return "informational"
	case SeverityLow:
		return "low"
	case SeverityMedium:
		return "medium"
	case SeverityHigh:
		return "high"
	case SeverityCritical:
		return "critical"
	}
	return "unknown"
}

// Finding is what an analyst reads: one incident, however many windows fired.
type Finding struct {
	UID        string // hash of detector, class, entity kind, entity and the UTC day of the window
	Revision   string // count and hash of the feature keys it rests on
	Count      int    // times it was told, this one included: 1 is the first
	Status     string // StatusNew, StatusUpdated, StatusClosed, StatusSuppressed
	Successor  string // uid of the finding that it was merged into, when closed
	Detector   string
	Class      string
	Type       string // the finer kind: "syn-flood", "port-scan", ...
	Severity   Severity
	Confidence float64 // greatest calibrated probability over the widths that passed, 0 to 1
	Seconds    int64   // the width that gave it
	At         int64   // Unix seconds, start of the window that gave it
	Entity     Entity
	FirstSeen  int64 // Unix seconds
	LastSeen   int64 // Unix seconds, end of the last window
	Title      string
	Sentence   string // entity, time, confidence and the three features that moved it most
	Windows    int    // how many fired
	Source     string
	Model      string  // id of the model package
	Threshold  float64 // the cut that Margin was held against
	Cut        string  // where the cut is from: CutShipped, CutBudget
	Margin     float64
	Reasons    []Contribution     // most moving first
	Features   map[string]float64 // the row behind the confidence; missing ones left out
	Peers      []string           // the other side: the largest first, at most 10
	Network    string             // that a carpet flood covers, "192.0.2.0/24"; "" for one victim
	Hosts      int                // of that network that were flooded, Entity included
	Others     []string           // of those hosts: the largest first, at most 10
	Evidence   []Evidence
	Facts      []Fact   // what it says in words beside its numbers
	Verdict    *Verdict // an analyst's word on it; nil for none
}

// Fact is one thing that a finding says in words: the brand that a name imitates,
// a rule that fired.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// FactImitates is the name of the fact that says whom a name plays on: the word that
// it is known by, then its domain in brackets.
const FactImitates = "imitates"

// Window returns the window that gave the confidence.
func (f *Finding) Window() Window {
	return Window{Entity: f.Entity, Start: f.At, Seconds: f.Seconds, Source: f.Source}
}

// Where the threshold of a finding is from.
const (
	CutShipped  = "shipped"      // the model package's own
	CutBudget   = "alert-budget" // the site's own incident scores; see triage.Budget
	CutBaseline = "baseline"     // of an anomaly: what the site was seen to do
	CutRule     = "rule"         // none: a rule spoke, and no booster
	CutList     = "list"         // none: it stands on one of the user's lists
)

// Statuses of a finding.
const (
	StatusNew        = "new"
	StatusUpdated    = "updated"
	StatusClosed     = "closed"
	StatusSuppressed = "suppressed"
)

// Evidence is a place in a raw log that a finding rests on.
type Evidence struct {
	Object    string `json:"object"`  // key of the raw object
	Version   string `json:"version"` // of its content
	FirstLine uint64 `json:"first_line"`
	LastLine  uint64 `json:"last_line"`
	Flows     uint64 `json:"flows"` // conversations of the entity in between
}

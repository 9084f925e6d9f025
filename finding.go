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

// Finding is what an analyst reads: one incident, however many windows fired.
type Finding struct {
	UID        string // hash of detector, class, entity kind, entity and the UTC day of the window
	Revision   string // count and hash of the feature keys it rests on
	Status     string // StatusNew, StatusUpdated, StatusClosed, StatusSuppressed
	Successor  string // uid of the finding that it was merged into, when closed
	Detector   string
	Class      string
	Type       string // the finer kind: "syn-flood", "port-scan", ...
	Severity   Severity
	Confidence float64 // greatest calibrated probability over the widths that passed, 0 to 1
	Seconds    int64   // the width that gave it
	Entity     Entity
	FirstSeen  int64 // Unix seconds
	LastSeen   int64 // Unix seconds, end of the last window
	Title      string
	Sentence   string // entity, time, confidence and the three features that moved it most
	Windows    int    // how many fired
	Source     string
	Model      string // id of the model package
	Threshold  float64
	Margin     float64
	Reasons    []Contribution     // most moving first
	Features   map[string]float64 // the row behind the confidence; missing ones left out
	Peers      []string           // the other side: the largest first, at most 10
	Evidence   []Evidence
}

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

package picket

// Classes of the traffic detector, in the order of its model's outputs. The
// first class is always normal.
const (
	ClassNormal       = "normal"
	ClassDDoS         = "ddos"
	ClassScan         = "scan"
	ClassBruteforce   = "bruteforce"
	ClassExfiltration = "exfiltration"
	ClassC2           = "c2"
	ClassAccess       = "unauthorized_access"
	ClassPhishing     = "phishing"
	ClassAnomaly      = "anomaly" // from the baseline, never from a booster
)

// TrafficClasses are the classes of the traffic boosters.
func TrafficClasses() []string {
	return []string{ClassNormal, ClassDDoS, ClassScan, ClassBruteforce, ClassExfiltration, ClassC2}
}

// ClassesOf returns the classes of a detector's boosters, normal first; nil for a
// detector that has none of its own.
func ClassesOf(detector string) []string {
	switch detector {
	case DetectorTraffic:
		return TrafficClasses()
	case DetectorAccess:
		return []string{ClassNormal, ClassAccess, ClassBruteforce} // guesses are seen in logs of logins alone
	case DetectorPhishing:
		return []string{ClassNormal, ClassPhishing}
	}
	return nil
}

// Label says what an entity did in a span of time. One row of a label file:
// start,end,entity_kind,entity,class,note.
type Label struct {
	Start, End int64  // Unix seconds, half-open
	Entity     Entity // ID "*": every entity of the kind; Kind "*": every kind
	Class      string
	Note       string
}

// Split names of a dataset.
const (
	SplitTrain       = "train"
	SplitCalibration = "calibration" // fits the calibration
	SplitValidation  = "validation"  // sets the threshold, stops early
	SplitTest        = "test"        // looked at once, at the end
)

// Example is one row of a dataset: features with their class.
type Example struct {
	Features
	Class  string
	Group  string // rows of one group (an entity, an incident) never part over a split
	Split  string
	Weight float64 // 1 unless the row stands for more or less than itself
}

// Dataset is labelled rows of one booster: one detector, entity kind and width.
type Dataset struct {
	Booster  BoosterID
	Schema   Schema
	Classes  []string // Classes[0] is normal
	Examples []Example
}

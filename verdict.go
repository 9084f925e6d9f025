package picket

import "fmt"

// What a verdict can say of a finding.
const (
	VerdictTrue     = "true"     // an attack
	VerdictFalse    = "false"    // none: a mistake of the model's
	VerdictExpected = "expected" // what the finding says, and nothing to be told of for a while
)

// Verdict is an analyst's word on a finding. It is kept in labels/ and learned from.
type Verdict struct {
	UID     string `json:"uid"` // of the finding
	Says    string `json:"says"`
	Author  string `json:"author"`
	At      int64  `json:"at"` // Unix seconds, when it was said
	Reason  string `json:"reason,omitempty"`
	Expires int64  `json:"expires,omitempty"` // of what is expected: Unix seconds

	// What the finding was, so that the verdict outlives it.
	Detector string `json:"detector"`
	Class    string `json:"class"`
	Type     string `json:"type"`
	Entity   Entity `json:"entity"`
	Start    int64  `json:"start"` // Unix seconds of the windows that it rests on, half-open
	End      int64  `json:"end"`
}

func (v *Verdict) String() string {
	return fmt.Sprintf("%s says %s of %s (%s %s)", v.Author, v.Says, v.UID, v.Class, v.Entity)
}

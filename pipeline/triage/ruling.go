package triage

import "picket"

// Ruling is what a rule, or one of the user's lists, says of a window by itself: no
// booster had a part in it. Its probability is a convention, not a measurement.
type Ruling struct {
	Cut      string // picket.CutRule or picket.CutList
	Type     string // finer type of the finding; "" is what the row's features say
	Severity picket.Severity
}

// ruled reports whether such a ruling is what the hit is.
func (h *hit) ruled(cut string) bool { return h.Ruling != nil && h.Ruling.Cut == cut }

// ruling names what spoke in place of a booster, "" where one did.
func (h *hit) ruling() string {
	if h.Ruling == nil {
		return ""
	}
	return h.Ruling.Cut + "/" + h.Ruling.Type
}

// uid is that of the hit's incident of a class. What a rule says of an entity's day
// is one incident with what a booster says of it; rulings with a type of their own have
// incidents of their own.
func (h *hit) uid(class string) string {
	detector := h.Booster.Detector
	if h.Ruling != nil && h.Ruling.Type != "" {
		detector = h.ruling()
	}
	return UID(detector, class, h.Entity, h.Start)
}

// byRuling parts the incidents in which a booster spoke from those of rulings alone.
func byRuling(incidents []*incident) (scored, ruled []*incident) {
	for _, in := range incidents {
		if in.best().Ruling == nil {
			scored = append(scored, in)
		} else {
			ruled = append(ruled, in)
		}
	}
	return scored, ruled
}

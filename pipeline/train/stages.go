package train

import (
	"errors"
	"fmt"
	"slices"
)

// Stages says which model package is where on its way to the endpoint: the whole
// registry. It is models/stages.json, written by put-if-match; every method
// changes s in memory alone and is an error where the step makes no sense.
type Stages struct {
	Candidate string       `json:"candidate"` // trained; id of a package, "" for none
	Approved  string       `json:"approved"`  // passed the gate, or a person said so
	Live      string       `json:"live"`      // what scores
	Previous  string       `json:"previous"`  // what scored before: one step back
	History   []Transition `json:"history"`   // newest last, at most maxHistory
}

// Transition is one step that a registry took.
type Transition struct {
	Time  int64  `json:"time"` // Unix seconds
	Step  string `json:"step"` // "register", "approve", "rollout", "fail", "deploy", "rollback", "reject"
	Model string `json:"model"`
	By    string `json:"by,omitempty"`     // who or what took it
	Why   string `json:"reason,omitempty"` //
}

const maxHistory = 200

// Register makes a package the candidate, in place of any other.
func (s *Stages) Register(id string, t Transition) error {
	if id == "" {
		return errors.New("register: no model")
	}
	s.Candidate = id
	s.note("register", id, t)
	return nil
}

// Approve lets the candidate be deployed.
func (s *Stages) Approve(id string, t Transition) error {
	switch {
	case s.Candidate == "":
		return errors.New("approve: there is no candidate")
	case id != s.Candidate:
		return fmt.Errorf("approve: the candidate is %s, not %s", s.Candidate, id)
	}
	s.Candidate, s.Approved = "", id
	s.note("approve", id, t)
	return nil
}

// Reject takes the candidate out.
func (s *Stages) Reject(id string, t Transition) error {
	if id == "" || id != s.Candidate {
		return fmt.Errorf("reject: %q is not the candidate", id)
	}
	s.Candidate = ""
	s.note("reject", id, t)
	return nil
}

// Deploy makes the approved package live, and the live one previous.
func (s *Stages) Deploy(t Transition) error {
	if s.Approved == "" {
		return errors.New("deploy: no model is approved")
	}
	if s.Approved != s.Live {
		s.Previous, s.Live = s.Live, s.Approved
	}
	s.Approved = ""
	s.note("deploy", s.Live, t)
	return nil
}

// Rollback exchanges live and previous: doing it twice changes nothing.
func (s *Stages) Rollback(t Transition) error {
	if s.Previous == "" {
		return errors.New("roll back: there is no previous model")
	}
	s.Live, s.Previous = s.Previous, s.Live
	s.note("rollback", s.Live, t)
	return nil
}

// Rollout notes that an endpoint is on its way to the approved package. What comes of
// it is told by Serve or Fail.
func (s *Stages) Rollout(t Transition) error {
	if s.Approved == "" {
		return errors.New("roll out: no model is approved")
	}
	s.note("rollout", s.Approved, t)
	return nil
}

// RollingOut reports whether the approved package was rolled out, with no word since.
func (s *Stages) RollingOut() bool {
	for i := len(s.History) - 1; i >= 0 && s.Approved != ""; i-- {
		if s.History[i].Model == s.Approved {
			return s.History[i].Step == "rollout"
		}
	}
	return false
}

// Served reports whether a package was live at some time.
func (s *Stages) Served(id string) bool {
	return id == s.Live || id == s.Previous ||
		slices.ContainsFunc(s.History, func(t Transition) bool { return t.Step == "deploy" && t.Model == id })
}

// Serve notes that an endpoint serves a package: it is live, and what was is previous.
func (s *Stages) Serve(id string, t Transition) error {
	if id == "" {
		return errors.New("serve: no model")
	}
	if id == s.Approved {
		s.Approved = ""
	}
	if id != s.Live {
		s.Previous, s.Live = s.Live, id
	}
	s.note("deploy", id, t)
	return nil
}

// Fail takes the approved package out: its rollout ended without it.
func (s *Stages) Fail(t Transition) error {
	if s.Approved == "" {
		return errors.New("fail: no model is approved")
	}
	id := s.Approved
	s.Approved = ""
	s.note("fail", id, t)
	return nil
}

// Recall approves the previous package again, for an endpoint that takes its time to
// go back; Rollback is for those that go at once.
func (s *Stages) Recall(t Transition) error {
	if s.Previous == "" {
		return errors.New("roll back: there is no previous model")
	}
	s.Approved = s.Previous
	s.note("approve", s.Approved, t)
	return nil
}

func (s *Stages) note(step, id string, t Transition) {
	t.Step, t.Model = step, id
	s.History = append(s.History, t)
	s.History = s.History[max(0, len(s.History)-maxHistory):]
}

package deploy

import (
	"slices"
	"strings"
	"testing"
)

var wanted = Stack{Name: "picket", Body: "{}", Parameters: map[string]string{"Prefix": "picket"}}

func TestChangeSet(t *testing.T) {
	var told []Event
	f := &fakeCFN{change: "CREATE_COMPLETE|", items: []string{"Add|Key|AWS::KMS::Key"}, after: []string{"CREATE_COMPLETE"}, later: []fakeEvent{{"Key", "CREATE_IN_PROGRESS", ""}, {"Key", "CREATE_COMPLETE", ""}}}
	s := f.stacks(t, &told)
	set, err := s.plan(t.Context(), wanted)
	if err != nil || !set.New || len(set.Changes) != 1 || set.Changes[0].ID != "Key" {
		t.Fatalf("plan: %+v, %v", set, err)
	}
	if slices.Contains(f.calls, "ExecuteChangeSet") {
		t.Error("a plan executed something")
	}
	if err := s.apply(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0].Status != "CREATE_IN_PROGRESS" || told[1].Status != "CREATE_COMPLETE" {
		t.Errorf("told %+v", told)
	}
}

// TestNoChange: CloudFormation says that nothing changes by failing.
func TestNoChange(t *testing.T) {
	for _, reason := range []string{
		"The submitted information didn't contain changes. Submit different information to create a change set.",
		"No updates are to be performed.",
	} {
		var told []Event
		f := &fakeCFN{status: "UPDATE_COMPLETE", change: "FAILED|" + reason}
		s := f.stacks(t, &told)
		set, err := s.plan(t.Context(), wanted)
		if err != nil || !set.Empty() {
			t.Fatalf("plan: %+v, %v", set, err)
		}
		if err := s.apply(t.Context(), set); err != nil || slices.Contains(f.calls, "ExecuteChangeSet") {
			t.Errorf("applied nothing: %v, calls %v", err, f.calls)
		}
		if !slices.Contains(f.calls, "DeleteChangeSet") {
			t.Error("the empty change set is left behind")
		}
	}
}

// TestRollback: what failed first is told, not what was cancelled by it or what came
// before; and nothing of the change is left.
func TestRollback(t *testing.T) {
	for status, after := range map[string][]string{
		"":                {"ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"},
		"CREATE_COMPLETE": {"UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"},
	} {
		var told []Event
		f := &fakeCFN{
			status: status, change: "CREATE_COMPLETE|", items: []string{"Add|Bucket|AWS::S3::Bucket"}, after: after,
			events: []fakeEvent{{"Old", "CREATE_FAILED", "of last week"}},
			later: []fakeEvent{
				{"Bucket", "CREATE_IN_PROGRESS", ""},
				{"Queue", "CREATE_FAILED", "Resource creation cancelled"}, // the order is not always that of causes
				{"Bucket", "CREATE_FAILED", "The requested bucket name is not available (Service: S3, Status Code: 409)"},
				{"picket", "ROLLBACK_COMPLETE", ""},
			},
		}
		s := f.stacks(t, &told)
		set, err := s.plan(t.Context(), wanted)
		if err != nil {
			t.Fatal(err)
		}
		got := failure(t, s.apply(t.Context(), set))
		if !strings.Contains(got.Error(), "Bucket") || strings.Contains(got.Error(), "last week") || !strings.Contains(got.Error(), "as it was before") || !strings.Contains(got.Try, "--prefix") {
			t.Errorf("from %q: said %q, try %q", status, got.Error(), got.Try)
		}
		if len(told) != 4 {
			t.Errorf("told %d events: %+v", len(told), told)
		}
	}
}

// TestStackLeftBehind: each state that cannot be changed says what can be done.
func TestStackLeftBehind(t *testing.T) {
	for status, try := range map[string]string{
		"ROLLBACK_COMPLETE":      "picket deploy destroy",
		"ROLLBACK_FAILED":        "picket deploy destroy",
		"DELETE_FAILED":          "picket deploy destroy",
		"UPDATE_ROLLBACK_FAILED": "continue-update-rollback",
		"UPDATE_IN_PROGRESS":     "wait",
	} {
		var told []Event
		f := &fakeCFN{status: status}
		_, err := f.stacks(t, &told).plan(t.Context(), wanted)
		if got := failure(t, err); !strings.Contains(got.Error(), status) || !strings.Contains(got.Try, try) {
			t.Errorf("%s: said %q, try %q", status, got.Error(), got.Try)
		}
		if slices.Contains(f.calls, "CreateChangeSet") {
			t.Errorf("%s: a change set was asked for", status)
		}
	}
}

func TestDenied(t *testing.T) {
	for _, action := range []string{"DescribeStacks", "CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DescribeStackEvents"} {
		var told []Event
		f := &fakeCFN{status: "CREATE_COMPLETE", change: "CREATE_COMPLETE|", items: []string{"Add|Key|AWS::KMS::Key"}, deny: action}
		s := f.stacks(t, &told)
		set, err := s.plan(t.Context(), wanted)
		if err == nil {
			err = s.apply(t.Context(), set)
		}
		if got := failure(t, err); !strings.Contains(got.Try, "cloudformation:"+action) || !strings.Contains(got.Try, "--print-policy") {
			t.Errorf("%s: said %q, try %q", action, got.Error(), got.Try)
		}
	}
}

func TestDeleteFails(t *testing.T) {
	var told []Event
	f := &fakeCFN{status: "CREATE_COMPLETE", after: []string{"DELETE_FAILED"}, later: []fakeEvent{{"Repository", "DELETE_FAILED", "it holds images"}}}
	got := failure(t, f.stacks(t, &told).remove(t.Context(), "picket"))
	if !strings.Contains(got.Error(), "Repository") || !strings.Contains(got.Error(), "it holds images") {
		t.Errorf("said %q", got.Error())
	}
}

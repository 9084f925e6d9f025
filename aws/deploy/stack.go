package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// Stack is one CloudFormation stack as it shall be.
type Stack struct {
	Name       string
	Body       string            // the template, JSON
	URL        string            // where it lies in S3, instead of Body where that is too long
	Parameters map[string]string // of the template
	Tags       map[string]string
}

// Change is one line of a change set.
type Change struct {
	Stack       string   `json:"stack"`
	Action      string   `json:"action"` // Add, Modify, Remove, Import
	ID          string   `json:"id"`     // in the template
	Type        string   `json:"type"`
	Replacement string   `json:"replacement,omitempty"` // True, False, Conditional; of a Modify
	Properties  []string `json:"properties,omitempty"`  // that change; of a Modify
}

// ChangeSet is what CloudFormation would do.
type ChangeSet struct {
	Stack   string   `json:"stack"`
	New     bool     `json:"new"` // the stack is not there yet
	Changes []Change `json:"changes"`
	arn     string   // "" where nothing changes
	stackID string
}

// Empty reports whether the stack is already as it shall be.
func (c ChangeSet) Empty() bool { return c.arn == "" }

// Event is one step of one resource.
type Event struct {
	Time   time.Time `json:"time"`
	Stack  string    `json:"stack"`
	ID     string    `json:"id"`
	Type   string    `json:"type"`
	Status string    `json:"status"`
	Reason string    `json:"reason,omitempty"`
}

// stacks makes and changes CloudFormation stacks.
type stacks struct {
	api    *cloudformation.Client
	now    func() time.Time
	wait   func(ctx context.Context, d time.Duration) error
	report func(Event)
}

// How often AWS is asked how far it is, and for how long at most: an endpoint takes
// ten minutes to make, a stack without one seldom two.
const (
	pollEvery   = 2 * time.Second
	pollAtMost  = 45 * time.Minute
	changeWait  = 10 * time.Minute
	maxTemplate = 51_200 // bytes that CloudFormation takes inline
)

// state returns the stack's status, "" where there is none, and its identifier.
func (s stacks) describe(ctx context.Context, name string) (*types.Stack, error) {
	out, err := s.api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist") {
		return nil, nil
	}
	if err != nil {
		return nil, explain("look at stack "+name, err)
	}
	if len(out.Stacks) == 0 || out.Stacks[0].StackStatus == types.StackStatusDeleteComplete {
		return nil, nil
	}
	return &out.Stacks[0], nil
}

// changeable returns nil if a stack in that status can be changed.
func changeable(name string, status types.StackStatus) error {
	what := fmt.Errorf("stack %s is in %s", name, status)
	switch {
	case status == types.StackStatusRollbackComplete:
		return Failure{fmt.Errorf("%w: its first deployment failed and was rolled back, and such a stack can only be deleted", what), "run \"picket deploy destroy\", which deletes it and keeps the data, then \"picket deploy\" again"}
	case status == types.StackStatusRollbackFailed || status == types.StackStatusDeleteFailed || status == types.StackStatusCreateFailed:
		return Failure{what, "run \"picket deploy destroy\", which says what cannot be removed and why, then \"picket deploy\" again"}
	case status == types.StackStatusUpdateRollbackFailed:
		return Failure{what, "run \"aws cloudformation continue-update-rollback --stack-name " + name + "\", then \"picket deploy\" again"}
	case status == types.StackStatusReviewInProgress:
		return nil // a change set of CREATE that nobody executed
	case strings.HasSuffix(string(status), "_IN_PROGRESS"):
		return Failure{fmt.Errorf("%w: another deployment is under way", what), "wait for it (\"picket deploy status\"), then run \"picket deploy\" again"}
	}
	return nil
}

// plan asks CloudFormation what a stack would take. Nothing is changed by it; discard
// removes what it leaves.
func (s stacks) plan(ctx context.Context, want Stack) (ChangeSet, error) {
	have, err := s.describe(ctx, want.Name)
	if err != nil {
		return ChangeSet{}, err
	}
	kind := types.ChangeSetTypeCreate
	if have != nil {
		if err := changeable(want.Name, have.StackStatus); err != nil {
			return ChangeSet{}, err
		}
		if have.StackStatus != types.StackStatusReviewInProgress {
			kind = types.ChangeSetTypeUpdate
		}
	}
	name := fmt.Sprintf("picket-%d", s.now().UnixNano())
	in := &cloudformation.CreateChangeSetInput{
		StackName: &want.Name, ChangeSetName: &name, ChangeSetType: kind,
		Capabilities:            []types.Capability{types.CapabilityCapabilityNamedIam},
		ImportExistingResources: aws.Bool(kind == types.ChangeSetTypeCreate),
		Description:             aws.String("made by picket deploy"),
	}
	if want.URL != "" {
		in.TemplateURL = &want.URL
	} else {
		in.TemplateBody = &want.Body
	}
	for _, k := range sortedKeys(want.Parameters) {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String(k), ParameterValue: aws.String(want.Parameters[k])})
	}
	for _, k := range sortedKeys(want.Tags) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(k), Value: aws.String(want.Tags[k])})
	}
	out, err := s.api.CreateChangeSet(ctx, in)
	if err != nil {
		return ChangeSet{}, explain("make a change set for stack "+want.Name, err)
	}
	set := ChangeSet{Stack: want.Name, New: kind == types.ChangeSetTypeCreate, arn: aws.ToString(out.Id), stackID: aws.ToString(out.StackId)}
	return set, s.fill(ctx, &set)
}

// fill waits until CloudFormation has worked the change set out, and reads it. One
// without changes is removed.
func (s stacks) fill(ctx context.Context, set *ChangeSet) error {
	end := s.now().Add(changeWait)
	for {
		out, err := s.api.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: &set.arn, StackName: &set.stackID})
		if err != nil {
			return explain("read the change set of stack "+set.Stack, err)
		}
		switch out.Status {
		case types.ChangeSetStatusCreateComplete:
			return s.changes(ctx, set, out)
		case types.ChangeSetStatusFailed:
			reason := aws.ToString(out.StatusReason)
			if unchanged(reason) {
				err := s.discard(ctx, *set)
				set.arn = ""
				return err
			}
			_ = s.discard(ctx, *set) // what matters is why it failed
			return Failure{fmt.Errorf("change set of stack %s: %s", set.Stack, reason), adviceOnReason(reason)}
		}
		if s.now().After(end) {
			return fmt.Errorf("change set of stack %s: still %s after %s", set.Stack, out.Status, changeWait)
		}
		if err := s.wait(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// unchanged reports whether a change set failed because there is nothing to change:
// CloudFormation has no other way to say so.
func unchanged(reason string) bool {
	return strings.Contains(reason, "didn't contain changes") || strings.Contains(reason, "No updates are to be performed")
}

// changes reads every page of a change set.
func (s stacks) changes(ctx context.Context, set *ChangeSet, page *cloudformation.DescribeChangeSetOutput) error {
	for {
		for _, c := range page.Changes {
			if r := c.ResourceChange; r != nil {
				set.Changes = append(set.Changes, changeOf(set.Stack, r))
			}
		}
		if page.NextToken == nil {
			break
		}
		var err error
		page, err = s.api.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: &set.arn, StackName: &set.stackID, NextToken: page.NextToken})
		if err != nil {
			return explain("read the change set of stack "+set.Stack, err)
		}
	}
	if len(set.Changes) == 0 { // only outputs or tags would change
		set.Changes = []Change{}
	}
	return nil
}

func changeOf(stack string, r *types.ResourceChange) Change {
	c := Change{Stack: stack, Action: string(r.Action), ID: aws.ToString(r.LogicalResourceId), Type: aws.ToString(r.ResourceType), Replacement: string(r.Replacement)}
	for _, d := range r.Details {
		if d.Target != nil && d.Target.Name != nil && !slices.Contains(c.Properties, *d.Target.Name) {
			c.Properties = append(c.Properties, *d.Target.Name)
		}
	}
	slices.Sort(c.Properties)
	return c
}

// discard removes a change set that is not carried out, and the empty stack that one
// of a new stack leaves.
func (s stacks) discard(ctx context.Context, set ChangeSet) error {
	if set.Empty() {
		return nil
	}
	if set.New {
		_, err := s.api.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &set.Stack})
		return explain("remove the change set of stack "+set.Stack, err)
	}
	_, err := s.api.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: &set.arn, StackName: &set.stackID})
	return explain("remove the change set of stack "+set.Stack, err)
}

// apply carries a change set out and reports every step of every resource. When it
// fails, CloudFormation has put back what was there before.
func (s stacks) apply(ctx context.Context, set ChangeSet) error {
	if set.Empty() {
		return nil
	}
	seen, err := s.past(ctx, set.stackID)
	if err != nil {
		return err
	}
	if _, err := s.api.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: &set.arn, StackName: &set.stackID}); err != nil {
		return explain("change stack "+set.Stack, err)
	}
	return s.follow(ctx, set.stackID, set.Stack, seen)
}

// remove deletes a stack and waits for it; one that is not there is removed already.
func (s stacks) remove(ctx context.Context, name string) error {
	have, err := s.describe(ctx, name)
	if err != nil || have == nil {
		return err
	}
	seen, err := s.past(ctx, aws.ToString(have.StackId))
	if err != nil {
		return err
	}
	if _, err := s.api.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: have.StackId}); err != nil {
		return explain("delete stack "+name, err)
	}
	return s.follow(ctx, aws.ToString(have.StackId), name, seen)
}

// follow reports what happens to a stack until nothing more does.
func (s stacks) follow(ctx context.Context, id, name string, seen map[string]bool) error {
	end := s.now().Add(pollAtMost)
	var first Event // that failed
	for {
		events, err := s.events(ctx, id, seen)
		if err != nil {
			return err
		}
		for _, e := range events {
			e.Stack = name
			if first.ID == "" && strings.HasSuffix(e.Status, "_FAILED") && !strings.Contains(e.Reason, "cancelled") && e.ID != name {
				first = e
			}
			s.report(e)
		}
		have, err := s.describe(ctx, id)
		if err != nil {
			return err
		}
		if have == nil || !strings.HasSuffix(string(have.StackStatus), "_IN_PROGRESS") {
			return verdict(name, have, first)
		}
		if s.now().After(end) {
			return Failure{fmt.Errorf("stack %s: still %s after %s", name, have.StackStatus, pollAtMost), "it goes on without you: see \"picket deploy status\""}
		}
		if err := s.wait(ctx, pollEvery); err != nil {
			return Failure{fmt.Errorf("stack %s: %w; CloudFormation goes on without you", name, err), "see \"picket deploy status\""}
		}
	}
}

// verdict is nil if a stack ended where it should, else why not.
func verdict(name string, have *types.Stack, first Event) error {
	if have == nil {
		return nil
	}
	switch have.StackStatus {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusImportComplete, types.StackStatusDeleteComplete:
		return nil
	}
	if first.ID == "" {
		return Failure{fmt.Errorf("stack %s: %s: %s", name, have.StackStatus, aws.ToString(have.StackStatusReason)), adviceOnReason(aws.ToString(have.StackStatusReason))}
	}
	end := "everything is as it was before"
	if strings.HasPrefix(string(have.StackStatus), "DELETE") || strings.HasSuffix(string(have.StackStatus), "ROLLBACK_FAILED") {
		end = "the stack is in " + string(have.StackStatus)
	}
	return Failure{fmt.Errorf("stack %s: %s (%s): %s; %s", name, first.ID, first.Type, first.Reason, end), adviceOnReason(first.Reason)}
}

// past returns the events of earlier changes, so that they are not told again.
func (s stacks) past(ctx context.Context, id string) (map[string]bool, error) {
	seen := map[string]bool{}
	return seen, s.eachEvent(ctx, id, func(e types.StackEvent) bool {
		seen[aws.ToString(e.EventId)] = true
		return true
	})
}

// events returns what happened since the last call, the oldest first.
func (s stacks) events(ctx context.Context, id string, seen map[string]bool) ([]Event, error) {
	var news []Event
	err := s.eachEvent(ctx, id, func(e types.StackEvent) bool {
		key := aws.ToString(e.EventId)
		if seen[key] {
			return false // they come newest first: the rest is known
		}
		seen[key] = true
		news = append(news, Event{Time: aws.ToTime(e.Timestamp), ID: aws.ToString(e.LogicalResourceId), Type: aws.ToString(e.ResourceType), Status: string(e.ResourceStatus), Reason: aws.ToString(e.ResourceStatusReason)})
		return true
	})
	slices.Reverse(news)
	return news, err
}

// eachEvent visits the events of a stack, the newest first, until visit says no.
func (s stacks) eachEvent(ctx context.Context, id string, visit func(types.StackEvent) bool) error {
	return pages(func(token *string) (*string, error) {
		page, err := s.api.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &id, NextToken: token})
		if err != nil {
			return nil, explain("follow stack "+id, err)
		}
		for _, e := range page.StackEvents {
			if !visit(e) {
				return nil, nil
			}
		}
		return page.NextToken, nil
	})
}

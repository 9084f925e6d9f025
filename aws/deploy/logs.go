package deploy

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// Line is one line that a function logged.
type Line struct {
	Time     time.Time `json:"time"`
	Function string    `json:"function"`
	Text     string    `json:"text"`
	id       string
}

// logOverlap is how far back a follower asks again: CloudWatch takes lines seconds
// after they were written, and not in order.
const logOverlap = time.Minute

// Logs passes the lines of the functions from since on to tell, the oldest first; with
// follow until ctx ends. filter is CloudWatch's own pattern language; "" is all.
func (a *Account) Logs(ctx context.Context, verbs []string, since time.Time, filter string, follow bool, tell func(Line) error) error {
	seen := map[string]time.Time{}
	for {
		var lines []Line
		for _, verb := range verbs {
			got, err := a.lines(ctx, verb, since, filter)
			if err != nil {
				return err
			}
			lines = append(lines, got...)
		}
		slices.SortStableFunc(lines, func(x, y Line) int { return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.id, y.id)) })
		for _, l := range lines {
			if _, known := seen[l.id]; known {
				continue
			}
			seen[l.id] = l.Time
			if err := tell(l); err != nil {
				return err
			}
		}
		if !follow {
			return nil
		}
		if again := a.Now().Add(-logOverlap); again.After(since) {
			since = again
		}
		for id, at := range seen { // what cannot come again is forgotten
			if at.Before(since) {
				delete(seen, id)
			}
		}
		if err := a.Wait(ctx, pollEvery); err != nil {
			return nil // ended by who follows
		}
	}
}

func (a *Account) lines(ctx context.Context, verb string, since time.Time, filter string) ([]Line, error) {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(a.LogGroup(verb)), StartTime: aws.Int64(since.UnixMilli())}
	if filter != "" {
		in.FilterPattern = &filter
	}
	var lines []Line
	err := pages(func(token *string) (*string, error) {
		in.NextToken = token
		page, err := a.logs.FilterLogEvents(ctx, in)
		if notFound(err) {
			return nil, nil // never ran
		}
		if err != nil {
			return nil, explain("read the log of "+a.Function(verb), err)
		}
		for _, e := range page.Events {
			lines = append(lines, Line{Time: time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC(), Function: verb, Text: aws.ToString(e.Message), id: aws.ToString(e.EventId)})
		}
		return page.NextToken, nil
	})
	return lines, err
}

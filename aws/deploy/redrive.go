package deploy

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Redriven is what came of a queue's dead letters.
type Redriven struct {
	Queue string `json:"queue"`
	Moved int    `json:"moved"` // from its dead-letter queue back into it
}

// redriveAtMost bounds the dead letters of a queue that one call moves, so that one
// that dies again at once is not moved for ever.
const redriveAtMost = 100_000

// Redrive gives the dead letters of the named functions' queues back to them: what
// could not be read then may be readable now. A message is deleted once it is back, so
// one that is interrupted comes twice; every step is idempotent, and nothing is found
// twice. told is called with each message's body.
func (a *Account) Redrive(ctx context.Context, verbs []string, told func(queue, body string)) ([]Redriven, error) {
	var all []Redriven
	for _, verb := range verbs {
		r, err := a.redrive(ctx, verb, told)
		all = append(all, r)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (a *Account) redrive(ctx context.Context, verb string, told func(queue, body string)) (Redriven, error) {
	r := Redriven{Queue: a.Queue(verb)}
	dead, err := a.queueURL(ctx, a.DeadQueue(verb))
	if err != nil {
		return r, err
	}
	live, err := a.queueURL(ctx, a.Queue(verb))
	if err != nil {
		return r, err
	}
	for r.Moved < redriveAtMost {
		// A long poll asks every one of SQS's servers: an empty answer means empty.
		got, err := a.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &dead, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: 60})
		if err != nil {
			return r, explain("read dead letters of "+r.Queue, err)
		}
		if len(got.Messages) == 0 {
			break
		}
		for _, m := range got.Messages {
			if err := a.giveBack(ctx, dead, live, m); err != nil {
				return r, explain("move a dead letter of "+r.Queue, err)
			}
			r.Moved++
			told(r.Queue, aws.ToString(m.Body))
		}
	}
	return r, nil
}

func (a *Account) giveBack(ctx context.Context, dead, live string, m types.Message) error {
	if _, err := a.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &live, MessageBody: m.Body}); err != nil {
		return err
	}
	_, err := a.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &dead, ReceiptHandle: m.ReceiptHandle})
	return err
}

package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// message is what is taken or given back as a whole: a message of a queue, or an
// event that came by itself.
type message struct {
	id      string // of the queue's message; "" for an event that came by itself
	trace   string // X-Ray's, of who sent it; may be ""
	notices []notice
	err     error // why it is given back; nil is done
}

func (m *message) fail(err error) {
	if err != nil && m.err == nil {
		m.err = err
	}
}

// notice is one thing that an event says: an object that was put, or another event
// as it came.
type notice struct {
	object *object
	event  json.RawMessage // of a service other than S3, or a word of our own such as {"final":true}
}

// object is an object that S3 told of.
type object struct {
	Bucket, Key, Version, ETag, Sequencer string
	Size                                  int64
}

// errEnvelope is the error of an event that is none that is known.
var errEnvelope = errors.New("no envelope of SQS, SNS, EventBridge or S3, and no word of Picket's")

// maxDepth bounds envelopes in envelopes: S3 in SNS in SQS is three.
const maxDepth = 8

// unwrap returns the messages of an event. One that cannot be read has an error of
// its own: only it goes back.
func unwrap(payload []byte) []*message {
	var batch struct {
		Records []struct {
			MessageID   string `json:"messageId"`
			EventSource string `json:"eventSource"`
			Body        string `json:"body"`
			Attributes  struct {
				Trace string `json:"AWSTraceHeader"`
			} `json:"attributes"`
		}
	}
	if json.Unmarshal(payload, &batch) != nil || len(batch.Records) == 0 || batch.Records[0].EventSource != "aws:sqs" {
		m := &message{}
		m.notices, m.err = open([]byte(payload), 0)
		return []*message{m}
	}
	messages := make([]*message, len(batch.Records))
	for i, r := range batch.Records {
		m := &message{id: r.MessageID, trace: r.Attributes.Trace}
		m.notices, m.err = open([]byte(r.Body), 0)
		messages[i] = m
	}
	return messages
}

// envelope has the fields by which envelopes are told apart.
type envelope struct {
	Records    []json.RawMessage // of SQS, SNS, S3
	Type       string            // of SNS in a queue: "Notification"
	Message    string
	DetailType string `json:"detail-type"` // of EventBridge
	Source     string `json:"source"`
	Detail     json.RawMessage
	Event      string // of S3: "s3:TestEvent"
	Final      *bool  `json:"final"`
	Drift      *bool  `json:"drift"`
}

// open returns all that an event says, whatever it is wrapped in.
func open(event []byte, depth int) ([]notice, error) {
	event = bytes.TrimSpace(event)
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d envelopes in each other", maxDepth)
	}
	if len(event) > 0 && event[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(event, &list); err != nil {
			return nil, fmt.Errorf("event: %w", err)
		}
		return openAll(list, depth)
	}
	var e envelope
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	switch {
	case e.Event == "s3:TestEvent":
		return nil, nil
	case len(e.Records) > 0:
		return openAll(e.Records, depth)
	case e.Type == "Notification":
		return open([]byte(e.Message), depth+1)
	case e.Source == "aws.s3":
		return eventBridgeObject(e)
	case e.DetailType != "" && e.Source != "", e.Final != nil, e.Drift != nil:
		return []notice{{event: json.RawMessage(event)}}, nil
	}
	return openRecord(event, depth)
}

func openAll(records []json.RawMessage, depth int) ([]notice, error) {
	var all []notice
	for _, r := range records {
		some, err := open(r, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// openRecord opens one record of a list of S3, SQS or SNS.
func openRecord(record []byte, depth int) ([]notice, error) {
	var r struct {
		Source string `json:"eventSource"` // SNS writes it with a capital: encoding/json does not mind
		Name   string `json:"eventName"`
		Body   string `json:"body"`
		SNS    struct{ Message string }
		S3     struct {
			Bucket struct{ Name string }
			Object struct {
				Key, ETag, VersionID, Sequencer string
				Size                            int64
			}
		}
	}
	if err := json.Unmarshal(record, &r); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	switch r.Source {
	case "aws:sqs":
		return open([]byte(r.Body), depth+1)
	case "aws:sns":
		return open([]byte(r.SNS.Message), depth+1)
	case "aws:s3":
		if !strings.HasPrefix(strings.TrimPrefix(r.Name, "s3:"), "ObjectCreated:") {
			return nil, nil
		}
		key, err := url.QueryUnescape(r.S3.Object.Key) // S3's notifications encode keys as forms do
		if err != nil {
			return nil, fmt.Errorf("key %q of an S3 notification: %w", r.S3.Object.Key, err)
		}
		o := r.S3.Object
		return objectNotice(object{r.S3.Bucket.Name, key, o.VersionID, o.ETag, o.Sequencer, o.Size})
	}
	return nil, errEnvelope
}

// eventBridgeObject reads an event that S3 sent to EventBridge: its key is as it is.
func eventBridgeObject(e envelope) ([]notice, error) {
	if e.DetailType != "Object Created" {
		return nil, nil
	}
	var d struct {
		Bucket struct{ Name string }
		Object struct {
			Key, ETag, Sequencer string
			Version              string `json:"version-id"`
			Size                 int64
		}
	}
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return nil, fmt.Errorf("detail: %w", err)
	}
	return objectNotice(object{d.Bucket.Name, d.Object.Key, d.Object.Version, d.Object.ETag, d.Object.Sequencer, d.Object.Size})
}

func objectNotice(o object) ([]notice, error) {
	if o.Bucket == "" || o.Key == "" {
		return nil, errors.New("an event of S3 names no bucket or no key")
	}
	return []notice{{object: &o}}, nil
}

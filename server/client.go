package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"picket"
	"picket/pipeline"
)

// Client scores rows at an endpoint, as a function in the cloud does. It
// implements pipeline.Scorer.
type Client struct {
	URL   string        // of the endpoint: http://127.0.0.1:8080/invocations
	Model *picket.Model // the package that the endpoint serves: its boosters and schemas
	HTTP  *http.Client

	// Send asks the endpoint instead of HTTP, where a call of another kind leads
	// there; may be nil. It returns the answer's body.
	Send func(ctx context.Context, r Request) (io.ReadCloser, error)
}

// Request is rows for an endpoint, and what is asked of them.
type Request struct {
	ContentType, Accept, CustomAttributes string
	Body                                  []byte
}

// Most that one request has: a serverless endpoint takes 4 MiB, others 6, and an
// answer with contributions is some times as large as its rows.
const (
	maxRequest   = 2 << 20 // bytes
	maxExplained = 256     // rows
)

// Score sends the rows of each booster, many in one request. Where the model has no
// booster for a row, its score has no classes.
func (c *Client) Score(ctx context.Context, rows []picket.Features, explain bool) ([]picket.Score, error) {
	scores := make([]picket.Score, len(rows))
	byBooster := map[picket.BoosterID][]int{}
	for i := range rows {
		scores[i].Features = rows[i]
		id := pipeline.BoosterOf(&rows[i])
		byBooster[id] = append(byBooster[id], i)
	}
	for i := range c.Model.Boosters {
		b := &c.Model.Boosters[i]
		for at := byBooster[b.ID]; len(at) > 0; {
			n, err := c.ask(ctx, b, scores, at, explain)
			if err != nil {
				return nil, fmt.Errorf("endpoint %s: booster %s: %w", c.URL, b.ID, err)
			}
			at = at[n:]
		}
	}
	return scores, nil
}

// ask scores rows at the first of the given places with one booster, as many as one
// request takes, and returns how many.
func (c *Client) ask(ctx context.Context, b *picket.Booster, scores []picket.Score, at []int, explain bool) (int, error) {
	if explain {
		at = at[:min(len(at), maxExplained)]
	}
	var body bytes.Buffer
	for n, i := range at {
		before := body.Len()
		writeRow(&body, scores[i].Values)
		if n > 0 && body.Len() > maxRequest {
			body.Truncate(before)
			at = at[:n]
			break
		}
	}
	r, err := c.send(ctx, Request{
		ContentType: "text/csv", Accept: "application/jsonlines", Body: body.Bytes(),
		CustomAttributes: fmt.Sprintf("booster=%s;schema=%s;contributions=%t", b.ID, b.Schema.Hash, explain),
	})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	lines := json.NewDecoder(bufio.NewReader(r))
	for _, i := range at {
		var p prediction
		if err := lines.Decode(&p); err != nil {
			return 0, fmt.Errorf("answer: %w", err)
		}
		p.fill(&scores[i], b)
	}
	return len(at), nil
}

func (c *Client) send(ctx context.Context, r Request) (io.ReadCloser, error) {
	if c.Send != nil {
		return c.Send(ctx, r)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", r.ContentType)
	request.Header.Set("Accept", r.Accept)
	request.Header.Set("X-Amzn-Sagemaker-Custom-Attributes", r.CustomAttributes)
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		reason, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(reason)))
	}
	return response.Body, nil
}

// writeRow writes a row as the endpoint reads it: a missing value is empty.
func writeRow(w *bytes.Buffer, values []float64) {
	for i, v := range values {
		if i > 0 {
			w.WriteByte(',')
		}
		if !math.IsNaN(v) {
			w.Write(strconv.AppendFloat(w.AvailableBuffer(), v, 'g', -1, 64))
		}
	}
	w.WriteByte('\n')
}

// prediction is one line of the endpoint's answer.
type prediction struct {
	Score         float64   `json:"score"`
	Raw           float64   `json:"raw_score"`
	Threshold     float64   `json:"threshold"`
	Probabilities []float64 `json:"probabilities"`
	Contributions []struct {
		Feature string   `json:"feature"`
		Value   *float64 `json:"value"` // null is missing
		Shap    float64  `json:"shap"`
	} `json:"contributions"`
}

func (p *prediction) fill(s *picket.Score, b *picket.Booster) {
	s.Booster, s.Classes = b.ID, b.Classes
	s.Malicious, s.Margin, s.Threshold, s.Probabilities = p.Score, p.Raw, p.Threshold, p.Probabilities
	for _, c := range p.Contributions {
		value := math.NaN()
		if c.Value != nil {
			value = *c.Value
		}
		s.Contributions = append(s.Contributions, picket.Contribution{Feature: c.Feature, Value: value, Shap: c.Shap})
	}
}

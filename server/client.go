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
}

// Score sends the rows of each booster in one request. Where the model has no
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
		if at := byBooster[b.ID]; len(at) > 0 {
			if err := c.ask(ctx, b, scores, at, explain); err != nil {
				return nil, fmt.Errorf("endpoint %s: booster %s: %w", c.URL, b.ID, err)
			}
		}
	}
	return scores, nil
}

// ask scores the rows at the given places with one booster.
func (c *Client) ask(ctx context.Context, b *picket.Booster, scores []picket.Score, at []int, explain bool) error {
	var body bytes.Buffer
	for _, i := range at {
		writeRow(&body, scores[i].Values)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, &body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/csv")
	request.Header.Set("Accept", "application/jsonlines")
	request.Header.Set("X-Amzn-Sagemaker-Custom-Attributes", fmt.Sprintf("booster=%s;schema=%s;contributions=%t", b.ID, b.Schema.Hash, explain))
	response, err := c.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(reason)))
	}
	lines := json.NewDecoder(bufio.NewReader(response.Body))
	for _, i := range at {
		var p prediction
		if err := lines.Decode(&p); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		p.fill(&scores[i], b)
	}
	return nil
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

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"picket"
)

// job is one request on its way: rows in, answer out.
type job struct {
	*desk
	*loaded
	ctx    context.Context
	ask    ask
	format format
	batch  bool
	keys   []predictionKey
	to     *booster
	rows   int
}

// run scores the rows of the body.
func (j *job) run(in format) error {
	j.out = j.out[:0]
	switch in {
	case formatJSON:
		return j.json()
	case formatJSONLines:
		return j.lines(func(line []byte) ([]float64, int, error) {
			var one jsonInstance
			if err := json.Unmarshal(line, &one); err != nil {
				return nil, 0, unreadable(err)
			}
			return j.to.jsonRow(one.Features, j.row)
		})
	}
	return j.lines(func(line []byte) ([]float64, int, error) { return j.to.csvRow(line, j.row) })
}

func unreadable(err error) error {
	return refuse(http.StatusUnsupportedMediaType, "the body is not what its content type says: %v", err)
}

// choose finds the booster that was asked for.
func (j *job) choose() error {
	j.to = j.only
	if j.ask.booster != "" {
		j.to = j.boosters[j.ask.booster]
	}
	switch {
	case j.to == nil && j.ask.booster == "":
		return refuse(http.StatusBadRequest, "name a booster in X-Picket-Booster: one of %s", j.names)
	case j.to == nil:
		return refuse(http.StatusBadRequest, "no booster %.80q: one of %s", j.ask.booster, j.names)
	case j.ask.schema != "" && j.ask.schema != j.to.Schema.Hash:
		return refuse(http.StatusBadRequest, "the rows have schema %.80q, booster %s wants %q", j.ask.schema, j.to.ID, j.to.Schema.Hash)
	}
	return nil
}

func (j *job) lines(parse func([]byte) ([]float64, int, error)) error {
	if err := j.choose(); err != nil {
		return err
	}
	j.begin()
	for rest := j.body; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, newline)
		if err := j.score(parse(bytes.TrimSuffix(line, carriage))); err != nil {
			return err
		}
	}
	j.end()
	return nil
}

var newline, carriage = []byte{'\n'}, []byte{'\r'}

func (j *job) json() error {
	var body jsonBody
	if err := json.Unmarshal(j.body, &body); err != nil {
		return unreadable(err)
	}
	if body.Booster != "" {
		j.ask.booster = body.Booster
	}
	if body.Schema != "" {
		j.ask.schema = body.Schema
	}
	if err := j.choose(); err != nil {
		return err
	}
	j.begin()
	for _, one := range body.Instances {
		if err := j.score(j.to.jsonRow(one.Features, j.row)); err != nil {
			return err
		}
	}
	j.end()
	return nil
}

// score answers one row, or says which one it could not answer and why.
func (j *job) score(row []float64, width int, err error) error {
	j.rows++
	if err == nil && width != len(j.to.Schema.Names) {
		err = refuse(http.StatusBadRequest, "%d columns; booster %s has %d", width, j.to.ID, len(j.to.Schema.Names))
	}
	if err == nil && j.rows%1024 == 0 {
		err = j.ctx.Err()
	}
	if err == nil {
		j.row = row
		err = j.scorer.Score(j.to.ID, row, j.ask.explain, &j.desk.answer)
	}
	if err != nil {
		return rowError(j.rows, err)
	}
	j.prediction(&j.desk.answer)
	return nil
}

func rowError(row int, err error) error {
	status := http.StatusBadRequest
	if no, ok := err.(*refusal); ok {
		status = no.status
	}
	return refuse(status, "row %d: %v", row, err)
}

func (j *job) begin() {
	if j.format == formatJSON {
		j.out = append(j.out, `{"predictions":[`...)
	}
}

func (j *job) end() {
	switch j.format {
	case formatJSON:
		j.out = append(j.out, `],"model":`...)
		j.out = appendString(j.out, j.id)
		j.out = append(j.out, `,"booster":`...)
		j.out = appendString(j.out, j.to.ID.String())
		j.out = append(j.out, `,"classes":`...)
		j.out = appendStrings(j.out, j.to.Classes)
		j.out = append(j.out, `,"schema":`...)
		j.out = appendString(j.out, j.to.Schema.Hash)
		j.out = append(j.out, "}\n"...)
	case formatCSV:
		if j.batch {
			j.out = append(j.out, '\n')
		}
	}
}

// prediction writes the answer to one row.
func (j *job) prediction(s *picket.Score) {
	if j.rows > 1 && j.format != formatJSONLines {
		separator := byte(',')
		if j.batch && j.format == formatCSV {
			separator = '\n'
		}
		j.out = append(j.out, separator)
	}
	if j.format == formatCSV {
		j.out = appendNumber(j.out, s.Malicious)
		return
	}
	for i, key := range j.keys {
		j.out = append(j.out, "{,"[min(i, 1)], '"')
		j.out = append(j.out, key.name...)
		j.out = append(j.out, '"', ':')
		j.out = key.value(j.out, s)
	}
	if j.ask.explain {
		j.out = append(j.out, `,"contributions":`...)
		j.out = appendContributions(j.out, s.Contributions)
	}
	j.out = append(j.out, '}')
	if j.format == formatJSONLines {
		j.out = append(j.out, '\n')
	}
}

// predictionKey is one key of a prediction in JSON.
type predictionKey struct {
	name  string
	value func([]byte, *picket.Score) []byte
}

// predictionKeys in the order in which they are written. The names are those of
// SageMaker's XGBoost container where it has one.
func predictionKeys() []predictionKey {
	return []predictionKey{
		{"score", func(b []byte, s *picket.Score) []byte { return appendNumber(b, s.Malicious) }},
		{"confidence", func(b []byte, s *picket.Score) []byte { return appendNumber(b, s.Malicious) }},
		{"predicted_label", func(b []byte, s *picket.Score) []byte { return strconv.AppendInt(b, int64(label(s)), 10) }},
		{"class", func(b []byte, s *picket.Score) []byte { return appendString(b, s.Classes[label(s)]) }},
		{"probabilities", func(b []byte, s *picket.Score) []byte { return appendNumbers(b, s.Probabilities) }},
		{"raw_score", func(b []byte, s *picket.Score) []byte { return appendNumber(b, s.Margin) }},
		{"threshold", func(b []byte, s *picket.Score) []byte { return appendNumber(b, s.Threshold) }},
	}
}

// chooseKeys returns the keys of the given names; no name is all of them.
func chooseKeys(names []string) ([]predictionKey, error) {
	all := predictionKeys()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []predictionKey
	for _, name := range names {
		n := len(chosen)
		for _, key := range all {
			if key.name == name {
				chosen = append(chosen, key)
			}
		}
		if len(chosen) == n {
			return nil, fmt.Errorf("a prediction has no %q", name)
		}
	}
	return chosen, nil
}

// label is the index of the class that a score says: the most probable one that
// is not normal if it passes the threshold, else normal.
func label(s *picket.Score) int {
	if !s.Over() || len(s.Probabilities) < 2 {
		return 0
	}
	best := 1
	for i := 2; i < len(s.Probabilities); i++ {
		if s.Probabilities[i] > s.Probabilities[best] {
			best = i
		}
	}
	return best
}

// appendNumber writes the shortest text that reads as v again; what JSON cannot
// hold is null.
func appendNumber(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

func appendNumbers(b []byte, list []float64) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(b, v)
	}
	return append(b, ']')
}

func appendString(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string always has a JSON form
	return append(b, text...)
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

func appendContributions(b []byte, list []picket.Contribution) []byte {
	b = append(b, '[')
	for i, c := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"feature":`...)
		b = appendString(b, c.Feature)
		b = append(b, `,"value":`...)
		b = appendNumber(b, c.Value)
		b = append(b, `,"shap":`...)
		b = appendNumber(b, c.Shap)
		b = append(b, '}')
	}
	return append(b, ']')
}

// send writes the finished answer.
func (j *job) send(w http.ResponseWriter) {
	head := w.Header()
	head["Content-Type"] = j.format.header()
	head["X-Picket-Model"] = j.header
	head["Content-Length"] = []string{strconv.Itoa(len(j.out))}
	w.Write(j.out) // if the client has gone nobody is left to tell
}

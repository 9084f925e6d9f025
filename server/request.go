package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// format is a media type of a body.
type format int

const (
	formatCSV format = iota
	formatJSON
	formatJSONLines
)

var mediaTypes = [...][]string{{"text/csv"}, {"application/json"}, {"application/jsonlines"}}

// header returns the value of a Content-Type header. It must not be changed.
func (f format) header() []string { return mediaTypes[f] }

func parseFormat(media string) (format, bool) {
	media, _, _ = strings.Cut(media, ";")
	media = strings.TrimSpace(media)
	for f, names := range mediaTypes {
		if strings.EqualFold(media, names[0]) {
			return format(f), true
		}
	}
	return 0, false
}

func parseContentType(header string) (format, bool) {
	if header == "" {
		return formatCSV, true
	}
	return parseFormat(header)
}

// parseAccept returns the first format of an Accept header that can be had;
// weights are not looked at.
func parseAccept(header string, otherwise format) (format, bool) {
	if header == "" {
		return otherwise, true
	}
	for media := range strings.SplitSeq(header, ",") {
		if f, ok := parseFormat(media); ok {
			return f, true
		}
		name, _, _ := strings.Cut(media, ";")
		switch strings.TrimSpace(name) {
		case "*/*":
			return otherwise, true
		case "text/*":
			return formatCSV, true
		case "application/*":
			return formatJSON, true
		}
	}
	return 0, false
}

// ask is what a request wants besides its rows.
type ask struct {
	booster string // "" is the only one
	schema  string // hash; "" is unchecked
	explain bool
}

// asks reads the query, the headers X-Picket-Booster, X-Picket-Schema and
// X-Picket-Contributions, and SageMaker's one free header, which is the only one
// that its front passes on: "booster=traffic/actor/60;schema=HASH;contributions=1".
func asks(r *http.Request) ask {
	a := ask{
		booster: r.Header.Get("X-Picket-Booster"),
		schema:  r.Header.Get("X-Picket-Schema"),
		explain: isTrue(r.Header.Get("X-Picket-Contributions")),
	}
	for pair := range strings.SplitSeq(r.Header.Get("X-Amzn-Sagemaker-Custom-Attributes"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		a.set(name, value)
	}
	if r.URL.RawQuery != "" {
		for name, values := range r.URL.Query() {
			a.set(name, values[0])
		}
	}
	return a
}

func (a *ask) set(name, value string) {
	switch name {
	case "booster":
		a.booster = value
	case "schema":
		a.schema = value
	case "contributions":
		a.explain = isTrue(value)
	}
}

func isTrue(s string) bool { return s == "1" || s == "true" }

// read takes the body in, at most limit bytes.
func (d *desk) read(r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return refuse(http.StatusRequestEntityTooLarge, "a body of %d bytes; at most %d", r.ContentLength, limit)
	}
	buf := bytes.NewBuffer(d.body[:0])
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, largestDesk)) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	d.body = buf.Bytes()
	switch {
	case err != nil:
		return refuse(http.StatusBadRequest, "read the body: %v", err)
	case n > limit:
		return refuse(http.StatusRequestEntityTooLarge, "a body of more than %d bytes", limit)
	case n == 0:
		return refuse(http.StatusNoContent, "")
	}
	return nil
}

var errNumber = errors.New("not a finite number")

// number parses a cell of a column of numbers. Empty and nan are missing.
func number(cell []byte) (float64, error) {
	if len(cell) == 0 {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(string(cell), 64) // the copy stays on the stack
	if err != nil || math.IsInf(v, 0) {
		return 0, errNumber
	}
	return v, nil
}

// value is a cell as a number: of a text column its code, missing where the
// value was not seen in training.
func (b *booster) value(column int, cell []byte) (float64, error) {
	if b.codes == nil || b.codes[column] == nil {
		return number(cell)
	}
	if code, ok := b.codes[column][string(cell)]; ok {
		return code, nil
	}
	return math.NaN(), nil
}

// csvRow parses one line into row, which it returns with its true width; of a
// row that is too wide the rest is only counted.
func (b *booster) csvRow(line []byte, row []float64) ([]float64, int, error) {
	row = row[:0]
	width := 0
	for more := true; more; width++ {
		var cell []byte
		cell, line, more = nextCell(line)
		if width >= len(b.Schema.Names) {
			continue
		}
		v, err := b.value(width, cell)
		if err != nil {
			return row, width, refuse(http.StatusUnsupportedMediaType, "column %d (%s): %.40q is %v", width+1, b.Schema.Names[width], cell, err)
		}
		row = append(row, v)
	}
	return row, width, nil
}

// nextCell cuts the first cell off a line. Quotes are as in RFC 4180.
func nextCell(line []byte) (cell, rest []byte, more bool) {
	if len(line) == 0 || line[0] != '"' {
		cell, rest, more = bytes.Cut(line, comma)
		return bytes.TrimSpace(cell), rest, more
	}
	for i := 1; i < len(line); i++ {
		switch {
		case line[i] != '"':
			cell = append(cell, line[i])
		case i+1 < len(line) && line[i+1] == '"':
			cell = append(cell, '"')
			i++
		default:
			_, rest, more = bytes.Cut(line[i+1:], comma)
			return cell, rest, more
		}
	}
	return cell, nil, false
}

var comma = []byte{','}

// jsonBody is the body of a JSON request; instances are objects with features, or
// the arrays themselves.
type jsonBody struct {
	Booster   string         `json:"booster"`
	Schema    string         `json:"schema"`
	Instances []jsonInstance `json:"instances"`
}

type jsonInstance struct {
	Features []any `json:"features"` // numbers, strings, null for missing
}

func (i *jsonInstance) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, &i.Features)
	}
	type plain jsonInstance
	return json.Unmarshal(data, (*plain)(i))
}

// jsonRow turns an instance into row.
func (b *booster) jsonRow(cells []any, row []float64) ([]float64, int, error) {
	row = row[:0]
	for i, cell := range cells[:min(len(cells), len(b.Schema.Names))] {
		v, err := b.jsonValue(i, cell)
		if err != nil {
			return row, len(cells), refuse(http.StatusUnsupportedMediaType, "column %d (%s): %v", i+1, b.Schema.Names[i], err)
		}
		row = append(row, v)
	}
	return row, len(cells), nil
}

func (b *booster) jsonValue(column int, cell any) (float64, error) {
	text := b.codes != nil && b.codes[column] != nil
	switch v := cell.(type) {
	case nil:
		return math.NaN(), nil
	case float64:
		if text {
			return b.value(column, strconv.AppendFloat(nil, v, 'g', -1, 64))
		}
		return v, nil
	case string:
		return b.value(column, []byte(v))
	}
	return 0, errNumber
}

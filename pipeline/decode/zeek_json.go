package decode

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"
)

// readZeekJSON reads a Zeek log of one JSON object per line. Lines of several
// logs may be mixed, as shippers do.
func readZeekJSON(d *run) error {
	var row zeekRow
	var shapes zeekShapes
	known, skipped := false, ""
	for {
		line, err := d.line()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		row = zeekRow{}
		if !shapes.parse(&row, line) && !row.learn(line, &shapes) {
			err = d.drop(reasonJSON, "", line)
		} else if log := row.log(); log == nil {
			skipped = zeekSkipped(row[zeekPath])
			d.stats.Dropped[skipped]++
		} else {
			known = true
			err = d.sendZeek(log, &row, line)
		}
		if err != nil {
			return err
		}
	}
	if !known && skipped != "" {
		return d.failAt(0, skipped, "", nil)
	}
	return nil
}

// sendZeek sends what a row of a log says; line is what it was made from.
func (d *run) sendZeek(log *zeekLog, row *zeekRow, line []byte) error {
	switch reason := log.record(row, &d.rec); reason {
	case "":
		return d.send(line)
	case reasonNoLogin, reasonNoName:
		d.stats.Dropped[reason]++
		return nil
	default:
		return d.drop(reason, "", line)
	}
}

// learn is parse of a line whose order of keys is new.
func (row *zeekRow) learn(line []byte, shapes *zeekShapes) bool {
	if !row.parse(line) {
		return false
	}
	shapes.learn(line)
	return true
}

// parse fills the row from a JSON object. The key walker knows what Zeek writes;
// any other shape goes to encoding/json.
func (row *zeekRow) parse(line []byte) bool {
	if walkObject(line, row.set) {
		return true
	}
	*row = zeekRow{}
	return row.parseSlow(line)
}

// set takes one value of the walker: scalars as their text without quotes,
// nested values whole.
func (row *zeekRow) set(key, value []byte) bool {
	if string(key) == "id" && value[0] == '{' {
		return walkObject(value, row.setID)
	}
	f := zeekFieldOf(key)
	if f == zeekOther {
		return true
	}
	if f == zeekAnswers || f == zeekCertNames { // lists, which are kept whole
		row[f] = value
		return true
	}
	text, ok := scalar(value)
	row[f] = text
	return ok
}

// setID takes one value of a nested id.
func (row *zeekRow) setID(key, value []byte) bool {
	f := zeekOther
	switch string(key) {
	case "orig_h":
		f = zeekOrigH
	case "orig_p":
		f = zeekOrigP
	case "resp_h":
		f = zeekRespH
	case "resp_p":
		f = zeekRespP
	default:
		return true
	}
	text, ok := scalar(value)
	row[f] = text
	return ok
}

// parseSlow does what parse does, by encoding/json.
func (row *zeekRow) parseSlow(line []byte) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(line, &m) != nil || m == nil {
		return false
	}
	row.fill(m, zeekFieldOf)
	var id map[string]json.RawMessage
	if json.Unmarshal(m["id"], &id) == nil {
		row.fill(id, func(key []byte) zeekField { return zeekFieldOf(append([]byte("id."), key...)) })
	}
	return true
}

func (row *zeekRow) fill(m map[string]json.RawMessage, field func([]byte) zeekField) {
	for _, key := range slices.Sorted(maps.Keys(m)) { // two spellings of one field: the same one wins each time
		value := m[key]
		f := field([]byte(key))
		var text string
		switch {
		case f == zeekOther || string(value) == "null":
		case value[0] == '"' && json.Unmarshal(value, &text) == nil:
			row[f] = []byte(text)
		default:
			row[f] = value
		}
	}
}

// parseISO reads an ISO 8601 time, with or without a zone; without one it is UTC.
func parseISO(b []byte) (int64, bool) {
	if len(b) > 40 {
		return 0, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, string(b)); err == nil && t.Year() >= 1678 && t.Year() < 2262 {
			return t.UnixNano(), true
		}
	}
	return 0, false
}

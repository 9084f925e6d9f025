package main

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"picket/pipeline"
	"picket/pipeline/decode"
)

// gapsOf returns where the logs of some objects say that they have no records, and
// how many such lines there was no room for.
func gapsOf(done []pipeline.Ingested) (gaps []decode.Gap, left uint64) {
	for _, in := range done {
		gaps = append(gaps, in.Stats.Gaps...)
		left += in.Stats.GapsLeft
	}
	return decode.JoinGaps(gaps), left
}

// What a gap is called.
const (
	gapLost  = "records lost" // SKIPDATA
	gapQuiet = "no traffic"   // NODATA
)

func gapWords(g decode.Gap) string {
	if g.Lost {
		return gapLost
	}
	return gapQuiet
}

// writeCoverage prints the gaps: no log from this interface between these times.
func writeCoverage(w io.Writer, form string, gaps []decode.Gap) error {
	switch form {
	case "csv":
		out := csv.NewWriter(w)
		err := out.Write([]string{"interface", "from", "to", "seconds", "why"})
		for _, g := range gaps {
			err = cmp.Or(err, out.Write([]string{oneLine(g.Interface), rfc3339(g.Start), rfc3339(g.End), strconv.FormatInt(g.End-g.Start, 10), gapWords(g)}))
		}
		out.Flush()
		return cmp.Or(err, out.Error())
	case "jsonl":
		b := bufio.NewWriter(w)
		e := json.NewEncoder(b)
		var err error
		for _, g := range gaps {
			err = cmp.Or(err, e.Encode(map[string]any{"interface": oneLine(g.Interface), "from": rfc3339(g.Start), "to": rfc3339(g.End), "seconds": g.End - g.Start, "why": gapWords(g)}))
		}
		return cmp.Or(err, b.Flush())
	}
	return usageError(hint(fmt.Errorf("output %q of --coverage", form), "use csv or jsonl"))
}

// sayCoverage says on stderr where the logs have no records, so that nobody takes a
// window there for a quiet one.
func (a *app) sayCoverage(done []pipeline.Ingested) {
	gaps, left := gapsOf(done)
	for _, lost := range []bool{true, false} {
		interfaces, seconds, longest := map[string]bool{}, int64(0), decode.Gap{}
		for _, g := range gaps {
			if g.Lost != lost {
				continue
			}
			interfaces[g.Interface] = true
			seconds += g.End - g.Start
			if longest.End == 0 || g.End-g.Start > longest.End-longest.Start {
				longest = g
			}
		}
		if len(interfaces) > 0 {
			a.say("coverage: %s: no log from %d interfaces for %d s in all, the longest from %s between %s and %s (picket features --coverage lists them)",
				gapWords(longest), len(interfaces), seconds, oneLine(longest.Interface), rfc3339(longest.Start), rfc3339(longest.End))
		}
	}
	if left > 0 {
		a.say("coverage: %d more lines of intervals without records, for which there was no room", left)
	}
}

// saySensors says on stderr what alerts of another sensor the logs have: they are
// told beside findings, and where the logs have nothing else, this is all of it.
func (a *app) saySensors(done []pipeline.Ingested) {
	alerts, signatures, bare := uint64(0), map[string]bool{}, uint64(0)
	var worst decode.Alert
	for _, in := range done {
		bare += in.Stats.Dropped["alert without its flow"]
		alerts += in.Stats.AlertsLeft
		for _, one := range in.Stats.Alerts {
			alerts += one.Count
			signatures[one.ID] = true
			if worst.Count == 0 || one.Severity < worst.Severity || one.Severity == worst.Severity && one.Count > worst.Count {
				worst = one
			}
		}
	}
	if len(signatures) == 0 {
		return
	}
	a.say("sensor: %d alerts of %d signatures; the worst, severity %d: %s (%s) from %s to %s, %d times. They are the sensor's word, no findings; findings on the same hosts quote them",
		alerts, len(signatures), worst.Severity, oneLine(worst.Signature), worst.ID, worst.Src, worst.Dst, worst.Count)
	if bare > 0 {
		a.say("sensor: %d alerts came without their flow, so nothing can be judged by traffic: log flow events too", bare)
	}
}

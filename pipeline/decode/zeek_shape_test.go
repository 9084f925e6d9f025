package decode

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestShapeIsParse changes lines of Zeek logs at random and wants of each that a
// known order takes what the walker makes of it.
func TestShapeIsParse(t *testing.T) {
	lines := []string{
		`{"ts":1772528400.123456,"uid":"C1","id.orig_h":"10.0.0.1","id.orig_p":50123,"id.resp_h":"198.51.100.7","id.resp_p":443,"proto":"tcp","duration":1.5,"orig_bytes":10,"resp_bytes":null,"conn_state":"SF","local_orig":true,"history":"ShADadFf"}`,
		`{"ts":1772528400.5,"id_orig_h":"10.0.0.1","id_orig_p":50123,"id_resp_h":"10.0.0.2","id_resp_p":53,"proto":"udp"}`,
		`{"ts":"2026-03-03T09:00:00.000000Z","proto":"tcp","note":"a,b"}`,
		`{"proto":"tcp","ts":1,"proto":null,"history":"n12","service":"null"}`,
	}
	rng := rand.New(rand.NewPCG(31, 32))
	var shapes zeekShapes
	taken := 0
	for range 60_000 {
		line := []byte(lines[rng.IntN(len(lines))])
		for range rng.IntN(3) {
			i := rng.IntN(len(line))
			switch rng.IntN(3) {
			case 0:
				line[i] = "0123456789 \",:{}[]\\nt"[rng.IntN(21)]
			case 1:
				line = append(line[:i], line[i+1:]...)
			case 2:
				j := rng.IntN(len(line))
				line[i], line[j] = line[j], line[i]
			}
		}
		var got, want zeekRow
		ok := want.parse(line)
		if shapes.parse(&got, line) {
			taken++
			if !ok || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: a known order makes %q, the walker %q (%v)", line, got, want, ok)
			}
		} else if !reflect.DeepEqual(got, zeekRow{}) {
			t.Fatalf("%s: the row is not empty", line)
		} else if ok {
			shapes.learn(line)
			shapes.misses = 0
		}
	}
	if taken < 10_000 {
		t.Errorf("only %d lines were of a known order", taken)
	}
}

package triage

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"picket"
)

func TestCSV(t *testing.T) {
	f := goldenFindings(t, "scan")[0]
	f.Entity.ID = `=HYPERLINK("http://x","y")`
	f.Title = " \t-1+1"
	var b bytes.Buffer
	if err := WriteCSV(&b, []picket.Finding{f}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		strings.Split("uid,class,severity,confidence,entity_kind,entity,first_seen,last_seen,title,type", ","),
		{f.UID, "scan", "high", "0.97", "actor", `'=HYPERLINK("http://x","y")`, "2026-03-02T10:04:00Z", "2026-03-02T10:06:00Z", "' \t-1+1", f.Type},
	}
	for i := range rows {
		if d := cmp.Diff(want[i], rows[i][:10]); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	}
}

func TestGuard(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := guard(text); got != want {
			t.Errorf("guard(%q) = %q", text, got)
		}
	}
	f("10.0.0.9", "10.0.0.9")
	f("", "")
	f("a=b", "a=b")
	for _, c := range "=+-@\t\r\n" {
		f(string(c)+"x", "'"+string(c)+"x")
		f("  "+string(c)+"x", "'  "+string(c)+"x")
	}
}

func TestTable(t *testing.T) {
	f := goldenFindings(t, "scan")[0]
	f.Entity.ID = "evil\x1b[2J\u202etxt\nnew\tline\xff"
	var b bytes.Buffer
	if err := WriteTable(&b, []picket.Finding{f}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != 2 {
		t.Errorf("%d lines for a header and a finding", n)
	}
	for _, r := range strings.ReplaceAll(b.String(), "\n", "") {
		if !unicode.IsPrint(r) {
			t.Errorf("%q reaches the terminal in %q", r, b.String())
		}
	}
	if !strings.Contains(b.String(), "97 %") || !strings.Contains(b.String(), "scan") {
		t.Error(b.String())
	}
}

func TestJSONArray(t *testing.T) {
	for _, findings := range [][]picket.Finding{nil, goldenFindings(t, "scan"), goldenFindings(t, "ddos")} {
		var b bytes.Buffer
		if err := (Encoder{}).WriteJSON(&b, findings); err != nil {
			t.Fatal(err)
		}
		var got []json.RawMessage
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || got == nil || len(got) != len(findings) {
			t.Errorf("%d findings, %v in %s", len(got), err, b.String())
		}
	}
}

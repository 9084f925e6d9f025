package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/extract"
	"picket/simulate"
	"picket/store"
)

// dailyLogs is the log of a simulated account, one object a day.
func dailyLogs(t *testing.T, days int) map[string][]byte {
	t.Helper()
	a := simulate.RandomAccount(9, days, nil)
	a.Level, a.People = 0.05, 3
	var log bytes.Buffer
	if _, err := a.Write(&log); err != nil {
		t.Fatal(err)
	}
	var all struct{ Records []json.RawMessage }
	if err := json.Unmarshal(log.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	objects := map[string][]byte{}
	for _, e := range all.Records {
		var at struct{ EventTime string }
		if err := json.Unmarshal(e, &at); err != nil {
			t.Fatal(err)
		}
		day := at.EventTime[:10]
		objects[day] = append(append(objects[day], e...), '\n')
	}
	return objects
}

// Days that arrive in any order, with closes in between, end at the rows that they
// give together: what comes late is history to the days after it.
func TestHistoryAnyOrder(t *testing.T) {
	const days = 7
	objects := dailyLogs(t, days)
	if len(objects) != days {
		t.Fatalf("%d days", len(objects))
	}
	names := make([]string, 0, days)
	for name := range objects {
		names = append(names, name)
	}
	slices.Sort(names)
	rows := func(order []string, each bool) (string, int) {
		p := New(Default(), Deps{Bucket: store.NewMemory(nil), Now: time.Now, TempDir: os.TempDir()})
		ctx := context.Background()
		for i, name := range order {
			body := objects[name]
			_, err := p.Ingest(ctx, Raw{Key: name, Modified: time.Now(), Size: int64(len(body)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }})
			if err == nil && (each || i == len(order)-1) {
				err = p.Close(ctx, true, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		known := slices.IndexFunc(extract.AccessCatalogue, func(f extract.AccessFeature) bool { return f.Name == "new_actions" })
		var out strings.Builder
		told := 0
		err := p.Rows(ctx, func(f *picket.Features) error {
			fmt.Fprintln(&out, f.Window, f.Values)
			if f.Values[known] == f.Values[known] {
				told++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.String(), told
	}
	want, told := rows(names, false)
	if told == 0 {
		t.Fatal("no row knows what is new")
	}
	shuffled := []string{names[5], names[0], names[2], names[1], names[6], names[4], names[3]}
	if got, _ := rows(shuffled, true); got != want {
		t.Errorf("closed day by day in the order %v, rows differ", shuffled)
	}
}

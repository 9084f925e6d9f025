package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"picket"
	"picket/pipeline/triage"
	"picket/simulate"
)

// siege is a small site with a SYN flood, a scan and guessing in it.
const siege = `
seed 5
start 2026-03-02T09:00:00Z
duration 20m
network 10.30.0.0/20 hosts 3 servers 4
volume 0.1
from 00:00 for 20m benign visitors level 1
at 00:12 for 3m ddos syn-flood strength 0.2 to web1
at 00:02 for 5m scan syn strength 1 from outside to db1
at 00:05 for 14m bruteforce ssh strength 2 from outside to app1
`

// webSiege is one in which the flood is whole requests: a load balancer sees no
// other.
const webSiege = `
seed 5
start 2026-03-02T09:00:00Z
duration 20m
network 10.30.0.0/20 hosts 6 servers 3
volume 0.1
from 00:00 for 20m benign visitors level 2
at 00:08 for 4m ddos http-flood strength 4 to web1
`

// TestAttacksAreFoundThroughEveryFormat writes attacks in each format and wants the
// package in this binary to find one of each class, on those who took part.
func TestAttacksAreFoundThroughEveryFormat(t *testing.T) {
	for _, format := range []string{"vpc-parquet", "tgw", "tgw-parquet", "ocsf", "ocsf-parquet", "eve", "nfw", "netflow5", "netflow9", "ipfix", "goflow2", "nfdump", "alb"} {
		t.Run(format, func(t *testing.T) {
			script, classes := siege, []string{picket.ClassDDoS, picket.ClassScan, picket.ClassBruteforce}
			if format == "alb" {
				// Six sources of whole requests look like guessing at a login, to flows too.
				script, classes = webSiege, []string{picket.ClassBruteforce}
			}
			found, guilty := besieged(t, script, format, nil)
			for _, f := range found {
				classes = slices.DeleteFunc(classes, func(c string) bool { return c == f.Class && guilty[f.Entity.ID] })
			}
			if len(classes) > 0 {
				t.Errorf("%d findings; none of %v", len(found), classes)
			}
		})
	}
}

// besieged runs detect over a script as a format logs it, and what also puts
// beside, and returns the findings
// and whoever took part in an attack.
func besieged(t *testing.T, text, format string, also func(dir string, labels []simulate.Truth)) ([]picket.Finding, map[string]bool) {
	t.Helper()
	script, err := simulate.ParseScript(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sum, err := simulate.Write(context.Background(), script, format, func(name string) (io.WriteCloser, error) {
		path := filepath.Join(dir, "log", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		return os.Create(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "log", "labels.csv")); err != nil {
		t.Fatal(err)
	}
	if also != nil {
		also(filepath.Join(dir, "log"), sum.Labels)
	}
	guilty := map[string]bool{}
	for _, l := range sum.Labels {
		if _, err := netip.ParseAddr(l.Entity.ID); err == nil && l.Attack != nil {
			guilty[l.Entity.ID] = true
		}
	}
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
	found, err := a.detect(context.Background(), detecting{}, []string{filepath.Join(dir, "log")})
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return found, guilty
}

// TestFindingsQuoteTheSensor puts an alert of Suricata on a guesser beside its flows.
func TestFindingsQuoteTheSensor(t *testing.T) {
	found, _ := besieged(t, siege, "eve", func(dir string, labels []simulate.Truth) {
		for i := range labels {
			if l := &labels[i]; l.Class == picket.ClassBruteforce && l.Entity.Kind == picket.KindActor {
				line := fmt.Sprintf(`{"timestamp":"2026-03-02T09:10:00.000000+0000","flow_id":1,"in_iface":"eth0","event_type":"alert","src_ip":"%s","src_port":40000,"dest_ip":"10.30.0.4","dest_port":22,"proto":"TCP",`+
					`"alert":{"action":"allowed","gid":1,"signature_id":2001219,"rev":20,"signature":"ET SCAN Potential SSH Scan","severity":2},"flow":{"pkts_toserver":1,"pkts_toclient":0,"bytes_toserver":74,"bytes_toclient":0,"start":"2026-03-02T09:10:00.000000+0000"}}`+"\n", l.Entity.ID)
				if err := os.WriteFile(filepath.Join(dir, "alerts.json"), []byte(line), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	for _, f := range found {
		for _, fact := range f.Facts {
			if f.Class == picket.ClassBruteforce && fact.Name == triage.FactSensor {
				if want := "ET SCAN Potential SSH Scan (1:2001219:20), severity 2, once from 09:10:00 UTC"; fact.Value != want {
					t.Errorf("%q, want %q", fact.Value, want)
				}
				return
			}
		}
	}
	t.Errorf("%d findings, none of guessing that quotes the sensor", len(found))
}

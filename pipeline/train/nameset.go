package train

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Sources of labelled names. Those of phishing are read by date; which may train a
// package that ships, docs/data.md says.
const (
	SourceJPCERT    = "jpcert"    // JPCERT/CC phishurl-list
	SourcePolkadot  = "polkadot"  // polkadot-js/phishing
	SourcePDD       = "pdd"       // Sahingoz et al. 2019
	SourceHannousse = "hannousse" // Hannousse & Yahiouche 2021

	SourceTop    = "opendns-top"
	SourceRandom = "opendns-random"
	SourceGov    = "gov"
	SourceV2fly  = "v2fly"
)

// ListedName is one row of a list of names or URLs.
type ListedName struct {
	Text     string
	Source   string
	Phishing bool
	Unix     int64  // when it was listed; 0 where the list does not say
	Owner    string // what a list of v2fly is called: mostly the owner of the names in it
}

// ReadNameSets reads the lists below a folder laid out as docs/data.md says, in a
// fixed order. Lists that are not there and rows that a list itself got wrong (a
// date that is none) are left out, and the notes say so.
func ReadNameSets(folder string) (names []ListedName, notes []string, err error) {
	s := nameSets{wrong: map[string]int{}}
	for _, set := range []struct {
		path string
		read func(*nameSets, io.Reader) error
	}{
		{"jpcert-phishurl/jpcert_2019-2024.tar.zst", (*nameSets).jpcert},
		{"phish-polkadot/monthly.tar.zst", (*nameSets).polkadot},
		{"pdd-ebubekir/data_phishing_37175.json.gz", func(s *nameSets, r io.Reader) error { return s.pdd(r, true) }},
		{"pdd-ebubekir/data_legitimate_36400.json.gz", func(s *nameSets, r io.Reader) error { return s.pdd(r, false) }},
		{"hannousse-phishing/dataset_phishing.csv.gz", (*nameSets).hannousse},
		{"benign-domains/opendns-top-domains.txt", func(s *nameSets, r io.Reader) error { return s.lines(r, SourceTop) }},
		{"benign-domains/opendns-random-domains.txt", func(s *nameSets, r io.Reader) error { return s.lines(r, SourceRandom) }},
		{"benign-domains/dotgov_current-full.csv.gz", (*nameSets).gov},
		{"benign-domains/dotgov_gov_zone.txt.gz", (*nameSets).govZone},
		{"benign-domains/v2fly_domain-list.tgz", (*nameSets).v2fly},
	} {
		err := s.file(filepath.Join(folder, filepath.FromSlash(set.path)), set.read)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			notes = append(notes, "no "+set.path)
		case err != nil:
			return nil, notes, fmt.Errorf("read names: %s: %w", set.path, err)
		}
	}
	if len(s.names) == 0 {
		return nil, notes, fmt.Errorf("read names: no list in %q", folder)
	}
	for _, source := range []string{SourceJPCERT, SourcePolkadot} {
		if n := s.wrong[source]; n > 0 {
			notes = append(notes, fmt.Sprintf("%d rows of %s have no date that can be read", n, source))
		}
	}
	return s.names, notes, nil
}

// nameSets gathers the rows of all lists.
type nameSets struct {
	names []ListedName
	wrong map[string]int
}

// file reads one file, unpacked by its name.
func (s *nameSets) file(name string, read func(*nameSets, io.Reader) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	switch path.Ext(name) {
	case ".gz", ".tgz":
		z, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		defer z.Close()
		return read(s, z)
	case ".zst":
		z, err := zstd.NewReader(f)
		if err != nil {
			return err
		}
		defer z.Close()
		return read(s, z)
	}
	return read(s, f)
}

// each visits the files of a tar archive.
func each(r io.Reader, visit func(name string, r io.Reader) error) error {
	t := tar.NewReader(r)
	for {
		head, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if head.Typeflag == tar.TypeReg {
			if err := visit(head.Name, t); err != nil {
				return fmt.Errorf("%s: %w", head.Name, err)
			}
		}
	}
}

// jpcert reads date, URL, brand. The date has two forms.
func (s *nameSets) jpcert(r io.Reader) error {
	return each(r, func(name string, r io.Reader) error {
		if path.Ext(name) != ".csv" {
			return nil
		}
		rows := csv.NewReader(r)
		rows.FieldsPerRecord, rows.LazyQuotes = -1, true
		for {
			row, err := rows.Read()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if len(row) < 2 || row[0] == "date" {
				continue
			}
			at, ok := jpcertTime(row[0])
			if !ok {
				s.wrong[SourceJPCERT]++
				continue
			}
			s.names = append(s.names, ListedName{Text: row[1], Source: SourceJPCERT, Phishing: true, Unix: at})
		}
	})
}

func jpcertTime(text string) (int64, bool) {
	for _, layout := range []string{"2006/01/02 15:04:05", "2006/1/2 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return t.Unix(), true
		}
	}
	return 0, false
}

func (s *nameSets) polkadot(r io.Reader) error {
	return each(r, func(name string, r io.Reader) error {
		var rows []struct{ Date, URL string }
		if err := json.NewDecoder(r).Decode(&rows); err != nil {
			return err
		}
		for _, row := range rows {
			at, err := time.Parse(time.DateOnly, row.Date)
			if err != nil {
				s.wrong[SourcePolkadot]++
				continue
			}
			s.names = append(s.names, ListedName{Text: row.URL, Source: SourcePolkadot, Phishing: true, Unix: at.Unix()})
		}
		return nil
	})
}

func (s *nameSets) pdd(r io.Reader, phishing bool) error {
	var urls []string
	if err := json.NewDecoder(r).Decode(&urls); err != nil {
		return err
	}
	for _, u := range urls {
		s.names = append(s.names, ListedName{Text: u, Source: SourcePDD, Phishing: phishing})
	}
	return nil
}

func (s *nameSets) hannousse(r io.Reader) error {
	return belowHeader(csv.NewReader(r), func(row []string) {
		s.names = append(s.names, ListedName{Text: row[0], Source: SourceHannousse, Phishing: row[len(row)-1] == "phishing"})
	})
}

// belowHeader visits the rows of a table but the first.
func belowHeader(rows *csv.Reader, visit func(row []string)) error {
	for first := true; ; first = false {
		row, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !first {
			visit(row)
		}
	}
}

func (s *nameSets) lines(r io.Reader, source string) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if text := strings.TrimSpace(lines.Text()); text != "" {
			s.names = append(s.names, ListedName{Text: text, Source: source})
		}
	}
	return lines.Err()
}

func (s *nameSets) gov(r io.Reader) error {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = -1
	return belowHeader(rows, func(row []string) {
		s.names = append(s.names, ListedName{Text: row[0], Source: SourceGov})
	})
}

// govZone reads the owners of a zone file's records. Servers' names stand there
// because they answer for others; they are names all the same.
func (s *nameSets) govZone(r io.Reader) error {
	lines := bufio.NewScanner(r)
	last := ""
	for lines.Scan() {
		text := lines.Text()
		if text == "" || text[0] == ';' || text[0] == ' ' || text[0] == '\t' {
			continue
		}
		name, _, _ := strings.Cut(text, "\t")
		if name = strings.TrimSuffix(name, "."); name != last && strings.Count(name, ".") > 0 {
			s.names = append(s.names, ListedName{Text: name, Source: SourceGov})
			last = name
		}
	}
	return lines.Err()
}

// v2fly reads rules: a domain, "domain:NAME" or "full:NAME", with attributes after
// it. Keywords and patterns are no names.
func (s *nameSets) v2fly(r io.Reader) error {
	return each(r, func(name string, r io.Reader) error {
		if path.Base(path.Dir(name)) != "data" {
			return nil
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(body) {
			text, _, _ := strings.Cut(string(line), "#")
			f := strings.Fields(text)
			if len(f) == 0 {
				continue
			}
			kind, rest, ok := strings.Cut(f[0], ":")
			switch {
			case !ok:
				s.names = append(s.names, ListedName{Text: kind, Source: SourceV2fly, Owner: path.Base(name)})
			case kind == "domain" || kind == "full":
				s.names = append(s.names, ListedName{Text: rest, Source: SourceV2fly, Owner: path.Base(name)})
			}
		}
		return nil
	})
}

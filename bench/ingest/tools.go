package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"

	"picket"
	"picket/pipeline/decode"
	"picket/pipeline/extract"
)

// inflate unpacks files, and does nothing with what comes of it.
func inflate(files []string) error {
	buf := make([]byte, 128<<10)
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		z, err := gzip.NewReader(bufio.NewReaderSize(f, 64<<10))
		if err != nil {
			return err
		}
		for err == nil {
			_, err = z.Read(buf)
		}
		f.Close()
		if err != io.EOF {
			return err
		}
	}
	return nil
}

// decodeFile makes records of files, and does nothing with them.
func decodeFile(files []string) error {
	for _, name := range files {
		s, err := read(name, func(*picket.Record) error { return nil })
		if err != nil {
			return err
		}
		fmt.Println(s.Format, s.Records)
		if s.Records*10 < s.Lines*9 {
			return fmt.Errorf("%s: %d records of %d lines", name, s.Records, s.Lines)
		}
	}
	return nil
}

func read(name string, emit func(*picket.Record) error) (decode.Stats, error) {
	f, err := os.Open(name)
	if err != nil {
		return decode.Stats{}, err
	}
	defer f.Close()
	return decode.Decode(context.Background(), decode.Object{Key: name, Modified: time.Now()}, f, emit, nil)
}

// countFlows prints packets, bytes and conversations of a capture.
func countFlows(files []string) error {
	type end struct {
		ip   netip.Addr
		port uint16
	}
	type flow struct {
		a, b  end
		proto uint8
	}
	seen := map[flow]bool{}
	var packets, bytes uint64
	_, err := read(files[0], func(r *picket.Record) error {
		packets += r.SrcPackets
		bytes += r.SrcBytes
		f := flow{end{r.Src, r.SrcPort}, end{r.Dst, r.DstPort}, r.Proto}
		if c := f.a.ip.Compare(f.b.ip); c > 0 || c == 0 && f.a.port > f.b.port {
			f.a, f.b = f.b, f.a
		}
		seen[f] = true
		return nil
	})
	fmt.Println(packets, bytes, len(seen))
	return err
}

// nameRows computes the features of so many names, or only makes them.
func nameRows(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(7, 7))
	var words []string
	brands, lexicon := extract.DefaultBrands(), extract.DefaultLexicon()
	brands.Each(func(word string, _ []string) { words = append(words, word) })
	suffixes := []string{"com", "de", "co.uk", "net", "org", "pages.dev", "top", "com.br"}
	hosts := []string{"", "www.", "mail.", "api-3.eu-west.", "cdn7."}
	sum, kept := 0.0, 0
	var row []float64
	for range n {
		word := []byte(words[rng.IntN(len(words))])
		switch rng.IntN(4) {
		case 0: // a letter changed
			word[rng.IntN(len(word))] = byte('a' + rng.IntN(26))
		case 1: // with another word
			word = append(append(word, '-'), words[rng.IntN(len(words))]...)
		default: // nothing of the kind
			word = word[:0]
			for range 4 + rng.IntN(14) {
				word = append(word, "etaoinshrdlucmfwypvbgkjqxz-0123456789"[min(rng.IntN(37), rng.IntN(37))])
			}
		}
		text := hosts[rng.IntN(len(hosts))] + string(word) + "." + suffixes[rng.IntN(len(suffixes))]
		if len(args) > 1 {
			kept += len(text)
			continue
		}
		if name, err := extract.ParseName(text); err == nil {
			row = extract.AppendNameRow(row[:0], name, lexicon, brands)
			sum += row[0]
			kept++
		}
	}
	fmt.Println(kept, sum)
	return nil
}

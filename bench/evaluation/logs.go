package main

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// expected is what must be found in some captures, and that nothing must be in
// others; the rest is only told.
var expected = map[string]string{
	"ftp_bruteforce.pcap": "bruteforce", "ssh_sshguess.pcap": "bruteforce",
	"http_methods.pcap": "", "http_bro.org.pcap": "", "ssh_ssh.pcap": "", "dns-edns-ecs.pcap": "",
}

// realLogs runs detect on every flow log and capture of the sets, each alone.
func realLogs(ctx context.Context, b *bench, out io.Writer) error {
	var files []string
	for _, pattern := range []string{"zeek-btest-pcaps/*.pcap*", "ddos-pcaps-stopddos/*.pcap*", "zeek-apt29-otrf/day*/zeek/individual_zeek_logs/*_conn.log"} {
		found, err := filepath.Glob(filepath.Join(b.data, pattern))
		if err != nil {
			return err
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	capture, err := b.westermoCapture()
	if err != nil {
		return err
	}
	files = append(files, capture)
	fmt.Fprint(out, `## Simulated → real: the shipped package on real logs

The package learned from simulated networks alone. These logs were looked at while it
was made, so they are no unseen test. `+"`picket detect -o csv FILE`"+`, each file alone.
The four DDoS captures hold attacks and nothing else.

| log | read, and what was refused | found: class, type, entity (confidence) | wanted |
|---|---|---|---|
`)
	for _, file := range files {
		findings, words, err := b.detect(ctx, file)
		found := tellAll(findings)
		if err != nil {
			found = "error: " + err.Error()
		}
		want, known := expected[filepath.Base(file)]
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", b.short(file), whatWasRead(words), found, verdict(findings, want, known))
	}
	return nil
}

// verdict says whether a capture's findings are what they must be.
func verdict(findings []row, want string, known bool) string {
	switch {
	case !known:
		return ""
	case want == "" && len(findings) == 0, want != "" && len(findings) == 1 && findings[0]["class"] == want:
		return "yes"
	}
	return "**no**"
}

// whatWasRead is detect's line on the file, without its name.
func whatWasRead(words []string) string {
	for _, line := range words {
		if _, rest, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(line, "read ") {
			return rest
		}
	}
	return strings.Join(words, " ")
}

// short is a file's name below the folder of the sets.
func (b *bench) short(file string) string {
	if rest, err := filepath.Rel(b.data, file); err == nil && !strings.HasPrefix(rest, "..") {
		return filepath.ToSlash(rest)
	}
	return filepath.Base(file)
}

// westermoCapture unpacks the capture of Westermo's right tap.
func (b *bench) westermoCapture() (string, error) {
	return b.unpack("westermo/right.zip", ".pcap")
}

// unpack writes the one file of a zip that ends in suffix to the working folder.
func (b *bench) unpack(name, suffix string) (string, error) {
	archive, err := zip.OpenReader(filepath.Join(b.data, name))
	if err != nil {
		return "", err
	}
	defer archive.Close()
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, suffix) {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return "", err
		}
		defer in.Close()
		path := filepath.Join(b.work, filepath.Base(f.Name))
		return path, writeFile(path, in)
	}
	return "", fmt.Errorf("%s has no %s file", name, suffix)
}

func writeFile(path string, in io.Reader) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

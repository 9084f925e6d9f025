package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// setFile is one file of a public set as docs/data.md lists it.
type setFile struct {
	path   string // set/..., below the folder of the sets
	sha256 string
}

// checkSets compares the files of the named sets with the list in a page: all of
// its lines that sha256sum would write. The error names the first file that is
// missing or another one.
func checkSets(list, folder string, sets []string) error {
	if len(sets) == 0 {
		return nil
	}
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	files := listed(string(text))
	if folder == "" {
		return fmt.Errorf("no folder of public sets: run again with DATA=DIR, which must hold %s (%s says where they come from)", strings.Join(sets, ", "), list)
	}
	for _, set := range sets {
		found := 0
		for _, f := range files {
			if !strings.HasPrefix(f.path, set+"/") {
				continue
			}
			found++
			if err := checkFile(folder, f); err != nil {
				return fmt.Errorf("%w (%s says where it comes from)", err, list)
			}
		}
		if found == 0 {
			return fmt.Errorf("%s lists no file of a set %q", list, set)
		}
	}
	return nil
}

var hashLine = regexp.MustCompile(`(?m)^([0-9a-f]{64})  (\S.*?)\s*$`)

func listed(text string) []setFile {
	var files []setFile
	for _, m := range hashLine.FindAllStringSubmatch(text, -1) {
		files = append(files, setFile{path: path.Clean(m[2]), sha256: m[1]})
	}
	return files
}

func checkFile(folder string, f setFile) error {
	in, err := os.Open(filepath.Join(folder, filepath.FromSlash(f.path)))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no %s in %s", f.path, folder)
	}
	if err != nil {
		return err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != f.sha256 {
		return fmt.Errorf("%s in %s has sha256 %s, not %s", f.path, folder, got, f.sha256)
	}
	return nil
}

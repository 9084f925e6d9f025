package picket_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mayImport says which of our packages each package may import. Imports point
// one way, from what is wired to what is named; a stage never imports another,
// because what passes between them is a root type.
var mayImport = map[string][]string{
	".":                {},
	"gbdt":             {},
	"store":            {},
	"store/storetest":  {"store"},
	"telemetry":        {},
	"simulate":         {"."},
	"simulate/scripts": {},
	"pipeline/decode":  {"."},
	"pipeline/extract": {"."},
	"pipeline/train":   {".", "gbdt"},
	"pipeline/infer":   {".", "gbdt"},
	"pipeline/triage":  {"."},
	"pipeline":         {".", "pipeline/decode", "pipeline/extract", "pipeline/train", "pipeline/infer", "pipeline/triage", "simulate", "store", "telemetry"},
	"server":           {".", "pipeline", "store", "telemetry"},
	"aws/s3":           {"store"},
	"aws/s3/s3test":    {},
	"aws/s3/locate":    {"store", "aws/s3"},
	"aws/record":       {},
	"aws/template":     {},
	"aws/sagemaker":    {".", "gbdt", "pipeline", "pipeline/train", "store", "telemetry", "aws/s3"},
	"aws/deploy":       {"aws/template"},
	"cmd/picket":       {"*"},

	"telemetry/prometheus": {"telemetry"},
	"aws/lambda":           {".", "pipeline", "store", "telemetry", "server", "aws/s3", "aws/sagemaker"},
	"cmd/bootstrap":        {"aws/lambda"},

	"aws/lambda/runtimetest":      {},
	"aws/sagemaker/sagemakertest": {},
	"aws/deploy/accounttest":      {"aws/template", "aws/s3/s3test", "aws/sagemaker/sagemakertest"},
}

// stdlibOnly packages have no dependency beyond the standard library.
var stdlibOnly = map[string]bool{".": true, "gbdt": true}

func TestLayout(t *testing.T) {
	described := map[string]bool{}
	walkGo(t, func(file string, f *ast.File) {
		dir := path.Dir(file)
		if f.Doc != nil {
			described[dir] = true
		} else if !described[dir] {
			described[dir] = false
		}
		allowed, known := mayImport[dir]
		if !known {
			t.Errorf("%s: folder %s has no row in the layout: say in one sentence what goes in and what comes out, then add it", file, dir)
			return
		}
		for _, spec := range f.Imports {
			checkImport(t, file, dir, allowed, spec)
		}
	})
	for dir, ok := range described {
		if !ok {
			t.Errorf("%s: no package comment", dir)
		}
	}
}

func checkImport(t *testing.T, file, dir string, allowed []string, spec *ast.ImportSpec) {
	name, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		t.Fatal(err)
	}
	if name != "picket" && !strings.HasPrefix(name, "picket/") {
		if stdlibOnly[dir] && strings.Contains(strings.Split(name, "/")[0], ".") {
			t.Errorf("%s imports %s: package %s is for the standard library only", file, name, dir)
		}
		return
	}
	own := "."
	if name != "picket" {
		own = strings.TrimPrefix(name, "picket/")
	}
	for _, a := range allowed {
		if a == "*" || a == own {
			return
		}
	}
	t.Errorf("%s imports %s: package %s may import %v of ours", file, name, dir, allowed)
}

// TestNames refuses packages whose name says nothing.
func TestNames(t *testing.T) {
	empty := map[string]bool{"util": true, "utils": true, "common": true, "helpers": true, "helper": true, "types": true, "misc": true}
	walkGo(t, func(file string, f *ast.File) {
		if empty[f.Name.Name] {
			t.Errorf("%s: package %s", file, f.Name.Name)
		}
	})
}

// walkGo parses every Go file that ships. It reads the files itself: a version
// that calls "go list" passes from the test cache after a bad import is added.
func walkGo(t *testing.T, visit func(file string, f *ast.File)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bench") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		files++
		visit(filepath.ToSlash(p), f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Fatalf("parsed %d files: the walk is broken", files)
	}
}

package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"picket"
	"picket/pipeline/infer"
	"picket/pipeline/train"
)

// defaults holds the model package that ships in the binary.
//
//go:embed default
var defaults embed.FS

// loadPackage reads a model package: a file, or with "" the one that the
// configuration names, else the one in this binary.
func (a *app) loadPackage(path string) (*train.Package, error) {
	if path == "" {
		s, err := a.settings()
		if err != nil {
			return nil, err
		}
		if path = s.Model; path == "" {
			return defaultPackage()
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, hint(err, "name a model package, or leave --model out to use the one in this binary")
	}
	defer f.Close()
	pkg, err := train.ReadPackage(f)
	if err != nil {
		return nil, hint(fmt.Errorf("%s: %w", path, err), "a model package is made by \"picket train\" or \"picket pipeline run\"")
	}
	return pkg, nil
}

func defaultPackage() (*train.Package, error) {
	body, err := defaultFile()
	if err != nil {
		return nil, err
	}
	return train.ReadPackage(bytes.NewReader(body))
}

// defaultFile is the package in this binary as it stands in a file.
func defaultFile() ([]byte, error) {
	body, err := defaults.ReadFile("default/model.zip")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint(errors.New("no model package in this binary"), "run \"make model DATA=DIR\" and build again")
	}
	return body, err
}

// loadModel reads a package and its trees.
func (a *app) loadModel(path string) (*picket.Model, *infer.Scorer, error) {
	pkg, err := a.loadPackage(path)
	if err != nil {
		return nil, nil, err
	}
	scorer, err := infer.New(&pkg.Model)
	return &pkg.Model, scorer, err
}

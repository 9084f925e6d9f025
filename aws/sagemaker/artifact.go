package sagemaker

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Files inside a model.tar.gz.
const (
	ArtifactName = "model.tar.gz"
	PackageName  = "model.zip"     // a Picket package, in the artifact that Picket's image serves
	TreesName    = "xgboost-model" // what the built-in container writes and serves
)

// maxArtifact is the most that one file of an artifact unpacks to.
const maxArtifact = 512 << 20

// WriteArtifact writes a model.tar.gz of one file. The same content gives the same
// bytes.
func WriteArtifact(w io.Writer, name string, body []byte) error {
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(header); err != nil {
		return fmt.Errorf("write artifact: %w", err)
	}
	_, err := archive.Write(body)
	if err = errors.Join(err, archive.Close(), zip.Close()); err != nil {
		return fmt.Errorf("write artifact: %w", err)
	}
	return nil
}

// ReadArtifact reads one file out of a model.tar.gz, wherever it lies in it.
func ReadArtifact(r io.Reader, name string) ([]byte, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("read artifact: %w", err)
	}
	archive := tar.NewReader(zip)
	var others []string
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return nil, fmt.Errorf("read artifact: no %s in it, only %.200q", name, others)
		}
		if err != nil {
			return nil, fmt.Errorf("read artifact: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if path.Base(path.Clean(h.Name)) != name {
			others = append(others, h.Name)
			continue
		}
		body, err := io.ReadAll(io.LimitReader(archive, maxArtifact+1))
		if err == nil && len(body) > maxArtifact {
			err = fmt.Errorf("larger than %d bytes", maxArtifact)
		}
		if err != nil {
			return nil, fmt.Errorf("read artifact: %s: %w", name, err)
		}
		return body, nil
	}
}

// Trees reads what the training job of a booster wrote: the one model.tar.gz below
// its output prefix, or xgboost-model as it stands.
func Trees(dir string) ([]byte, error) {
	var found []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (d.Name() == ArtifactName || d.Name() == TreesName) {
			found = append(found, p)
		}
		return err
	})
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("no %s in %s: did its training job end?", ArtifactName, dir)
	case len(found) > 1:
		return nil, fmt.Errorf("%d models in %s, and nothing says which counts: %q", len(found), dir, found)
	}
	if path.Base(found[0]) == TreesName {
		return os.ReadFile(found[0])
	}
	f, err := os.Open(found[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadArtifact(f, TreesName)
}

// OpenModel opens the package in the model folder of a serving container: model.zip,
// as SageMaker unpacks it, or the only other .zip, or a model.tar.gz that holds it.
func OpenModel(dir string) (io.ReadCloser, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var zips, names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if strings.HasSuffix(e.Name(), ".zip") {
			zips = append(zips, e.Name())
		}
	}
	switch {
	case slices.Contains(zips, PackageName):
		return os.Open(filepath.Join(dir, PackageName))
	case len(zips) == 1:
		return os.Open(filepath.Join(dir, zips[0]))
	case slices.Contains(names, ArtifactName):
		f, err := os.Open(filepath.Join(dir, ArtifactName))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		body, err := ReadArtifact(f, PackageName)
		return io.NopCloser(strings.NewReader(string(body))), err
	}
	return nil, fmt.Errorf("no %s in %s, only %.200q", PackageName, dir, names)
}

package train

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"picket"
	"picket/gbdt"
)

// Package is a model package: what is deployed, and what an engineer wants to
// know of it. As a file it is a zip of
//
//	manifest.json                          picket.Model with the SHA-256 of each other file
//	boosters/DETECTOR-KIND-SECONDS.ubj     trees, which XGBoost itself loads
//	evaluation/DETECTOR-KIND-SECONDS.json  in SageMaker's model-quality shape
//	baseline/DETECTOR-KIND-SECONDS.json    the training rows' distribution, for drift
//	card.json                              SageMaker model card
type Package struct {
	Model       picket.Model
	Evaluations map[picket.BoosterID]*Evaluation
	Snapshots   map[picket.BoosterID]*Snapshot
	Card        json.RawMessage // see NewCard; nil leaves it out
}

// Bounds of a package that is read; a package may come from anybody.
const (
	maxPackage      = 256 << 20 // compressed
	maxPackageFiles = 1 << 12
	maxPackageBytes = 1 << 30 // all files together
	maxManifest     = 64 << 20
)

const manifestName = "manifest.json"

// manifest is a model with the hashes of the files around it.
type manifest struct {
	Format int `json:"format"`
	picket.Model
	Files map[string]string `json:"files"` // SHA-256 by name
}

const packageFormat = 1

// fileName names a booster's file: traffic-actor-60, table for a table's.
func fileName(id picket.BoosterID) string {
	if id.Kind == "" {
		return id.Detector
	}
	return fmt.Sprintf("%s-%s-%d", id.Detector, id.Kind, id.Seconds)
}

// ID returns what Write will call the package: the SHA-256 of its manifest, which
// holds the hash of everything else.
func (p *Package) ID() (string, error) {
	_, id, err := p.files()
	return id, err
}

// files lays out the package's files and its id.
func (p *Package) files() (files map[string][]byte, id string, err error) {
	files = map[string][]byte{}
	m := manifest{Format: packageFormat, Model: p.Model, Files: map[string]string{}}
	m.Model.ID = ""
	for i := range p.Model.Boosters {
		b := &p.Model.Boosters[i]
		files["boosters/"+fileName(b.ID)+".ubj"] = b.Trees
	}
	if len(files) != len(p.Model.Boosters) {
		return nil, "", errors.New("two boosters of one name")
	}
	for id, e := range p.Evaluations {
		if files["evaluation/"+fileName(id)+".json"], err = encode(e); err != nil {
			return nil, "", err
		}
	}
	for id, s := range p.Snapshots {
		if files["baseline/"+fileName(id)+".json"], err = encode(s); err != nil {
			return nil, "", err
		}
	}
	if p.Card != nil {
		files["card.json"] = p.Card
	}
	for name, data := range files {
		m.Files[name] = hashOf(data)
	}
	if files[manifestName], err = encode(m); err != nil {
		return nil, "", err
	}
	return files, hashOf(files[manifestName]), nil
}

func encode(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", " ")
	return append(data, '\n'), err
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Write writes the package and sets p.Model.ID. The same package gives the same
// bytes: names are sorted and no time is written.
func (p *Package) Write(w io.Writer) error {
	files, id, err := p.files()
	if err != nil {
		return fmt.Errorf("write model package: %w", err)
	}
	archive := zip.NewWriter(w)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entry, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return fmt.Errorf("write model package: %s: %w", name, err)
		}
		if _, err := entry.Write(files[name]); err != nil {
			return fmt.Errorf("write model package: %s: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("write model package: %w", err)
	}
	p.Model.ID = id
	return nil
}

// ReadPackage reads what Write wrote. Any bytes give a package or an error, in
// bounded memory; a file that is not the one in the manifest is an error.
func ReadPackage(r io.Reader) (*Package, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPackage+1))
	if err != nil {
		return nil, fmt.Errorf("read model package: %w", err)
	}
	if len(data) > maxPackage {
		return nil, fmt.Errorf("read model package: larger than %d bytes", maxPackage)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("read model package: %w", err)
	}
	files, err := unzip(archive)
	if err != nil {
		return nil, fmt.Errorf("read model package: %w", err)
	}
	p, err := unpack(files)
	if err != nil {
		return nil, fmt.Errorf("read model package: %w", err)
	}
	return p, nil
}

func unzip(archive *zip.Reader) (map[string][]byte, error) {
	if len(archive.File) > maxPackageFiles {
		return nil, fmt.Errorf("%d files", len(archive.File))
	}
	files := map[string][]byte{}
	left := int64(maxPackageBytes)
	for _, entry := range archive.File {
		if _, twice := files[entry.Name]; twice {
			return nil, fmt.Errorf("%q is there twice", entry.Name)
		}
		reader, err := entry.Open()
		if err != nil {
			return nil, fmt.Errorf("%q: %w", entry.Name, err)
		}
		data, err := io.ReadAll(io.LimitReader(reader, left+1))
		if err = errors.Join(err, reader.Close()); err != nil {
			return nil, fmt.Errorf("%q: %w", entry.Name, err)
		}
		if left -= int64(len(data)); left < 0 {
			return nil, fmt.Errorf("unpacks to more than %d bytes", maxPackageBytes)
		}
		files[entry.Name] = data
	}
	return files, nil
}

func unpack(files map[string][]byte) (*Package, error) {
	data, ok := files[manifestName]
	switch {
	case !ok:
		return nil, fmt.Errorf("no %s", manifestName)
	case len(data) > maxManifest:
		return nil, fmt.Errorf("%s is larger than %d bytes", manifestName, maxManifest)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format != packageFormat {
		return nil, fmt.Errorf("%s: format %d, want %d", manifestName, m.Format, packageFormat)
	}
	if err := checkFiles(files, m.Files); err != nil {
		return nil, err
	}
	p := &Package{Model: m.Model, Evaluations: map[picket.BoosterID]*Evaluation{}, Snapshots: map[picket.BoosterID]*Snapshot{}, Card: files["card.json"]}
	p.Model.ID = hashOf(data)
	seen := map[picket.BoosterID]bool{}
	for i := range p.Model.Boosters {
		b := &p.Model.Boosters[i]
		if seen[b.ID] {
			return nil, fmt.Errorf("booster %s is there twice", b.ID)
		}
		seen[b.ID] = true
		b.Trees = files["boosters/"+fileName(b.ID)+".ubj"]
		if err := checkBooster(b); err != nil {
			return nil, fmt.Errorf("booster %s: %w", b.ID, err)
		}
		if err := p.readBeside(b.ID, files); err != nil {
			return nil, fmt.Errorf("booster %s: %w", b.ID, err)
		}
	}
	return p, nil
}

// checkFiles compares the files with the manifest's hashes, both ways.
func checkFiles(files map[string][]byte, hashes map[string]string) error {
	for name := range hashes {
		if _, ok := files[name]; !ok {
			return fmt.Errorf("%q is missing", name)
		}
	}
	for name, data := range files {
		if name == manifestName {
			continue
		}
		want, ok := hashes[name]
		if !ok {
			return fmt.Errorf("%q is not in the manifest", name)
		}
		if got := hashOf(data); got != want {
			return fmt.Errorf("%q has SHA-256 %s, the manifest says %.64s", name, got, want)
		}
	}
	return nil
}

func (p *Package) readBeside(id picket.BoosterID, files map[string][]byte) error {
	if data, ok := files["evaluation/"+fileName(id)+".json"]; ok {
		e := new(Evaluation)
		if err := json.Unmarshal(data, e); err != nil {
			return fmt.Errorf("evaluation: %w", err)
		}
		p.Evaluations[id] = e
	}
	if data, ok := files["baseline/"+fileName(id)+".json"]; ok {
		s := new(Snapshot)
		if err := json.Unmarshal(data, s); err != nil {
			return fmt.Errorf("baseline: %w", err)
		}
		if err := s.check(); err != nil {
			return fmt.Errorf("baseline: %w", err)
		}
		p.Snapshots[id] = s
	}
	return nil
}

// checkBooster refuses what would make scoring panic or lie.
func checkBooster(b *picket.Booster) error {
	if len(b.Classes) < 2 {
		return fmt.Errorf("classes %q: there must be normal and at least one other", b.Classes)
	}
	seen := map[string]bool{}
	for _, name := range b.Schema.Names {
		if seen[name] {
			return fmt.Errorf("feature %q is there twice", name)
		}
		seen[name] = true
	}
	for name := range b.Categories {
		if !seen[name] {
			return fmt.Errorf("categories for %q, which is no feature", name)
		}
	}
	if math.IsNaN(b.Threshold.Margin) {
		return errors.New("the threshold is not a number")
	}
	if err := checkCalibration(&b.Calibration); err != nil {
		return err
	}
	model, err := gbdt.Read(bytes.NewReader(b.Trees))
	if err != nil {
		return fmt.Errorf("trees: %w", err)
	}
	if model.Features() != len(b.Schema.Names) || model.Classes() != outputs(b) {
		return fmt.Errorf("trees read %d features and give %d margins, the manifest says %d and %d",
			model.Features(), model.Classes(), len(b.Schema.Names), outputs(b))
	}
	return nil
}

func checkCalibration(c *picket.Calibration) error {
	switch c.Method {
	case "none":
		return nil
	case "sigmoid":
		if !(c.A <= 0) || math.IsNaN(c.B) {
			return fmt.Errorf("calibration falls as the margin rises: a is %v", c.A)
		}
		return nil
	case "isotonic":
		if len(c.X) == 0 || len(c.X) != len(c.Y) {
			return fmt.Errorf("calibration has %d margins and %d probabilities", len(c.X), len(c.Y))
		}
		for i := range c.X {
			if !(c.Y[i] >= 0 && c.Y[i] <= 1) || i > 0 && (!(c.X[i] > c.X[i-1]) || c.Y[i] < c.Y[i-1]) {
				return fmt.Errorf("calibration point %d (%v, %v) is out of order", i+1, c.X[i], c.Y[i])
			}
		}
		return nil
	}
	return fmt.Errorf("calibration method %q is not sigmoid, isotonic or none", c.Method)
}

// SortBoosters puts boosters in the order of their names, so that a package does
// not depend on the order in which they were trained.
func (p *Package) SortBoosters() {
	slices.SortFunc(p.Model.Boosters, func(a, b picket.Booster) int {
		return cmp.Or(strings.Compare(a.ID.Detector, b.ID.Detector), cmp.Compare(a.ID.Kind, b.ID.Kind), cmp.Compare(a.ID.Seconds, b.ID.Seconds))
	})
}

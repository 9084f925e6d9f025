package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"picket/pipeline/train"
)

const shippedPackage = "cmd/picket/default/model.zip"

// calibrations says of each booster that ships how far its confidence may be trusted,
// and draws it.
func calibrations(_ context.Context, b *bench, out io.Writer) error {
	file, err := os.ReadFile(shippedPackage)
	if err != nil {
		return err
	}
	p, err := train.ReadPackage(bytes.NewReader(file))
	if err != nil {
		return fmt.Errorf("%s: %w", shippedPackage, err)
	}
	fmt.Fprint(out, `## Calibration: each detector of the shipped package

The expected calibration error is how far, over tenths of confidence, the part of rows
that is malicious is from what the confidence says, on the package's own test split, as
its rows weigh; with the 95 % interval of 200 bootstraps. Where the base rate of the test
is not the one that a confidence is stated for, the two must differ: of names two in three
in the test phish, and a confidence is stated for one in a hundred, so that it says too
little there. Weighed to that rate the error of names is in
[evaluation-names.md](evaluation-names.md). A tenth of few rows says little: see the last
column.

| booster | rows | malicious | base rate stated | of the test | expected calibration error | 95 % interval | rows by tenth of confidence |
|---|---|---|---|---|---|---|---|
`)
	var drawn []panel
	for i := range p.Model.Boosters {
		id := p.Model.Boosters[i].ID
		e := p.Evaluations[id]
		if e == nil {
			continue
		}
		r := &e.Picket
		var rows []string
		d := panel{title: id.String(), error: r.Calibration.ECE}
		for _, bin := range r.Calibration.Reliability {
			rows = append(rows, fmt.Sprint(bin.Rows))
			d.points = append(d.points, [2]float64{bin.Predicted, bin.Observed})
		}
		drawn = append(drawn, d)
		fmt.Fprintf(out, "| %s | %d | %d | %.3g | %.3g | %.4f | %.4f to %.4f | %s |\n", id, r.Rows, r.Malicious, p.Model.Boosters[i].Calibration.BaseRate, r.Calibration.Base, r.Calibration.ECE, r.Calibration.Low, r.Calibration.High, strings.Join(rows, ", "))
	}
	fmt.Fprint(out, "\n![Reliability of each booster: observed part by confidence](reliability.svg)\n")
	return os.WriteFile(filepath.Join(filepath.Dir(b.page), "reliability.svg"), []byte(draw(drawn)), 0o644)
}

// panel is the plot of one booster.
type panel struct {
	title  string
	error  float64
	points [][2]float64 // confidence, observed part
}

// draw draws panels, four to a row.
func draw(panels []panel) string {
	const side, gap, head, across = 160, 45, 30, 4
	var b strings.Builder
	height := (len(panels)+across-1)/across*(side+gap+head) + 10
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", across*(side+gap)+gap, height)
	for i, p := range panels {
		left, top := gap+i%across*(side+gap), head+i/across*(side+gap+head)
		x := func(v float64) string { return fmt.Sprintf("%.1f", float64(left)+side*v) }
		y := func(v float64) string { return fmt.Sprintf("%.1f", float64(top)+side*(1-v)) }
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text><text x="%d" y="%d" fill="#666">error %.4f</text>`+"\n", left, top-16, p.title, left, top-4, p.error)
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#ccc"/><path d="M%s %sL%s %s" stroke="#999" stroke-dasharray="4"/>`+"\n", left, top, side, side, x(0), y(0), x(1), y(1))
		for _, tick := range []float64{0, 0.5, 1} {
			fmt.Fprintf(&b, `<text x="%s" y="%d" text-anchor="middle" fill="#666">%g</text><text x="%d" y="%s" text-anchor="end" fill="#666">%g</text>`+"\n", x(tick), top+side+14, tick, left-5, y(tick), tick)
		}
		var path strings.Builder
		for k, point := range p.points {
			fmt.Fprintf(&path, "%c%s %s", "ML"[min(k, 1)], x(point[0]), y(point[1]))
			fmt.Fprintf(&b, `<circle cx="%s" cy="%s" r="3" fill="#2563eb"/>`, x(point[0]), y(point[1]))
		}
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="#2563eb"/>`+"\n", path.String())
	}
	b.WriteString("</svg>\n")
	return b.String()
}

package train

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
)

//go:embed page.html
var pageText string

// pageTemplate reads the template when it is asked for: most programs that hold it
// never do, and where none is, the linker leaves out every method that nobody calls.
func pageTemplate() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"percent": func(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) },
		"three":   func(v float64) string { return fmt.Sprintf("%.3f", v) },
		"count":   func(v float64) string { return fmt.Sprintf("%.0f", v) },
		"shade":   shade,
	}).Parse(pageText))
}

// page is what the template shows.
type page struct {
	Title    string
	Sections []section
}

type section struct {
	Report
	Plots   []plot
	Truths  []string
	Answers []string
}

// WritePage writes evaluations as one HTML page that needs nothing else: no
// script, no font, no image, plots as SVG.
func WritePage(w io.Writer, title string, evaluations ...*Evaluation) error {
	p := page{Title: title}
	for _, e := range evaluations {
		r := e.Picket
		s := section{Report: r, Plots: []plot{rocPlot(&r), prPlot(&r), reliabilityPlot(&r), histogramPlot(&r)}}
		s.Truths = slices.Sorted(maps.Keys(r.Confusion))
		answers := map[string]bool{}
		for _, row := range r.Confusion {
			for class := range row {
				answers[class] = true
			}
		}
		s.Answers = slices.Sorted(maps.Keys(answers))
		p.Sections = append(p.Sections, s)
	}
	if err := pageTemplate().Execute(w, p); err != nil {
		return fmt.Errorf("write evaluation page: %w", err)
	}
	return nil
}

// shade is how dark a cell of the confusion is: its part of its row, from 0 to 0.6,
// so that the text on it stays readable.
func shade(row map[string]float64, answer string) string {
	total := 0.0
	for _, name := range slices.Sorted(maps.Keys(row)) {
		total += row[name]
	}
	return fmt.Sprintf("%.2f", 0.6*ratio(row[answer], total))
}

package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// plot is one SVG of the evaluation page, 350 by 280 units.
type plot struct {
	Title, Caption, XAxis, YAxis string
	Ticks                        []tick
	Lines                        []line
	Bars                         []bar
	Marks                        []mark
}

type tick struct{ Line, X, Y, Anchor, Text string }
type line struct{ Class, Path string }
type bar struct{ Class, X, Y, Width, Height string }
type mark struct{ X, Y string }

// frame maps values to the plot's area.
type frame struct{ left, right, bottom, top float64 } // values at the edges

func (f frame) x(v float64) float64 { return 45 + 290*(v-f.left)/(f.right-f.left) }
func (f frame) y(v float64) float64 { return 235 - 220*(v-f.bottom)/(f.top-f.bottom) }

func unit(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// path draws straight lines through points.
func (f frame) path(points [][2]float64) string {
	var b strings.Builder
	for i, p := range points {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&b, "%s%s %s", command, unit(f.x(p[0])), unit(f.y(p[1])))
	}
	return b.String()
}

func (f frame) mark(x, y float64) mark { return mark{unit(f.x(x)), unit(f.y(y))} }

// ticks divides both axes in five.
func (f frame) ticks(format string) []tick {
	var ticks []tick
	for i := range 6 {
		part := float64(i) / 5
		x, y := f.left+part*(f.right-f.left), f.bottom+part*(f.top-f.bottom)
		ticks = append(ticks,
			tick{fmt.Sprintf("M%s 15V235", unit(f.x(x))), unit(f.x(x)), "252", "middle", fmt.Sprintf(format, x)},
			tick{fmt.Sprintf("M45 %sH335", unit(f.y(y))), "40", unit(f.y(y) + 4), "end", fmt.Sprintf("%.2g", y)})
	}
	return ticks
}

func rocPlot(r *Report) plot {
	f := frame{0, 1, 0, 1}
	return plot{
		Title: "ROC", XAxis: "false positive rate", YAxis: "recall", Ticks: f.ticks("%.1f"),
		Caption: fmt.Sprintf("Area %.4f. The dot is the threshold: recall %.3f at %.4f false positives.", r.AUC, r.Recall, r.FPR),
		Lines:   []line{{"guide", f.path([][2]float64{{0, 0}, {1, 1}})}, {"a", f.path(r.ROC)}},
		Marks:   []mark{f.mark(r.FPR, r.Recall)},
	}
}

func prPlot(r *Report) plot {
	f := frame{0, 1, 0, 1}
	base := float64(r.Malicious) / float64(r.Rows)
	return plot{
		Title: "Precision and recall", XAxis: "recall", YAxis: "precision", Ticks: f.ticks("%.1f"),
		Caption: fmt.Sprintf("Area %.4f. The dashed line is what guessing gives, the dot the threshold.", r.PRAUC),
		Lines:   []line{{"guide", f.path([][2]float64{{0, base}, {1, base}})}, {"a", f.path(r.PR)}},
		Marks:   []mark{f.mark(r.Recall, r.Precision)},
	}
}

func reliabilityPlot(r *Report) plot {
	f := frame{0, 1, 0, 1}
	p := plot{
		Title: "Reliability", XAxis: "confidence", YAxis: "malicious part", Ticks: f.ticks("%.1f"),
		Caption: fmt.Sprintf("Expected calibration error %.4f (%.4f to %.4f). On the dashed line a confidence means what it says.", r.Calibration.ECE, r.Calibration.Low, r.Calibration.High),
		Lines:   []line{{"guide", f.path([][2]float64{{0, 0}, {1, 1}})}},
	}
	var points [][2]float64
	for _, b := range r.Calibration.Reliability {
		points = append(points, [2]float64{b.Predicted, b.Observed})
		p.Marks = append(p.Marks, f.mark(b.Predicted, b.Observed))
	}
	p.Lines = append(p.Lines, line{"a", f.path(points)})
	return p
}

func histogramPlot(r *Report) plot {
	h := r.Histogram
	top := 0.01
	for i := range h.Normal {
		top = max(top, h.Normal[i], h.Malicious[i])
	}
	f := frame{h.Low, h.Low + h.Width*float64(len(h.Normal)), 0, top}
	p := plot{
		Title: "Scores", XAxis: "margin", YAxis: "share of rows", Ticks: f.ticks("%.1f"),
		Caption: "Normal rows blue, malicious rows orange; the dashed line is the threshold.",
	}
	for i := range h.Normal {
		p.Bars = append(p.Bars, f.bar("af", h, i, h.Normal[i]), f.bar("bf", h, i, h.Malicious[i]))
	}
	if cut := r.Threshold.Margin; cut > f.left && cut < f.right && !math.IsNaN(cut) {
		p.Lines = append(p.Lines, line{"guide", f.path([][2]float64{{cut, 0}, {cut, top}})})
	}
	return p
}

func (f frame) bar(class string, h Histogram, i int, share float64) bar {
	x := f.x(h.Low + float64(i)*h.Width)
	return bar{class, unit(x), unit(f.y(share)), unit(f.x(h.Low+float64(i+1)*h.Width) - x), unit(f.y(0) - f.y(share))}
}

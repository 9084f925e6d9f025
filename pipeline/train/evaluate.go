package train

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"picket"
)

// Evaluation says how well a booster does on rows that it has not seen. As JSON it
// has SageMaker's model-quality shape: binary metrics (1 is malicious), multiclass
// metrics where there are more than two classes, and all of ours under "picket".
// Rows count by weight.
type Evaluation struct {
	Binary     map[string]any `json:"binary_classification_metrics"`
	Multiclass map[string]any `json:"multiclass_classification_metrics,omitempty"`
	Picket     Report         `json:"picket"`
}

// Report is what SageMaker's shape has no room for.
type Report struct {
	Data        string                        `json:"data"` // what was scored
	Booster     string                        `json:"booster"`
	Rows        int                           `json:"rows"`
	Malicious   int                           `json:"malicious"`
	Accuracy    float64                       `json:"accuracy"` // at the threshold
	Precision   float64                       `json:"precision"`
	Recall      float64                       `json:"recall"`
	FPR         float64                       `json:"false_positive_rate"`
	F1          float64                       `json:"f1"`
	MacroF1     float64                       `json:"macro_f1"` // mean F1 of malicious and normal
	AUC         float64                       `json:"auc"`
	PRAUC       float64                       `json:"pr_auc"`
	RecallAt1   float64                       `json:"recall_at_fpr_0.01"`
	RecallAt01  float64                       `json:"recall_at_fpr_0.001"`
	Threshold   picket.Threshold              `json:"threshold"`
	Classes     map[string]ClassReport        `json:"classes"`          // by true class
	ClassMacro  float64                       `json:"classes_macro_f1"` // mean F1 over the classes that occur
	Confusion   map[string]map[string]float64 `json:"confusion"`        // truth -> verdict -> rows
	Scenarios   map[string]ScenarioReport     `json:"scenarios,omitempty"`
	Calibration CalibrationReport             `json:"calibration"`
	Histogram   Histogram                     `json:"histogram"`
	ROC         [][2]float64                  `json:"roc"` // false positive rate, recall; thinned
	PR          [][2]float64                  `json:"pr"`  // recall, precision; thinned
}

// ClassReport is one class against all others.
type ClassReport struct {
	Rows      int     `json:"rows"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Detected  float64 `json:"detected"` // part that passes the threshold, whatever class it is given
}

// ScenarioReport is one incident or scenario of malicious rows.
type ScenarioReport struct {
	Class    string  `json:"class"`
	Rows     int     `json:"rows"`
	Detected float64 `json:"detected"`
}

// maxScenarios bounds the table of scenarios; beyond it they are groups of a table
// and say nothing.
const maxScenarios = 500

// Evaluate measures scored rows at the booster's threshold. The seed draws the
// samples behind standard deviations and intervals.
func Evaluate(b *picket.Booster, rows []Scored, data string, seed uint64) (*Evaluation, error) {
	r := Report{Data: data, Booster: b.ID.String(), Rows: len(rows), Threshold: b.Threshold}
	for i := range rows {
		if rows[i].Malicious {
			r.Malicious++
		}
		if math.IsNaN(rows[i].Margin) || math.IsNaN(rows[i].P) {
			return nil, fmt.Errorf("evaluate %s on %s: row %d has no score", b.ID, data, i+1)
		}
	}
	if r.Malicious == 0 || r.Malicious == len(rows) {
		return nil, fmt.Errorf("evaluate %s on %s: %d malicious and %d normal rows; both are needed", b.ID, data, r.Malicious, len(rows)-r.Malicious)
	}
	curve := NewCurve(rows)
	at := tally(rows, &b.Threshold)
	r.Accuracy, r.Precision, r.Recall, r.FPR = at.accuracy(), at.precision(), at.recall(), at.fpr()
	r.F1 = at.f(1)
	r.MacroF1 = (at.f(1) + at.flip().f(1)) / 2
	r.AUC, r.PRAUC = curve.AUC(), curve.AveragePrecision()
	r.RecallAt1, r.RecallAt01 = curve.RecallAt(0.01), curve.RecallAt(0.001)
	r.Confusion, r.Classes, r.ClassMacro = classReports(b, rows)
	r.Scenarios = scenarioReports(b, rows)
	r.Calibration = reliability(rows, seed)
	r.Histogram = histogram(rows)
	for _, p := range curve.Thin(maxCurve) {
		r.ROC = append(r.ROC, [2]float64{p.FPR, p.Recall})
		r.PR = append(r.PR, [2]float64{p.Recall, p.Precision})
	}
	e := &Evaluation{Binary: binaryMetrics(rows, &b.Threshold, curve, seed), Picket: r}
	if len(b.Classes) > 2 {
		e.Multiclass = multiclassMetrics(r.Confusion, r.Classes)
	}
	return e, nil
}

const maxCurve = 400 // points of a stored curve

// counts of rows by truth and verdict.
type counts struct{ tp, fp, tn, fn float64 }

func tally(rows []Scored, cut *picket.Threshold) counts {
	var c counts
	for i := range rows {
		r := &rows[i]
		switch passes := r.passes(cut); {
		case r.Malicious && passes:
			c.tp += r.Weight
		case r.Malicious:
			c.fn += r.Weight
		case passes:
			c.fp += r.Weight
		default:
			c.tn += r.Weight
		}
	}
	return c
}

func (c counts) accuracy() float64  { return ratio(c.tp+c.tn, c.tp+c.tn+c.fp+c.fn) }
func (c counts) precision() float64 { return ratio(c.tp, c.tp+c.fp) }
func (c counts) recall() float64    { return ratio(c.tp, c.tp+c.fn) }
func (c counts) fpr() float64       { return ratio(c.fp, c.fp+c.tn) }
func (c counts) flip() counts       { return counts{tp: c.tn, fp: c.fn, tn: c.tp, fn: c.fp} }

// f is the F score that holds recall beta times as important as precision.
func (c counts) f(beta float64) float64 {
	return ratio((1+beta*beta)*c.tp, (1+beta*beta)*c.tp+beta*beta*c.fn+c.fp)
}

// classReports counts truth against verdict and measures each true class. Sums run
// in the order of the names: weights need not be whole, and bytes must not differ.
func classReports(b *picket.Booster, rows []Scored) (map[string]map[string]float64, map[string]ClassReport, float64) {
	confusion := map[string]map[string]float64{}
	reports := map[string]ClassReport{}
	total, given, detected := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for i := range rows {
		r := &rows[i]
		if confusion[r.Class] == nil {
			confusion[r.Class] = map[string]float64{}
		}
		verdict := r.Verdict(&b.Threshold)
		confusion[r.Class][verdict] += r.Weight
		total[r.Class] += r.Weight
		given[verdict] += r.Weight
		if r.passes(&b.Threshold) {
			detected[r.Class] += r.Weight
		}
		report := reports[r.Class]
		report.Rows++
		reports[r.Class] = report
	}
	sum := 0.0
	for _, class := range slices.Sorted(maps.Keys(reports)) {
		report, right := reports[class], confusion[class][class]
		report.Precision, report.Recall = ratio(right, given[class]), ratio(right, total[class])
		report.F1 = ratio(2*right, total[class]+given[class])
		report.Detected = ratio(detected[class], total[class])
		reports[class] = report
		sum += report.F1
	}
	return confusion, reports, sum / float64(len(reports))
}

func scenarioReports(b *picket.Booster, rows []Scored) map[string]ScenarioReport {
	reports := map[string]ScenarioReport{}
	for i := range rows {
		r := &rows[i]
		if !r.Malicious || r.Scenario == "" {
			continue
		}
		report := reports[r.Scenario]
		report.Class = r.Class
		report.Rows++
		if r.passes(&b.Threshold) {
			report.Detected++
		}
		reports[r.Scenario] = report
	}
	if len(reports) > maxScenarios {
		return nil
	}
	for name, report := range reports {
		report.Detected /= float64(report.Rows)
		reports[name] = report
	}
	return reports
}

// metric is a value with its standard deviation, as SageMaker writes it. Its
// fields are in the order of their names, as in a map: a package that is read and
// written again keeps its bytes.
type metric struct {
	Deviation any     `json:"standard_deviation"` // a number, or "NaN" where there are too few rows
	Value     float64 `json:"value"`
}

// deviationFrom is how many rows a standard deviation needs; five samples of 80 %.
const deviationFrom, deviationSamples, deviationShare = 200, 5, 0.8

func binaryMetrics(rows []Scored, cut *picket.Threshold, curve Curve, seed uint64) map[string]any {
	measure := func(rows []Scored) map[string]float64 {
		c := tally(rows, cut)
		return map[string]float64{
			"recall": c.recall(), "precision": c.precision(), "accuracy": c.accuracy(), "true_positive_rate": c.recall(),
			"true_negative_rate": 1 - c.fpr(), "false_positive_rate": c.fpr(), "false_negative_rate": 1 - c.recall(),
			"auc": NewCurve(rows).AUC(), "f0_5": c.f(0.5), "f1": c.f(1), "f2": c.f(2),
		}
	}
	metrics := withDeviations(rows, measure, seed)
	c := tally(rows, cut)
	metrics["confusion_matrix"] = map[string]map[string]float64{"0": {"0": c.tn, "1": c.fp}, "1": {"0": c.fn, "1": c.tp}}
	for name, value := range constantClassifier(c) {
		metrics[name+"_best_constant_classifier"] = metric{"NaN", value}
	}
	thin := curve.Thin(maxCurve)
	var fpr, tpr, precision []float64
	for _, p := range thin {
		fpr, tpr, precision = append(fpr, p.FPR), append(tpr, p.Recall), append(precision, p.Precision)
	}
	metrics["receiver_operating_characteristic_curve"] = map[string][]float64{"false_positive_rates": fpr, "true_positive_rates": tpr}
	metrics["precision_recall_curve"] = map[string][]float64{"precisions": precision, "recalls": tpr}
	return metrics
}

func withDeviations(rows []Scored, measure func([]Scored) map[string]float64, seed uint64) map[string]any {
	samples := []map[string]float64{}
	if len(rows) >= deviationFrom {
		random := rand.New(rand.NewPCG(seed, 1))
		for range deviationSamples {
			sample := make([]Scored, 0, len(rows))
			for _, i := range random.Perm(len(rows))[:int(deviationShare*float64(len(rows)))] {
				sample = append(sample, rows[i])
			}
			samples = append(samples, measure(sample))
		}
	}
	metrics := map[string]any{}
	for name, value := range measure(rows) {
		m := metric{"NaN", value}
		if len(samples) > 0 {
			m.Deviation = deviation(samples, name)
		}
		metrics[name] = m
	}
	return metrics
}

func deviation(samples []map[string]float64, name string) float64 {
	var sum, squares float64
	for _, s := range samples {
		sum += s[name]
	}
	mean := sum / float64(len(samples))
	for _, s := range samples {
		squares += (s[name] - mean) * (s[name] - mean)
	}
	return math.Sqrt(squares / float64(len(samples)-1))
}

// constantClassifier returns the best that one answer for all rows can reach.
func constantClassifier(c counts) map[string]float64 {
	always := counts{tp: c.tp + c.fn, fp: c.fp + c.tn}
	never := counts{tn: c.fp + c.tn, fn: c.tp + c.fn}
	return map[string]float64{
		"recall": 1, "precision": always.precision(), "accuracy": max(always.accuracy(), never.accuracy()),
		"f0_5": always.f(0.5), "f1": always.f(1), "f2": always.f(2),
	}
}

func multiclassMetrics(confusion map[string]map[string]float64, classes map[string]ClassReport) map[string]any {
	weighted := map[string]float64{}
	var total, right, largest float64
	for _, class := range slices.Sorted(maps.Keys(confusion)) {
		n := 0.0
		for _, verdict := range slices.Sorted(maps.Keys(confusion[class])) {
			n += confusion[class][verdict]
		}
		c := classes[class]
		total, right, largest = total+n, right+confusion[class][class], max(largest, n)
		weighted["weighted_recall"] += n * c.Recall
		weighted["weighted_precision"] += n * c.Precision
		for name, beta := range map[string]float64{"weighted_f0_5": 0.5, "weighted_f1": 1, "weighted_f2": 2} {
			weighted[name] += n * ratio((1+beta*beta)*c.Precision*c.Recall, beta*beta*c.Precision+c.Recall)
		}
	}
	metrics := map[string]any{"confusion_matrix": confusion, "accuracy": metric{"NaN", right / total}}
	for name, value := range weighted {
		metrics[name] = metric{"NaN", value / total}
	}
	share := largest / total // the answer of the largest class for all rows
	metrics["accuracy_best_constant_classifier"] = metric{"NaN", share}
	metrics["weighted_recall_best_constant_classifier"] = metric{"NaN", share}
	metrics["weighted_precision_best_constant_classifier"] = metric{"NaN", share * share}
	for name, beta := range map[string]float64{"weighted_f0_5": 0.5, "weighted_f1": 1, "weighted_f2": 2} {
		f := (1 + beta*beta) * share / (beta*beta*share + 1)
		metrics[name+"_best_constant_classifier"] = metric{"NaN", share * f}
	}
	return metrics
}

// WriteJSON returns the evaluation as a SageMaker evaluation.json.
func (e *Evaluation) WriteJSON() ([]byte, error) {
	data, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write evaluation: %w", err)
	}
	return append(data, '\n'), nil
}

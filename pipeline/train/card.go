package train

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"picket"
)

// CardFacts are what a model card says beyond the package itself.
type CardFacts struct {
	Description string
	Version     float64  // 1 or more
	Datasets    []string // what it was trained on, with licence
	Purpose     string
	Caveats     string
	Details     map[string]string // anything else, a line each
}

// Limits of the schema, in characters and items.
const (
	cardText, cardLong, cardShort = 1024, 2048, 63
	cardDatasets, cardEvaluated   = 15, 10
	cardPoints                    = 20 // of a curve, and rows of a matrix
)

// NewCard writes a SageMaker model card (schema 0.1.0) for the package: what it
// is, what it was trained on and each booster's evaluation, curves thinned to the
// card's twenty points.
func NewCard(p *Package, f CardFacts) (json.RawMessage, error) {
	card := map[string]any{
		"model_overview": map[string]any{
			"model_name": cut(p.Model.Name, cardText), "model_description": cut(f.Description, cardText),
			"model_version": max(f.Version, 1), "problem_type": "Classification", "algorithm_type": "Gradient-boosted trees (XGBoost)",
		},
		"intended_uses": map[string]any{
			"purpose_of_model": cut(f.Purpose, cardLong), "risk_rating": "Medium",
			"explanations_for_risk_rating": "A missed attack goes unseen and a false one costs an analyst's time; nothing is blocked by the model itself.",
		},
		"training_details": map[string]any{
			"training_observations": "Split by time and by entity, or by identical rows; calibration and threshold each on a split of their own.",
			"training_job_details":  map[string]any{"training_datasets": cutAll(f.Datasets, cardDatasets)},
		},
		"additional_information": map[string]any{
			"caveats_and_recommendations": cut(f.Caveats, cardLong), "custom_details": cardDetails(f.Details),
		},
	}
	evaluations := []any{}
	for i := range p.Model.Boosters {
		if b := &p.Model.Boosters[i]; p.Evaluations[b.ID] != nil {
			evaluations = append(evaluations, cardEvaluation(b, &p.Evaluations[b.ID].Picket))
		}
	}
	card["evaluation_details"] = evaluations
	data, err := json.MarshalIndent(card, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write model card: %w", err)
	}
	return append(data, '\n'), nil
}

func cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

func cutAll(s []string, n int) []string {
	short := []string{}
	for _, text := range s[:min(len(s), n)] {
		short = append(short, cut(text, cardText))
	}
	return short
}

func cardDetails(details map[string]string) map[string]string {
	short := map[string]string{}
	for name, text := range details {
		short[name] = cut(text, cardText)
	}
	return short
}

func cardEvaluation(b *picket.Booster, r *Report) map[string]any {
	number := func(name string, value float64) any {
		return map[string]any{"name": name, "type": "number", "value": value}
	}
	metrics := []any{
		number("rows", float64(r.Rows)), number("malicious rows", float64(r.Malicious)), number("AUC", r.AUC), number("PR AUC", r.PRAUC),
		number("recall at 1 % false positives", r.RecallAt1), number("recall at 0.1 % false positives", r.RecallAt01),
		number("accuracy", r.Accuracy), number("macro F1", r.MacroF1), number("recall", r.Recall), number("false positive rate", r.FPR),
		number("expected calibration error", r.Calibration.ECE), number("Brier score", r.Calibration.Brier),
		number("threshold on the margin", r.Threshold.Margin),
		map[string]any{"name": "threshold method", "type": "string", "value": cut(r.Threshold.Method, cardShort)},
	}
	curves := []any{
		cardGraph("ROC", "false positive rate", "recall", r.ROC), cardGraph("precision over recall", "recall", "precision", r.PR),
		cardMatrix(r),
	}
	return map[string]any{
		"name":     cut(b.ID.String(), cardShort),
		"datasets": cutAll([]string{r.Data}, cardEvaluated),
		"metadata": map[string]string{"schema": b.Schema.Hash, "features": strconv.Itoa(len(b.Schema.Names)), "calibration": b.Calibration.Method},
		"metric_groups": []any{
			map[string]any{"name": "metrics", "metric_data": metrics},
			map[string]any{"name": "curves", "metric_data": curves},
		},
	}
}

func cardGraph(name, x, y string, points [][2]float64) map[string]any {
	thin := [][2]float64{}
	for i := range min(len(points), cardPoints) {
		thin = append(thin, points[i*(len(points)-1)/max(1, min(len(points), cardPoints)-1)])
	}
	return map[string]any{"name": name, "type": "linear_graph", "value": thin, "x_axis_name": x, "y_axis_name": y}
}

// cardMatrix is the confusion of the classes with most rows.
func cardMatrix(r *Report) map[string]any {
	truths := slices.Sorted(maps.Keys(r.Confusion))
	seen := map[string]bool{}
	for _, verdicts := range r.Confusion {
		for class := range verdicts {
			seen[class] = true
		}
	}
	verdicts := slices.Sorted(maps.Keys(seen))
	truths, verdicts = truths[:min(len(truths), cardPoints)], verdicts[:min(len(verdicts), cardPoints)]
	value, rows, columns := [][]float64{}, []string{}, []string{}
	for _, truth := range truths {
		row := []float64{}
		for _, verdict := range verdicts {
			row = append(row, r.Confusion[truth][verdict])
		}
		value, rows = append(value, row), append(rows, cut(truth, cardShort))
	}
	for _, verdict := range verdicts {
		columns = append(columns, cut(verdict, cardShort))
	}
	return map[string]any{"name": "confusion", "type": "matrix", "value": value, "x_axis_name": columns, "y_axis_name": rows}
}

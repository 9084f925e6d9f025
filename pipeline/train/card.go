package train

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"picket"
)

// Evidence is what an evaluation is worth: what the model was trained on, and what
// it was tested on. A card keeps them apart; figures of one kind of evidence say
// nothing of another.
type Evidence string

const (
	RealToReal           Evidence = "real → real"
	SimulatedToReal      Evidence = "simulated → real"
	SimulatedToSimulated Evidence = "simulated → simulated" // flatters
)

// Evidences are all of them, the one that says most first.
func Evidences() []Evidence { return []Evidence{RealToReal, SimulatedToReal, SimulatedToSimulated} }

// CardFacts are what a model card says beyond the package itself.
type CardFacts struct {
	Evidence    Evidence // of the evaluations in the package
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
			evaluations = append(evaluations, cardEvaluation(f.Evidence, b, &p.Evaluations[b.ID].Picket))
		}
	}
	card["evaluation_details"] = evaluations
	data, err := json.MarshalIndent(card, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write model card: %w", err)
	}
	return append(data, '\n'), nil
}

// ShortCard is a card without figures, for a registry that must be told before they
// are known. where says where they will lie.
func ShortCard(name, where string) string {
	card, _ := json.Marshal(map[string]any{
		"model_overview": map[string]any{
			"model_name": cut(name, cardText), "model_version": 1, "problem_type": "Classification",
			"algorithm_type":    "Gradient-boosted trees (XGBoost)",
			"model_description": "Boosted trees that find attacks in a site's own logs.",
		},
		"intended_uses": map[string]any{
			"purpose_of_model": "Scores windows of network traffic and of access; what passes the threshold becomes a finding for an analyst.",
			"risk_rating":      "Medium",
		},
		"additional_information": map[string]any{"custom_details": map[string]string{"card and evaluation": where}},
	})
	return string(card)
}

// AddToCard adds evaluations of the package's boosters to its card, before those
// that say less. An evaluation of the same booster on the same data is replaced.
func (p *Package) AddToCard(evidence Evidence, evaluations ...*Evaluation) error {
	if !slices.Contains(Evidences(), evidence) {
		return fmt.Errorf("model card: evidence %q is none of %q", evidence, Evidences())
	}
	var card map[string]any
	if err := json.Unmarshal(p.Card, &card); err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	kept, _ := card["evaluation_details"].([]any)
	for _, e := range evaluations {
		i := slices.IndexFunc(p.Model.Boosters, func(b picket.Booster) bool { return b.ID.String() == e.Picket.Booster })
		if i < 0 {
			return fmt.Errorf("model card: the package has no booster %s", e.Picket.Booster)
		}
		added := cardEvaluation(evidence, &p.Model.Boosters[i], &e.Picket)
		kept = slices.DeleteFunc(kept, func(v any) bool {
			old, _ := v.(map[string]any)
			return old["name"] == added["name"] && fmt.Sprint(old["datasets"]) == fmt.Sprint(added["datasets"])
		})
		kept = append(kept, added)
	}
	slices.SortStableFunc(kept, func(a, b any) int { return evidenceRank(a) - evidenceRank(b) })
	card["evaluation_details"] = kept
	data, err := json.MarshalIndent(card, "", " ")
	if err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	p.Card = append(data, '\n')
	return nil
}

// CardEvaluation is one evaluation as a card tells it.
type CardEvaluation struct {
	Evidence Evidence
	Booster  string
	Data     string
	Metrics  map[string]float64 // by name
}

// CardEvaluations reads the evaluations of a model card, in its order.
func CardEvaluations(card json.RawMessage) ([]CardEvaluation, error) {
	var c struct {
		Details []struct {
			Name     string
			Evidence Evidence `json:"evaluation_observation"`
			Datasets []string
			Groups   []struct {
				Data []struct {
					Name, Type string
					Value      json.RawMessage
				} `json:"metric_data"`
			} `json:"metric_groups"`
		} `json:"evaluation_details"`
	}
	if err := json.Unmarshal(card, &c); err != nil {
		return nil, fmt.Errorf("model card: %w", err)
	}
	var all []CardEvaluation
	for _, d := range c.Details {
		e := CardEvaluation{Evidence: d.Evidence, Booster: d.Name, Data: strings.Join(d.Datasets, ", "), Metrics: map[string]float64{}}
		for _, g := range d.Groups {
			for _, m := range g.Data {
				var v float64
				if m.Type == "number" && json.Unmarshal(m.Value, &v) == nil {
					e.Metrics[m.Name] = v
				}
			}
		}
		all = append(all, e)
	}
	return all, nil
}

func evidenceRank(evaluation any) int {
	details, _ := evaluation.(map[string]any)
	return slices.IndexFunc(Evidences(), func(e Evidence) bool { return details["evaluation_observation"] == string(e) })
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

func cardEvaluation(evidence Evidence, b *picket.Booster, r *Report) map[string]any {
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
		"name":                   cut(b.ID.String(), cardShort),
		"evaluation_observation": string(evidence),
		"datasets":               cutAll([]string{r.Data}, cardEvaluated),
		"metadata":               map[string]string{"schema": b.Schema.Hash, "features": strconv.Itoa(len(b.Schema.Names)), "calibration": b.Calibration.Method},
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

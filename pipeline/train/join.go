package train

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"picket"
)

// Keep drops the boosters for which keep is false, with all that belongs to them.
func (p *Package) Keep(keep func(picket.BoosterID) bool) {
	p.Model.Boosters = slices.DeleteFunc(p.Model.Boosters, func(b picket.Booster) bool { return !keep(b.ID) })
	maps.DeleteFunc(p.Evaluations, func(id picket.BoosterID, _ *Evaluation) bool { return !keep(id) })
	maps.DeleteFunc(p.Snapshots, func(id picket.BoosterID, _ *Snapshot) bool { return !keep(id) })
}

// Take moves the boosters of another package into p, with all that belongs to them,
// in place of those of the same name. The other's card is replaced by what facts
// add to p's: data and caveats.
func (p *Package) Take(other *Package, facts CardFacts) error {
	if p.Evaluations == nil {
		p.Evaluations = map[picket.BoosterID]*Evaluation{}
	}
	if p.Snapshots == nil {
		p.Snapshots = map[picket.BoosterID]*Snapshot{}
	}
	for _, b := range other.Model.Boosters {
		p.Model.Boosters = slices.DeleteFunc(p.Model.Boosters, func(old picket.Booster) bool { return old.ID == b.ID })
		p.Model.Boosters = append(p.Model.Boosters, b)
		delete(p.Evaluations, b.ID)
		delete(p.Snapshots, b.ID)
		if e := other.Evaluations[b.ID]; e != nil {
			p.Evaluations[b.ID] = e
		}
		if s := other.Snapshots[b.ID]; s != nil {
			p.Snapshots[b.ID] = s
		}
	}
	if p.Model.Training == nil {
		p.Model.Training = map[string]any{}
	}
	p.Model.Training[other.Model.Name] = other.Model.Training
	p.SortBoosters()
	return p.extendCard(other, facts)
}

// extendCard adds to p's card what another package's boosters rest on.
func (p *Package) extendCard(other *Package, facts CardFacts) error {
	if p.Card == nil {
		return nil
	}
	var card map[string]any
	if err := json.Unmarshal(p.Card, &card); err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	job := object(object(card, "training_details"), "training_job_details")
	list, _ := job["training_datasets"].([]any)
	for _, d := range cutAll(facts.Datasets, cardDatasets) {
		if !slices.Contains(list, any(d)) && len(list) < cardDatasets {
			list = append(list, d)
		}
	}
	job["training_datasets"] = list
	info := object(card, "additional_information")
	if caveats := fmt.Sprint(info["caveats_and_recommendations"]); !strings.Contains(caveats, facts.Caveats) {
		info["caveats_and_recommendations"] = cut(caveats+" "+facts.Caveats, cardLong)
	}
	data, err := json.MarshalIndent(card, "", " ")
	if err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	p.Card = append(data, '\n')
	var evaluations []*Evaluation
	for i := range other.Model.Boosters {
		if e := other.Evaluations[other.Model.Boosters[i].ID]; e != nil {
			evaluations = append(evaluations, e)
		}
	}
	return p.AddToCard(facts.Evidence, evaluations...)
}

// object returns the object at a key, made if it is not there.
func object(m map[string]any, key string) map[string]any {
	o, ok := m[key].(map[string]any)
	if !ok {
		o = map[string]any{}
		m[key] = o
	}
	return o
}

package train

import (
	"encoding/json"
	"fmt"
	"slices"

	"picket"
)

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
	var card, more map[string]any
	added, err := NewCard(other, facts)
	if err == nil {
		err = json.Unmarshal(added, &more)
	}
	if err == nil {
		err = json.Unmarshal(p.Card, &card)
	}
	if err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	job, theirs := object(object(card, "training_details"), "training_job_details"), object(object(more, "training_details"), "training_job_details")
	job["training_datasets"] = joined(job["training_datasets"], theirs["training_datasets"], cardDatasets)
	card["evaluation_details"] = joined(card["evaluation_details"], more["evaluation_details"], 0)
	info := object(card, "additional_information")
	info["caveats_and_recommendations"] = cut(fmt.Sprintf("%v %s", info["caveats_and_recommendations"], facts.Caveats), cardLong)
	data, err := json.MarshalIndent(card, "", " ")
	p.Card = append(data, '\n')
	return err
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

// joined appends what b has and a has not, up to limit where there is one.
func joined(a, b any, limit int) []any {
	list, _ := a.([]any)
	more, _ := b.([]any)
	for _, v := range more {
		text, _ := json.Marshal(v)
		if !slices.ContainsFunc(list, func(old any) bool { o, _ := json.Marshal(old); return string(o) == string(text) }) {
			list = append(list, v)
		}
	}
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list
}

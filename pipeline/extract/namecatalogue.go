package extract

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"golang.org/x/net/publicsuffix"

	"picket"
)

// NameFeature is one entry of the catalogue of names.
type NameFeature struct {
	Feature
	of func(*nameWindow) float64
}

// NameCatalogue is every feature of names, in the order of a row.
var NameCatalogue = []NameFeature{
	{Feature{"host_length", 1, "characters", "length of the name", fromName, fromNames, "phishing (long)", nil},
		func(w *nameWindow) float64 { return float64(len(w.Host)) }},
	{Feature{"lookups", 1, "lookups", "how often the name was asked for", fromAsked, fromNames, "none: how much the row rests on", nil},
		func(w *nameWindow) float64 { return float64(w.sum.lookups()) }},
}

// States and sources of names.
const (
	fromName  = "name"  // from the name alone
	fromAsked = "asked" // from who asked for it and what came back; missing in a list
	fromNames = "names"
)

// nameSchema hashes what the features rest on besides their definitions: another
// public suffix list or lexicon is another schema.
var nameSchema = sync.OnceValue(func() picket.Schema {
	hash := sha256.New()
	fmt.Fprintf(hash, "hosts %d\n%s\n", maxHosts, publicsuffix.List)
	names := make([]string, len(NameCatalogue))
	for i, f := range NameCatalogue {
		names[i] = f.Name
		fmt.Fprintf(hash, "%s %d\n", f.Name, f.Version)
	}
	return picket.Schema{Names: names, Hash: hex.EncodeToString(hash.Sum(nil)[:8])}
})

func (w *nameWindow) values() []float64 {
	values := make([]float64, len(NameCatalogue))
	for i := range NameCatalogue {
		values[i] = NameCatalogue[i].of(w)
	}
	return values
}

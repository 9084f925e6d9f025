package extract

import (
	"fmt"
	"sync"

	"golang.org/x/net/publicsuffix"

	"picket"
)

// NameFeature is one entry of the catalogue of names.
//
// The "label" of a name is what was registered, without the suffix; the "sub" is
// what stands below it. "log-odds" are of phishing, by the letter runs of a lexicon
// that was learned from labelled names.
type NameFeature struct {
	Feature
	of func(*nameWindow) float64
}

// States and sources of names.
const (
	fromName  = "name"  // from the name alone
	fromAsked = "asked" // from who asked for it and what came back; missing in a list
	fromNames = "names"
	phishing  = "phishing"
)

// lexical is a feature of the name alone.
func lexical(name, unit, meaning, moves string, of func(*nameSigns) float64) NameFeature {
	return NameFeature{Feature{name, 1, unit, meaning, fromName, fromNames, moves, nil}, func(w *nameWindow) float64 { return of(w.signs) }}
}

// asked is a feature of what was seen of the name, missing where it stood in a list.
func asked(name, unit, meaning, moves string, of func(*nameWindow) float64) NameFeature {
	return NameFeature{Feature{name, 1, unit, meaning, fromAsked, fromNames, moves, nil}, func(w *nameWindow) float64 {
		return missing(w.sum.lookups() == w.sum.via[3], of(w))
	}}
}

// NameCatalogue is every feature of names, in the order of a row.
var NameCatalogue = []NameFeature{
	// Shape.
	lexical("labels", "labels", "labels of the name, the suffix included", phishing, func(s *nameSigns) float64 { return float64(s.labels) }),
	lexical("label_length", "characters", "length of the label", phishing, func(s *nameSigns) float64 { return float64(s.label.length) }),
	lexical("label_longest_word", "characters", "longest run of the label without a hyphen", phishing, func(s *nameSigns) float64 { return float64(s.label.longest) }),
	lexical("label_hyphens", "hyphens", "hyphens of the label", phishing, func(s *nameSigns) float64 { return float64(s.label.hyphens) }),
	lexical("label_digit_share", "share", "digits of the label by its length", phishing, func(s *nameSigns) float64 { return ratio(float64(s.label.digits), float64(s.label.length)) }),
	lexical("label_digit_run", "digits", "longest run of digits of the label", phishing, func(s *nameSigns) float64 { return float64(s.label.digitRun) }),
	lexical("label_consonant_run", "letters", "longest run of consonants of the label", "phishing, DGA", func(s *nameSigns) float64 { return float64(s.label.consonantRun) }),
	lexical("label_vowel_share", "share", "vowels of the label by its letters", "phishing, DGA", func(s *nameSigns) float64 { return s.label.vowels }),
	lexical("label_switches", "switches", "changes between a letter and a digit in the label", "phishing, DGA", func(s *nameSigns) float64 { return float64(s.label.switches) }),
	lexical("label_entropy", "bits", "entropy of the label's characters", "DGA", func(s *nameSigns) float64 { return s.label.entropy }),
	lexical("sub_length", "characters", "length of the sub", phishing, func(s *nameSigns) float64 { return float64(s.sub.length) }),
	lexical("sub_longest_word", "characters", "longest run of the sub without dot or hyphen", phishing, func(s *nameSigns) float64 { return float64(s.sub.longest) }),
	lexical("sub_hyphens", "hyphens", "hyphens of the sub", phishing, func(s *nameSigns) float64 { return float64(s.sub.hyphens) }),
	lexical("sub_digit_share", "share", "digits of the sub by its length", phishing, func(s *nameSigns) float64 { return ratio(float64(s.sub.digits), float64(s.sub.length)) }),
	lexical("sub_entropy", "bits", "entropy of the sub's characters", phishing, func(s *nameSigns) float64 { return s.sub.entropy }),
	lexical("hosted", "0 or 1", "the suffix is of a service that gives names to anybody, such as pages.dev", phishing, func(s *nameSigns) float64 { return flag(s.hosted) }),
	lexical("suffix_inside", "0 or 1", "com, net, org, co, jp, uk or gov as a word before the suffix", phishing, func(s *nameSigns) float64 { return flag(s.suffixInside) }),

	// Letters.
	lexical("label_log_odds", "log-odds", "of the label's letter runs", phishing, func(s *nameSigns) float64 { return s.odds[gramLabel] }),
	lexical("sub_log_odds", "log-odds", "of the sub's letter runs", phishing, func(s *nameSigns) float64 { return s.odds[gramSub] }),
	lexical("suffix_log_odds", "log-odds", "of the suffixes: the prior of the top-level domain and of the host of many", phishing, func(s *nameSigns) float64 { return s.odds[gramSuffix] }),
	lexical("name_log_odds", "log-odds", "of all three", phishing, func(s *nameSigns) float64 { return s.odds[gramLabel] + s.odds[gramSub] + s.odds[gramSuffix] }),
	lexical("label_surprise", "bits per letter", "of the label after the letters of harmless names", "DGA", func(s *nameSigns) float64 { return s.surprise }),
	lexical("sub_surprise", "bits per letter", "of the sub after the letters of harmless names", "DGA", func(s *nameSigns) float64 { return s.subSurprise }),
	lexical("label_credential_words", "words", "words of the label that ask for credentials or money", phishing, func(s *nameSigns) float64 { return float64(s.labelWords) }),
	lexical("sub_credential_words", "words", "words of the sub that ask for credentials or money", phishing, func(s *nameSigns) float64 { return float64(s.subWords) }),

	// Brands.
	lexical("brand_own", "0 or 1", "the domain belongs to a protected name", "none: speaks against phishing", func(s *nameSigns) float64 { return flag(s.brand.own) }),
	lexical("brand_is_label", "0 or 1", "the label is a protected name under another suffix", phishing, func(s *nameSigns) float64 { return s.brand.isOf("label", "is") }),
	lexical("brand_word_in_label", "0 or 1", "a word of the label is a protected name", phishing, func(s *nameSigns) float64 { return s.brand.isOf("label", "word") }),
	lexical("brand_part_of_label", "0 or 1", "a protected name of five letters or more is part of a word of the label", phishing, func(s *nameSigns) float64 { return s.brand.isOf("label", "part") }),
	lexical("brand_in_sub", "0 or 1", "a protected name stands in the sub", phishing, func(s *nameSigns) float64 { return s.brand.isOf("sub", "is", "word", "part") }),
	lexical("brand_glyphs", "0 or 1", "a protected name in other letters or digits that look like its own (UTS #39)", phishing, func(s *nameSigns) float64 { return max(s.brand.isOf("label", "glyphs"), s.brand.isOf("sub", "glyphs")) }),
	lexical("brand_distance", "letters", "letters changed, left out, put in or swapped between a word of the label and the protected name next to it, where that is 1 or 2", phishing,
		func(s *nameSigns) float64 {
			return missing(s.brand.how != "near" || s.brand.where != "label", float64(s.brand.distance))
		}),
	lexical("brand_length", "letters", "length of the protected name that is imitated", phishing, func(s *nameSigns) float64 { return missing(s.brand.word == "", float64(len(s.brand.word))) }),

	// Other scripts.
	lexical("punycode", "0 or 1", "a label is in punycode", phishing, func(s *nameSigns) float64 { return flag(s.punycode) }),
	lexical("scripts", "scripts", "1 of one script beyond ASCII, 2 where a label mixes Latin with another; 0 without punycode", phishing, func(s *nameSigns) float64 { return float64(s.scripts) }),
	lexical("confusable_letters", "letters", "letters that look like ASCII letters or digits (UTS #39)", phishing, func(s *nameSigns) float64 { return float64(s.confusedChars) }),

	// Who asked, and what came back.
	asked("lookups", "lookups", "how often the name was asked for in the hour", "none: how much the row rests on", func(w *nameWindow) float64 { return float64(w.sum.lookups()) }),
	asked("clients", "addresses", "addresses that asked", "phishing (few), popular names (many)", func(w *nameWindow) float64 { return float64(w.clients) }),
	asked("active_minutes", "minutes", "minutes of the hour in which somebody asked", "c2 (many), phishing (few)", func(w *nameWindow) float64 { return float64(popcount(w.sum.minutes)) }),
	asked("missing_share", "share", "answers that say there is no such name, by answers", "DGA, typing errors", func(w *nameWindow) float64 { return share(w.sum.missing, w.sum.answered) }),
	asked("refused_share", "share", "answers with any other error, by answers", "a name that was taken down", func(w *nameWindow) float64 { return share(w.sum.refused, w.sum.answered) }),
	asked("addresses", "addresses", "addresses that the name led to, at most 8", "none", func(w *nameWindow) float64 { return float64(len(w.sum.answers)) }),
	asked("certificate_age_days", "days", "age of the newest certificate that was shown", "phishing (fresh)", func(w *nameWindow) float64 {
		return missing(w.sum.certificate.issued == 0, float64(w.sum.last/secondNanos-w.sum.certificate.issued)/picket.Day)
	}),
	asked("certificate_valid_days", "days", "for how long that certificate is valid", "phishing (90 and fewer)", func(w *nameWindow) float64 {
		return missing(w.sum.certificate.issued == 0, float64(w.sum.certificate.expires-w.sum.certificate.issued)/picket.Day)
	}),
}

// nameSchema hashes what the features rest on besides their definitions: another
// public suffix list or lexicon is another schema. Brands are not in it: an
// organisation has its own.
var nameSchema = sync.OnceValue(func() picket.Schema {
	basis := fmt.Sprintf("hosts %d\n%s\nlexicon %s\n", maxHosts, publicsuffix.List, lexiconHash())
	return hashSchema(basis, len(NameCatalogue), func(i int) (string, int) { return NameCatalogue[i].Name, NameCatalogue[i].Version })
})

func (w *nameWindow) values() []float64 {
	values := make([]float64, len(NameCatalogue))
	for i := range NameCatalogue {
		values[i] = NameCatalogue[i].of(w)
	}
	return values
}

// NameRow returns the features of a name that nobody was seen to ask for, as for a
// list.
func NameRow(n Name, l *Lexicon, b *Brands) []float64 {
	w := nameWindow{Name: n, signs: l.signs(n, b)}
	return w.values()
}

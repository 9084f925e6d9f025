package extract

import (
	"fmt"
	"math"
	"slices"
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
	of func(*nameWindow) float64 // what was seen of the name; nil where it speaks for itself
}

// States and sources of names.
const (
	fromName  = "name"  // from the name alone
	fromAsked = "asked" // from who asked for it and what came back; missing in a list
	fromNames = "names"
	phishing  = "phishing"
)

// lexical is a feature of the name alone, which stands in nameSigns at its place in
// the catalogue.
func lexical(name, unit, meaning, moves string) NameFeature {
	return NameFeature{Feature: Feature{name, 1, unit, meaning, fromName, fromNames, moves, nil}}
}

// asked is a feature of what was seen of the name, missing where it stood in a list.
func asked(name, unit, meaning, moves string, of func(*nameWindow) float64) NameFeature {
	return NameFeature{Feature{name, 1, unit, meaning, fromAsked, fromNames, moves, nil}, of}
}

// NameCatalogue is every feature of names, in the order of a row.
var NameCatalogue = []NameFeature{
	// Shape.
	signLabels:            lexical("labels", "labels", "labels of the name, the suffix included", phishing),
	signLabelLength:       lexical("label_length", "characters", "length of the label", phishing),
	signLabelLongestWord:  lexical("label_longest_word", "characters", "longest run of the label without a hyphen", phishing),
	signLabelHyphens:      lexical("label_hyphens", "hyphens", "hyphens of the label", phishing),
	signLabelDigitShare:   lexical("label_digit_share", "share", "digits of the label by its length", phishing),
	signLabelDigitRun:     lexical("label_digit_run", "digits", "longest run of digits of the label", phishing),
	signLabelConsonantRun: lexical("label_consonant_run", "letters", "longest run of consonants of the label", "phishing, DGA"),
	signLabelVowelShare:   lexical("label_vowel_share", "share", "vowels of the label by its letters", "phishing, DGA"),
	signLabelSwitches:     lexical("label_switches", "switches", "changes between a letter and a digit in the label", "phishing, DGA"),
	signLabelEntropy:      lexical("label_entropy", "bits", "entropy of the label's characters", "DGA"),
	signSubLength:         lexical("sub_length", "characters", "length of the sub", phishing),
	signSubLongestWord:    lexical("sub_longest_word", "characters", "longest run of the sub without dot or hyphen", phishing),
	signSubHyphens:        lexical("sub_hyphens", "hyphens", "hyphens of the sub", phishing),
	signSubDigitShare:     lexical("sub_digit_share", "share", "digits of the sub by its length", phishing),
	signSubEntropy:        lexical("sub_entropy", "bits", "entropy of the sub's characters", phishing),
	signHosted:            lexical("hosted", "0 or 1", "the suffix is of a service that gives names to anybody, such as pages.dev", phishing),
	signSuffixInside:      lexical("suffix_inside", "0 or 1", "com, net, org, co, jp, uk or gov as a word before the suffix", phishing),

	// Letters.
	signLabelLogOdds:         lexical("label_log_odds", "log-odds", "of the label's letter runs", phishing),
	signSubLogOdds:           lexical("sub_log_odds", "log-odds", "of the sub's letter runs", phishing),
	signSuffixLogOdds:        lexical("suffix_log_odds", "log-odds", "of the suffixes: the prior of the top-level domain and of the host of many", phishing),
	signNameLogOdds:          lexical("name_log_odds", "log-odds", "of all three", phishing),
	signLabelSurprise:        lexical("label_surprise", "bits per letter", "of the label after the letters of harmless names", "DGA"),
	signSubSurprise:          lexical("sub_surprise", "bits per letter", "of the sub after the letters of harmless names", "DGA"),
	signLabelCredentialWords: lexical("label_credential_words", "words", "words of the label that ask for credentials or money", phishing),
	signSubCredentialWords:   lexical("sub_credential_words", "words", "words of the sub that ask for credentials or money", phishing),

	// Brands.
	signBrandOwn:         lexical("brand_own", "0 or 1", "the domain belongs to a protected name", "none: speaks against phishing"),
	signBrandIsLabel:     lexical("brand_is_label", "0 or 1", "the label is a protected name under another suffix", phishing),
	signBrandWordInLabel: lexical("brand_word_in_label", "0 or 1", "a word of the label is a protected name", phishing),
	signBrandPartOfLabel: lexical("brand_part_of_label", "0 or 1", "a protected name of five letters or more is part of a word of the label", phishing),
	signBrandInSub:       lexical("brand_in_sub", "0 or 1", "a protected name stands in the sub", phishing),
	signBrandGlyphs:      lexical("brand_glyphs", "0 or 1", "a protected name in other letters or digits that look like its own (UTS #39)", phishing),
	signBrandDistance:    lexical("brand_distance", "letters", "letters changed, left out, put in or swapped between a word of the label and the protected name next to it, where that is 1 or 2", phishing),
	signBrandLength:      lexical("brand_length", "letters", "length of the protected name that is imitated", phishing),

	// Other scripts.
	signPunycode:          lexical("punycode", "0 or 1", "a label is in punycode", phishing),
	signScripts:           lexical("scripts", "scripts", "1 of one script beyond ASCII, 2 where a label mixes Latin with another; 0 without punycode", phishing),
	signConfusableLetters: lexical("confusable_letters", "letters", "letters that look like ASCII letters or digits (UTS #39)", phishing),

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

// values appends the features of a name to a row, those of what was seen of it missing
// where it stood in a list.
func (w *nameWindow) values(row []float64, l *Lexicon, b *Brands) []float64 {
	row = AppendNameRow(row, w.Name, l, b)
	if w.sum.lookups() == w.sum.via[3] {
		return row
	}
	seen := row[len(row)-len(NameCatalogue)+signs:]
	for i := range seen {
		seen[i] = NameCatalogue[signs+i].of(w)
	}
	return row
}

// NameRow returns the features of a name that nobody was seen to ask for, as for a
// list.
func NameRow(n Name, l *Lexicon, b *Brands) []float64 {
	return AppendNameRow(make([]float64, 0, len(NameCatalogue)), n, l, b)
}

// AppendNameRow appends what NameRow returns.
func AppendNameRow(row []float64, n Name, l *Lexicon, b *Brands) []float64 {
	from := len(row)
	row = slices.Grow(row, len(NameCatalogue))[:from+len(NameCatalogue)]
	l.signs((*nameSigns)(row[from:]), &n, b)
	for i := from + signs; i < len(row); i++ {
		row[i] = math.NaN()
	}
	return row
}

package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"picket"
)

// slot is one hour, or one UTC day, of one source: what is closed at once.
type slot struct {
	Start  int64 // Unix seconds
	Day    bool
	Source string
}

const (
	hourLayout = "2006-01-02T15"
	dayLayout  = "2006-01-02"
)

func (s slot) String() string {
	layout := hourLayout
	if s.Day {
		layout = dayLayout
	}
	return time.Unix(s.Start, 0).UTC().Format(layout) + "/" + s.Source
}

func compareSlots(a, b slot) int { return cmp.Compare(a.String(), b.String()) }

// End returns the second after the slot.
func (s slot) End() int64 {
	if s.Day {
		return s.Start + picket.Day
	}
	return s.Start + picket.Hour
}

// day returns the slot of the UTC day that holds s.
func (s slot) day() slot {
	return slot{Start: s.Start - s.Start%picket.Day, Day: true, Source: s.Source}
}

func parseSlot(text string) (slot, error) {
	when, source, ok := strings.Cut(text, "/")
	if !ok || source == "" || strings.Contains(source, "/") {
		return slot{}, fmt.Errorf("%q is not HOUR/SOURCE", text)
	}
	layout := hourLayout
	if len(when) == len(dayLayout) {
		layout = dayLayout
	}
	t, err := time.Parse(layout, when)
	if err != nil {
		return slot{}, fmt.Errorf("%q does not begin with an hour: %w", text, err)
	}
	return slot{Start: t.Unix(), Day: layout == dayLayout, Source: source}, nil
}

// markSlot returns the slot that a mark's key names.
func markSlot(key string) (slot, error) {
	s, err := parseSlot(path.Dir(strings.TrimPrefix(key, picket.DuePrefix)))
	if err != nil {
		return s, fmt.Errorf("mark %s: %w", key, err)
	}
	return s, nil
}

// Trace names what a part, its marks and a manifest came from, one version of one
// raw object: the end of their keys, by which log lines of the stages find together.
func Trace(object, version string) string { return digest(object) + "." + version }

// FeaturesDay returns the start of the UTC day, in Unix seconds, that the key of a
// features object names.
func FeaturesDay(key string) (int64, error) {
	s, _, err := featuresSlot(key)
	if err != nil || !strings.HasPrefix(key, picket.FeaturesPrefix) {
		return 0, fmt.Errorf("features %s: %w", key, cmp.Or(err, errors.New("not below "+picket.FeaturesPrefix)))
	}
	return s.day().Start, nil
}

// Keys. Each follows from its input alone.
func partPrefix(s slot) string { return picket.WindowsPrefix + s.String() + "/" }

func partKey(s slot, object, version string) string {
	return partPrefix(s) + Trace(object, version)
}

// manifestPrefix holds one manifest per version of a raw object, apart from the
// parts so that listing an hour lists parts alone.
func manifestPrefix(object string) string {
	return picket.WindowsPrefix + "objects/" + digest(object) + "/"
}

func quarantineKey(object, version string) string {
	return picket.QuarantinePrefix + digest(object, version) + ".jsonl"
}

// featuresKey counts all parts that the features rest on, those of their history
// too: a revision that knows more is newer.
func featuresKey(s slot, parts []string, past slotPast) string {
	sum := digest(parts...)
	if past.key != "" {
		sum = digest(append(slices.Clone(parts), past.key)...)
	}
	return fmt.Sprintf("%s%s/%06d-%s.parquet", picket.FeaturesPrefix, s, len(parts)+past.size, sum)
}

// featuresSlot returns the slot and the number of parts that a features key names.
func featuresSlot(key string) (slot, string, error) {
	rest := strings.TrimPrefix(key, picket.FeaturesPrefix)
	s, err := parseSlot(path.Dir(rest))
	return s, path.Base(rest), err
}

// featuresOf returns what the keys of a day's features begin with; "" for a time
// that no key can name.
func featuresOf(unix int64) string {
	if unix < 0 || unix > lastSecond {
		return ""
	}
	return picket.FeaturesPrefix + time.Unix(unix, 0).UTC().Format(dayLayout)
}

// lastSecond is the end of the last year of four digits.
const lastSecond = 253402300799

func findingsPrefix(day int64) string {
	return picket.FindingsPrefix + time.Unix(day, 0).UTC().Format(dayLayout) + "/"
}

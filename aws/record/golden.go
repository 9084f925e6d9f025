package record

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed calls.txt
var calls string

// Listed returns the rights in calls.txt of a role, such as "ingest": what its
// code is said to call. The bucket is named DATA or RAW there, the prefix picket.
func Listed(role string) []Need {
	var needs []Need
	for line := range strings.Lines(calls) {
		f := strings.Fields(line)
		if len(f) >= 3 && f[0] == role {
			needs = append(needs, Need{f[1], f[2]})
		}
	}
	return needs
}

// Unseen returns the lines of calls.txt that no test is seen to call, each with its
// reason.
func Unseen() []string {
	var lines []string
	for line := range strings.Lines(calls) {
		if before, _, ok := strings.Cut(line, " : "); ok && !strings.HasPrefix(before, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// Add takes what another has recorded.
func (c *Calls) Add(other *Calls) {
	other.mu.Lock()
	defer other.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.needs == nil {
		c.needs, c.unknown = map[Need]bool{}, map[string]bool{}
	}
	maps.Copy(c.needs, other.needs)
	maps.Copy(c.unknown, other.unknown)
}

// Compare holds what a test saw a role's code need against what is listed of
// it. Names in the calls are those given: the data bucket, the raw bucket if it
// is another, and the prefix. Nil means that every call is listed; strict asks for
// the reverse, too, but for lines with a reason.
func (c *Calls) Compare(role, data, raw, prefix string, strict bool) error {
	needs, err := c.Needs()
	if err != nil {
		return err
	}
	listed := Listed(role)
	if len(listed) == 0 {
		return fmt.Errorf("no role %q in aws/record/calls.txt", role)
	}
	var wrong []string
	var seen []Need
	for _, n := range needs {
		n.Resource = plain(n.Resource, data, raw, prefix)
		seen = append(seen, n)
		if !slices.ContainsFunc(listed, func(l Need) bool { return l.covers(n) }) {
			wrong = append(wrong, "called and not listed: "+role+" "+n.String())
		}
	}
	for _, n := range listed {
		excused := slices.ContainsFunc(Unseen(), func(line string) bool { return strings.HasPrefix(line, role+" "+n.String()+" : ") })
		if strict && !excused && !slices.ContainsFunc(seen, n.covers) {
			wrong = append(wrong, "listed and not called: "+role+" "+n.String())
		}
	}
	if wrong != nil {
		return fmt.Errorf("aws/record/calls.txt:\n%s", strings.Join(wrong, "\n"))
	}
	return nil
}

// covers reports whether a right is that of n, or one of the whole folder that n
// is in.
func (l Need) covers(n Need) bool {
	folder, whole := strings.CutSuffix(l.Resource, "*")
	return l.Action == n.Action && (l.Resource == n.Resource || whole && strings.HasPrefix(n.Resource, folder))
}

// plain puts the words of calls.txt in the place of names.
func plain(resource, data, raw, prefix string) string {
	for _, bucket := range []struct{ name, word string }{{data, "DATA"}, {raw, "RAW"}} {
		if rest, ok := strings.CutPrefix(resource, bucket.name); ok && bucket.name != "" && (rest == "" || rest[0] == '/' || rest[0] == '?') {
			if bucket.word == "RAW" {
				return "RAW/*"
			}
			return bucket.word + rest
		}
	}
	kind, name, ok := strings.Cut(resource, "/")
	if !ok {
		kind, name, ok = strings.Cut(resource, ":")
		if !ok {
			return resource
		}
		return kind + ":" + strings.Replace(name, prefix, "picket", 1)
	}
	return kind + "/" + strings.Replace(name, prefix, "picket", 1)
}

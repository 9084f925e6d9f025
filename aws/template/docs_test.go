package template

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated parts of docs/deploy.md")

const deployDoc = "../../docs/deploy.md"

// The tables of docs/deploy.md are what the templates say.
func TestDocs(t *testing.T) {
	body, err := os.ReadFile(deployDoc)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(body)
	for name, table := range map[string]string{
		"parameters": parameterTable(), "scorers": scorerTable(), "permissions": permissionTable(t), "cost": costTable(t),
	} {
		from, to := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, ok := strings.Cut(doc, from)
		old, after, ok2 := strings.Cut(rest, to)
		if !ok || !ok2 {
			t.Fatalf("no place for %s in %s", name, deployDoc)
		}
		if old != table && !*update {
			t.Errorf("%s of %s are not what the templates say: go test ./aws/template -run TestDocs -update", name, deployDoc)
		}
		doc = before + from + table + to + after
	}
	if *update {
		if err := os.WriteFile(deployDoc, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func parameterTable() string {
	var b strings.Builder
	b.WriteString("\n| parameter | default | what it is |\n|---|---|---|\n")
	seen := map[string]bool{}
	for _, text := range []string{base, ml} {
		for _, name := range sortedKeys(section(parsed(text), "Parameters")) {
			p := section(parsed(text), "Parameters")[name].(map[string]any)
			if seen[name] {
				continue
			}
			seen[name] = true
			def := "must be given"
			if v, ok := p["Default"]; ok {
				def = "`" + fmt.Sprint(v) + "`"
				if fmt.Sprint(v) == "" {
					def = ""
				}
			}
			what := text2(p["Description"])
			if values := texts(p["AllowedValues"]); len(values) > 0 && len(values) < 6 {
				what += " One of " + strings.Join(values, ", ") + "."
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, def, what)
		}
	}
	return b.String() + "\n"
}

func text2(v any) string { return strings.Join(strings.Fields(text(v)), " ") }

func scorerTable() string {
	var b strings.Builder
	b.WriteString("\n| can have | endpoint | serverless | lambda | why not |\n|---|---|---|---|---|\n")
	word := map[bool]string{true: "yes", false: "**no**"}
	for _, l := range Scorers() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | [%s](%s) |\n", l.What, word[l.Scorer["endpoint"]], word[l.Scorer["serverless"]], word[l.Scorer["lambda"]], l.Why, l.Page)
	}
	return b.String() + "\n"
}

func permissionTable(t *testing.T) string {
	var b strings.Builder
	owner := ""
	all := statements(t, full())
	slices.SortStableFunc(all, func(x, y Statement) int { return strings.Compare(string(x.Kind), string(y.Kind)) })
	for _, kind := range []struct {
		kind  Kind
		title string
	}{{Identity, "What a role may do"}, {Trust, "Who may be a role"}, {Attached, "Who may use a resource"}, {Network, "What may pass a VPC endpoint"}} {
		fmt.Fprintf(&b, "\n### %s\n", kind.title)
		owner = ""
		for _, st := range all {
			if st.Kind != kind.kind {
				continue
			}
			if st.Owner != owner && (kind.kind == Identity || owner == "") {
				if kind.kind == Identity {
					fmt.Fprintf(&b, "\n#### `%s`\n", st.Owner)
				}
				b.WriteString("\n| statement | may | on | only if | why |\n|---|---|---|---|---|\n")
			}
			owner = st.Owner
			b.WriteString(permissionRow(st))
		}
	}
	return b.String() + "\n"
}

func permissionRow(st Statement) string {
	actions := strings.Join(st.Actions, ", ")
	if !st.Allow {
		actions = "*takes* " + strings.ReplaceAll(actions, "*", `\*`)
	}
	var on, only []string
	for _, res := range st.Resources {
		on = append(on, "`"+short(res)+"`")
	}
	for _, who := range st.Principals {
		on = append(on, "from "+strings.ReplaceAll(principal(who), "*", "anybody"))
	}
	if st.Kind == Trust {
		on = append(on, "for `"+st.Owner+"`")
	}
	for _, c := range st.Conditions {
		var values []string
		for _, v := range c.Values {
			values = append(values, short(v))
		}
		only = append(only, fmt.Sprintf("%s `%s` %s", c.Key, c.Operator, strings.Join(values, " or ")))
	}
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", st.Sid, cell(actions), cell(strings.Join(on, ", ")), cell(strings.Join(only, "; ")), cell(st.Why))
}

func costTable(t *testing.T) string {
	var b strings.Builder
	prices := KnownPrices()
	plain, endpoint := Defaults(), Defaults()
	endpoint.Scorer = "endpoint"
	endpoint.VpcId, endpoint.SubnetIds, endpoint.SecurityGroupIds, endpoint.RouteTableIds, endpoint.VpcEndpoints = "vpc-1", []string{"subnet-1", "subnet-2"}, []string{"sg-1"}, []string{"rtb-1"}, "on"
	columns := []Cost{costOf(t, plain, SmallSite), costOf(t, endpoint, SmallSite)}
	var names []string
	by := make([]map[string]CostItem, len(columns))
	for i, c := range columns {
		by[i] = map[string]CostItem{}
		for _, item := range c.Items {
			if by[i][item.What] = item; !slices.Contains(names, item.What) {
				names = append(names, item.What)
			}
		}
	}
	fmt.Fprintf(&b, "\n%g GB of raw logs a day (compressed) in %g objects, %g trainings a month; USD a month, %s, prices of %s:\n\n", SmallSite.GBPerDay, SmallSite.ObjectsPerDay, SmallSite.RunsPerMonth, prices.Region, prices.Date)
	b.WriteString("| item | the defaults (detect scores) | endpoint on an instance, VPC with endpoints in two subnets |\n|---|---:|---:|\n")
	for _, name := range names {
		fmt.Fprintf(&b, "| %s |", name)
		for i := range columns {
			if item, ok := by[i][name]; ok {
				fmt.Fprintf(&b, " %.2f |", item.USD)
			} else {
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "| **together** | **%.2f** | **%.2f** |\n", columns[0].USD(), columns[1].USD())
	how := map[string]int{}
	for _, p := range prices.By {
		how[p.Read]++
	}
	fmt.Fprintf(&b, "\nOf the %d prices of the table, %d were read that day in a stored copy of AWS's own page and %d on a page that quotes\nit; the other %d are the published prices as known to the author, and not read again (`aws/template/prices.json` says\nwhich, and where). `picket deploy` asks the Price List API and uses what it says today of the region; where it cannot\nbe asked, or knows no such product, it says so and keeps the table's.\n", len(prices.By), how["page"], how["quoted"], how["memory"])
	return b.String() + "\n"
}

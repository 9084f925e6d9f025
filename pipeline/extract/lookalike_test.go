package extract

import (
	"strings"
	"testing"

	"picket"
)

func TestLookalike(t *testing.T) {
	brands, err := DefaultBrands().With(strings.NewReader("acmeworks acmeworks.com acrneworks.com\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"rnicrosoft.com":           "microsoft",
		"login.micros0ft.com":      "microsoft",
		"linkedln.com":             "linkedin",
		"netfl1x.top":              "netflix",
		"xn--googl-fsa.com":        "google",
		"g00gle-login.com":         "google",
		"paypa1.com":               "paypal", // that it is PayPal's own is of no help to who reads it
		"acmevvorks.com":           "acmeworks",
		"acrneworks.com":           "", // the user says that it is his
		"acmeworks.org":            "",
		"google.com":               "",
		"microsoft-login.com":      "", // the name itself: the booster judges that
		"modem.com":                "",
		"12345.com":                "",
		"10.0.0.1":                 "",
		"lookalike.example":        "",
		"paypal.account-check.com": "",
	} {
		if got := brands.Lookalike(name); got != (want != "") {
			t.Errorf("%s: look-alike is %v", name, got)
		}
		var imitates string
		for _, f := range NameFacts(name, brands) {
			if f.Name == picket.FactImitates {
				imitates, _, _ = strings.Cut(f.Value, " ")
			}
		}
		if want != "" && imitates != want {
			t.Errorf("%s imitates %q, want %q", name, imitates, want)
		}
	}
}

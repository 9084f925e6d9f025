package pipeline

import (
	"math/rand/v2"
	"slices"
	"strings"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/train"
)

// Forge adds names that were made from the names of each split that is learned
// from: look-alikes of brands, each brand in one split, and harmless names with
// something below them or with a host of many.
func Forge(all []NameExample, r NameRecipe) []NameExample {
	seen := map[string]bool{}
	for i := range all {
		seen[all[i].Host] = true
	}
	var out []NameExample
	for i, split := range splitOrder[:3] {
		rng := rand.New(rand.NewPCG(r.Seed, uint64(i)))
		for _, e := range append(forgeBrands(all, r, split, rng), forgeForms(all, r.Brands, split, rng)...) {
			if !seen[e.Host] {
				seen[e.Host] = true
				out = append(out, e)
			}
		}
	}
	return append(slices.Clip(all), out...)
}

// forger knows the suffixes that the training part met.
func forger(all []NameExample, phishing bool, rng *rand.Rand) *train.Forger {
	f := &train.Forger{Words: extract.CredentialWords(), Glyphs: extract.Glyphs(), Rand: rng}
	f.Services = slices.Concat(services, f.Words)
	for i := range all {
		if e := &all[i]; e.Split == picket.SplitTrain {
			if !e.Phishing && e.Sub == "" && len(e.Label) < 10 && strings.Trim(e.Label, "abcdefghijklmnopqrstuvwxyz") == "" {
				f.Others = append(f.Others, e.Label)
			}
			if e.Hosting != "" {
				f.Hosts = append(f.Hosts, e.Hosting) // of both classes: who hosts many says little
			} else if e.Phishing == phishing {
				f.Suffixes = append(f.Suffixes, e.Suffix)
			}
		}
	}
	return f
}

// services are what hosts are commonly called by what they do.
var services = strings.Fields(`mail webmail smtp imap pop pop3 mx autodiscover owa exchange login sso auth id idp oauth account accounts my
	portal secure vpn remote gateway ssl www2 web m mobile app apps api api2 rest graphql cdn static assets img images media video files download
	upload docs wiki help support status blog news shop store pay billing checkout dev staging test beta demo git ci jira confluence intranet
	extranet crm erp hr jobs careers forum community events analytics metrics stats tracking ads data db sql ftp sftp ntp dns ns1 ns2 proxy cloud
	drive calendar chat meet voice search maps payments partner partners admin console dashboard panel cpanel server host node edge cache lb`)

func forgeBrands(all []NameExample, r NameRecipe, split string, rng *rand.Rand) []NameExample {
	f := forger(all, true, rng)
	if len(f.Suffixes) == 0 || len(f.Hosts) == 0 {
		return nil
	}
	brands := r.Brands.Len()
	var out []NameExample
	r.Brands.Each(func(word string, domains []string) {
		at, dice := picket.SplitTrain, hash01("brand "+word, r.Seed)
		if dice < 0.1 {
			at = picket.SplitCalibration
		} else if dice < 0.2 {
			at = picket.SplitValidation
		}
		if at != split {
			return
		}
		for range r.Forged / brands {
			if n, err := extract.ParseName(f.Forge(word, domains)); err == nil && !r.Brands.Own(n) {
				out = append(out, NameExample{Name: n, Source: sourceForged, Phishing: true, Split: split, Weight: 0.7})
			}
		}
	})
	return out
}

// forgeForms makes harmless names as resolvers see them.
func forgeForms(all []NameExample, brands *extract.Brands, split string, rng *rand.Rand) []NameExample {
	f := forger(all, false, rng)
	var subs []string
	var domains []extract.Name
	for i := range all {
		e := &all[i]
		if e.Phishing || e.Split != split {
			continue
		}
		if e.Sub != "" && e.Sub != "www" {
			subs = append(subs, e.Sub)
		} else if e.Hosting == "" {
			domains = append(domains, e.Name)
		}
	}
	if len(subs) == 0 || len(domains) == 0 || len(f.Hosts) == 0 || len(f.Others) == 0 {
		return nil
	}
	var out []NameExample
	add := func(host string, weight float64) {
		if n, err := extract.ParseName(host); err == nil {
			out = append(out, NameExample{Name: n, Source: sourceForms, Owned: brands.Own(n), Split: split, Weight: weight})
		}
	}
	// They are many, and made up: each weighs a third of a listed name.
	word := func() string { return f.Others[rng.IntN(len(f.Others))] }
	for _, d := range slices.Concat(domains, domains) {
		switch rng.IntN(12) {
		case 0, 1:
			add(subs[rng.IntN(len(subs))]+"."+d.Registrable, 0.35)
		case 2:
			add(f.Service()+"."+d.Registrable, 0.35)
		case 3:
			add("www."+d.Registrable, 0.25)
		case 4:
			add(f.Machine()+"."+d.Registrable, 0.35)
		case 5:
			add(word()+"."+d.Registrable, 0.35)
		case 6:
			add("www."+word()+"."+d.Registrable, 0.35)
		case 7:
			add(word()+"."+word()+"."+d.Registrable, 0.25)
		case 8:
			add(word()+"-"+word()+"."+d.Registrable, 0.25)
		case 9:
			add(d.Label+"."+f.Hosts[rng.IntN(len(f.Hosts))], 0.35)
		case 10:
			add(word()+word()+"."+f.Hosts[rng.IntN(len(f.Hosts))], 0.35)
		}
	}
	for _, d := range domains { // whoever is imitated has the most to log in to
		if brands.Own(d) {
			add(f.Service()+"."+d.Registrable, 0.7)
			add(f.Service()+"."+d.Registrable, 0.7)
		}
	}
	return out
}

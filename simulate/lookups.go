package simulate

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"picket"
)

// Lookups is a simulated office whose machines ask a resolver for names, with the
// query log that Route 53 Resolver writes of it. The same lookups give the same log.
type Lookups struct {
	Seed     uint64
	Start    time.Time
	Duration time.Duration
	Hosts    int     // of 10.30.0.0/16
	PerHour  float64 // questions of a host
	Phish    []Lure
}

// Lure is a name that phishes, and how many of the machines ask for it.
type Lure struct {
	Name     string
	Kind     string // how it imitates
	Strength float64
	Hosts    int
}

// LookupTruth says when a name was asked for that phishes.
type LookupTruth struct {
	picket.Label
	Lure
}

// usualNames are what machines of an office ask for. The first are the most usual.
var usualNames = strings.Fields(`www.google.com outlook.office365.com login.microsoftonline.com teams.microsoft.com slack.com
github.com api.github.com www.youtube.com fonts.gstatic.com ssl.gstatic.com www.gstatic.com clients4.google.com
update.googleapis.com s3.amazonaws.com sts.amazonaws.com dynamodb.eu-west-1.amazonaws.com d1.awsstatic.com
ocsp.digicert.com crl3.digicert.com ctldl.windowsupdate.com settings-win.data.microsoft.com www.bing.com
en.wikipedia.org upload.wikimedia.org www.bbc.co.uk www.nytimes.com www.reuters.com stackoverflow.com
registry.npmjs.org pypi.org files.pythonhosted.org proxy.golang.org archive.ubuntu.com security.ubuntu.com deb.debian.org
www.linkedin.com www.zoom.us us04web.zoom.us www.dropbox.com docs.python.org go.dev pkg.go.dev kernel.org
time.apple.com gateway.icloud.com itunes.apple.com www.spotify.com cdn.jsdelivr.net cdnjs.cloudflare.com www.cloudflare.com
www.mozilla.org detectportal.firefox.com www.gov.uk www.nhs.uk www.ecb.europa.eu www.heise.de www.lemonde.fr`)

// Write writes the log and returns a row for each lure.
func (l *Lookups) Write(w io.Writer) ([]LookupTruth, error) {
	d := newDice(l.Seed, 31)
	type question struct {
		at         time.Time
		host, name string
	}
	var all []question
	span := l.Duration.Seconds()
	moment := func() time.Time { return l.Start.Add(time.Duration(d.Float64() * span * float64(time.Second))) }
	host := func(i int) string { return fmt.Sprintf("10.30.%d.%d", i/200, 10+i%200) }
	for i := range l.Hosts {
		for range int(l.PerHour*l.Duration.Hours() + d.Float64()) {
			all = append(all, question{moment(), host(i), usualNames[d.rank(len(usualNames))]})
		}
	}
	truths := make([]LookupTruth, 0, len(l.Phish))
	for _, lure := range l.Phish {
		for range lure.Hosts {
			all = append(all, question{moment(), host(d.IntN(l.Hosts)), lure.Name})
		}
		truths = append(truths, LookupTruth{picket.Label{
			Start: l.Start.Unix(), End: l.Start.Add(l.Duration).Unix(),
			Entity: picket.Entity{Kind: picket.KindName, ID: lure.Name}, Class: picket.ClassPhishing, Note: lure.Kind,
		}, lure})
	}
	slices.SortStableFunc(all, func(a, b question) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.host, b.host)) })
	out := bufio.NewWriter(w)
	for i, q := range all {
		address := fmt.Sprintf("%d.%d.%d.%d", 45+hashName(q.name)%100, hashName(q.name)>>8%256, hashName(q.name)>>16%256, 1+hashName(q.name)>>24%250)
		fmt.Fprintf(out, `{"version":"1.100000","account_id":"111122223333","region":"eu-west-1","vpc_id":"vpc-0a1b2c3d","query_timestamp":"%s","query_name":"%s.","query_type":"A","query_class":"IN","rcode":"NOERROR","answers":[{"Rdata":"%s","Type":"A","Class":"IN"}],"srcaddr":"%s","srcport":"%d","transport":"UDP","srcids":{"instance":"i-%017x"}}`+"\n",
			q.at.UTC().Format(time.RFC3339), q.name, address, q.host, 32768+i%28000, hashName(q.host))
	}
	return truths, out.Flush()
}

// hashName spreads a text over 63 bits.
func hashName(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h) >> 1
}

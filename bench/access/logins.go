package main

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"picket"
	"picket/pipeline"
	"picket/simulate"
)

// serve trains the boosters of access as they ship.
func (p *page) serve(ctx context.Context) (pipeline.Serving, error) {
	pkg, err := pipeline.LearnAccess(ctx, p.examples, pipeline.Learning{Name: "access", Data: "simulated accounts not trained on", Seed: 1})
	if err != nil {
		return pipeline.Serving{}, err
	}
	return pipeline.Serve(&pkg.Model)
}

// found returns the entities of a kind that pass in a log, with the class.
func foundIn(ctx context.Context, s pipeline.Serving, log []byte, kind picket.Kind) (map[string]string, error) {
	days, err := pipeline.AccessDays(ctx, bytes.NewReader(log))
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for i := range days {
		err := days[i].Rows(ctx, nil, func(f *picket.Features) error {
			scores, err := s.Scorer.Score(ctx, []picket.Features{*f}, false)
			if err == nil && f.Entity.Kind == kind && scores[0].Classes != nil && scores[0].Over() {
				found[f.Entity.ID], _ = scores[0].Class()
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// The truth of a real log is counted here from its text, apart from the decoder.
var (
	failedLine   = regexp.MustCompile(`(?:message repeated (\d+) times: \[ )?Failed password for (?:invalid user )?.* from (\S+) port \d+ ssh2\]?$`)
	acceptedLine = regexp.MustCompile(`Accepted \S+ for \S+ from (\S+) port`)
)

// sshd writes the section of the real log of sshd.
func (p *page) sshd(ctx context.Context, data string) error {
	file := filepath.Join(data, "sshd-auth", "loghub_OpenSSH_OpenSSH_2k.log")
	log, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	failures, accepted := map[string]int{}, map[string]bool{}
	for line := range bytes.Lines(log) {
		line = bytes.TrimSpace(line)
		if m := failedLine.FindSubmatch(line); m != nil {
			n, _ := strconv.Atoi(string(m[1]))
			failures[string(m[2])] += max(1, n)
		} else if m := acceptedLine.FindSubmatch(line); m != nil {
			accepted[string(m[1])] = true
		}
	}
	s, err := p.serve(ctx)
	if err != nil {
		return err
	}
	found, err := foundIn(ctx, s, log, picket.KindActor)
	if err != nil {
		return err
	}
	p.printf("## A real log of sshd\n\nloghub OpenSSH_2k (research licence, measured only): four hours of one host, %d sources with failed passwords, %d with a login that succeeded. It has no labels; a source that fails and never succeeds is taken for a guesser.\n\n", len(failures), len(accepted))
	p.guessersFound(failures, accepted, found)
	return p.soon(ctx, s, log, failures, found)
}

// guessersFound writes which of the sources that failed are found.
func (p *page) guessersFound(failures map[string]int, accepted map[string]bool, found map[string]string) {
	p.printf("| sources with at least | guessers | found | recall |\n|---|---|---|---|\n")
	for _, least := range []int{1, 3, 5, 10, 20} {
		n, hit := 0, 0
		for source, k := range failures {
			if k >= least && !accepted[source] {
				n++
				if found[source] != "" {
					hit++
				}
			}
		}
		p.printf("| %d failed passwords | %d | %d | %.2f |\n", least, n, hit, float64(hit)/float64(max(1, n)))
	}
	right := 0
	for source := range found {
		if failures[source] > 0 && !accepted[source] {
			right++
		}
	}
	p.printf("\nPrecision: %d of %d sources found are guessers.\n\n", right, len(found))
}

// pamLine is how sshd of 2005 tells by way of PAM that a login failed.
var pamLine = regexp.MustCompile(`sshd\(pam_unix\)\[\d+\]: authentication failure;.* rhost=(\S+)`)

// pam writes the section of a log of old, which tells who fails and not from where
// anybody logs in, judged by the package in the binary.
func (p *page) pam(ctx context.Context, data string) error {
	log, err := os.ReadFile(filepath.Join(data, "sshd-auth", "loghub_Linux_Linux_2k.log"))
	if err != nil {
		return err
	}
	failures := map[string]int{}
	for _, m := range pamLine.FindAllSubmatch(log, -1) {
		failures[string(m[1])]++
	}
	pkg, err := shippedPackage()
	if err != nil {
		return err
	}
	s, err := pipeline.Serve(&pkg.Model)
	if err != nil {
		return err
	}
	found, err := foundIn(ctx, s, log, picket.KindActor)
	if err != nil {
		return err
	}
	p.printf("## Another, by way of PAM\n\nloghub Linux_2k (research licence, measured only): six weeks of one host in 2005, %d sources that fail; nobody logs in from any that the log names. Judged by the package in the binary.\n\n", len(failures))
	p.guessersFound(failures, nil, found)
	return nil
}

// soon measures how many failed passwords and seconds it takes until a source is
// found, if each line is scored as it comes.
func (p *page) soon(ctx context.Context, s pipeline.Serving, log []byte, failures map[string]int, found map[string]string) error {
	var guesses, seconds []int
	for _, source := range slices.Sorted(maps.Keys(found)) {
		if failures[source] == 0 {
			continue
		}
		var text []byte
		n := 0
		var first time.Time
		for line := range bytes.Lines(log) {
			if !bytes.Contains(line, []byte(source)) {
				continue
			}
			text = append(text, line...)
			m := failedLine.FindSubmatch(bytes.TrimSpace(line))
			if m == nil {
				continue
			}
			at, err := time.Parse(time.Stamp, string(line[:15]))
			if err != nil {
				return err
			}
			if first.IsZero() {
				first = at
			}
			k, _ := strconv.Atoi(string(m[1]))
			n += max(1, k)
			now, err := foundIn(ctx, s, text, picket.KindActor)
			if err != nil {
				return err
			}
			if now[source] != "" {
				guesses, seconds = append(guesses, n), append(seconds, int(at.Sub(first).Seconds()))
				break
			}
		}
	}
	slices.Sort(guesses)
	slices.Sort(seconds)
	if len(guesses) > 0 {
		p.printf("Until a source is found, line by line: median %d failed passwords and %d s after its first, at most %d and %d s.\n\n", guesses[len(guesses)/2], seconds[len(seconds)/2], guesses[len(guesses)-1], seconds[len(seconds)-1])
	}
	return nil
}

// guessers writes the section of simulated guessers, one network for each kind and
// seed, none of them trained on.
func (p *page) guessers(ctx context.Context) error {
	s, err := p.serve(ctx)
	if err != nil {
		return err
	}
	p.printf("## Simulated guessers\n\nNetworks of logins by other seeds than those learned from, 3 days each, 12 attacks of one kind. *Sources* with 6 guesses or more within an hour; *users* guessed at 12 times or more within an hour. False: sources and users found without a guesser having been there.\n\n")
	p.printf("| kind | sources | found | users | found | false |\n|---|---|---|---|---|---|\n")
	for k, kind := range simulate.LoginAttackKinds() {
		var sums [5]int
		for seed := range uint64(3) {
			l := simulate.RandomLogins(judgedSeed+uint64(k)*10+seed, 3, []string{kind})
			l.Attacks = l.Attacks[:min(len(l.Attacks), 12)]
			var log bytes.Buffer
			truths, err := l.Write(&log)
			if err != nil {
				return err
			}
			if err := count(ctx, s, log.Bytes(), truths, &sums); err != nil {
				return err
			}
		}
		p.printf("| %s | %d | %d | %d | %d | %d |\n", kind, sums[0], sums[1], sums[2], sums[3], sums[4])
	}
	p.printf("\n")
	return nil
}

func count(ctx context.Context, s pipeline.Serving, log []byte, truths []simulate.LoginTruth, sums *[5]int) error {
	sources, err := foundIn(ctx, s, log, picket.KindActor)
	if err != nil {
		return err
	}
	users, err := foundIn(ctx, s, log, picket.KindPrincipal)
	if err != nil {
		return err
	}
	told := map[picket.Entity]bool{}
	for _, t := range truths {
		told[t.Entity] = true
		least, found, at := 6, sources, 0
		if t.Entity.Kind == picket.KindPrincipal {
			least, found, at = 12, users, 2
		}
		if busiest(t.Times) < least {
			continue
		}
		sums[at]++
		if found[t.Entity.ID] != "" {
			sums[at+1]++
		}
	}
	for id := range sources {
		if !told[picket.Entity{Kind: picket.KindActor, ID: id}] {
			sums[4]++
		}
	}
	for id := range users {
		if !told[picket.Entity{Kind: picket.KindPrincipal, ID: id}] {
			sums[4]++
		}
	}
	return nil
}

// busiest is the most of some times that fall into one hour of the clock.
func busiest(times []int64) int {
	hours := map[int64]int{}
	for _, t := range times {
		hours[t/3600]++
	}
	return slices.MaxFunc(append(slices.Collect(maps.Values(hours)), 0), cmp.Compare[int])
}

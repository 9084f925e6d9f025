package decode

import (
	"bytes"
	"io"
	"strconv"
	"time"

	"picket"
)

// readSSHD reads the auth log of sshd. Its classic time stamp has no zone and no
// year: UTC is taken, and the last year in which the line is not later than its
// object. Lines of other programs are passed over.
//
// A guess is counted once, by its "Failed" line; what sshd and PAM say of the same
// guess besides is passed over. A host that takes no passwords writes none: there the
// end of a connection that was logging in is the only word of a guess, see gaveUp.
// "Invalid user" is kept as an action of its own, since it tells of users who were
// asked for.
func readSSHD(d *run) error {
	failed := counted{}
	for {
		line, err := d.line()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if line = bytes.TrimRight(line, " \t"); len(line) == 0 {
			continue
		}
		if err := d.readLogin(line, failed); err != nil {
			return err
		}
	}
}

func (d *run) readLogin(line []byte, failed counted) error {
	e, ok := parseSyslog(line)
	if !ok {
		return d.drop(reasonSyslog, "", line)
	}
	a := &picket.Access{Count: 1}
	from := sshLogin(e.tag, e.message, a)
	switch {
	case from != nil && a.Action == "login":
		failed.add(e.process)
	case from == nil && len(e.process) > 0 && bytes.HasPrefix(e.tag, []byte("sshd")):
		from = gaveUp(e.message, a, failed.take(e.process, e.message))
	}
	if from == nil {
		d.stats.Dropped[reasonNoLogin]++
		return nil
	}
	at, ok := e.at(time.Unix(0, d.latest))
	if !ok {
		return d.drop(reasonBadTime, "", line)
	}
	a.Kind, a.Service, a.Account = "login", "ssh", text(e.host)
	a.Target = a.Account
	d.rec = picket.Record{Source: picket.SourceAccess, Opener: picket.OpenerSrc, Start: at, End: at, Proto: picket.ProtoTCP, Access: a}
	if d.rec.Src, ok = parseAddr(from); !ok {
		a.From = text(from)
	}
	return d.send(line)
}

// syslogLine is a line of syslog, cut into its parts.
type syslogLine struct {
	stamp              []byte
	host, tag, message []byte
	process            []byte // its id; nil where the line has none
}

// parseSyslog cuts a line of RFC 3164 ("Nov 22 17:00:01 host tag[pid]: message"),
// of the same with an ISO 8601 time, or of RFC 5424.
func parseSyslog(b []byte) (e syslogLine, ok bool) {
	if b[0] == '<' {
		end := bytes.IndexByte(b[:min(len(b), 6)], '>')
		if end < 0 {
			return e, false
		}
		if b = b[end+1:]; bytes.HasPrefix(b, []byte("1 ")) {
			return parseSyslog5424(b[2:])
		}
	}
	if e.stamp, b = cutStamp(b); e.stamp == nil {
		return e, false
	}
	if e.host, b, ok = bytes.Cut(b, []byte{' '}); !ok {
		return e, false
	}
	if e.tag, e.message, ok = bytes.Cut(b, []byte(": ")); !ok {
		return e, false
	}
	e.tag, e.process, _ = bytes.Cut(e.tag, []byte{'['})
	e.process = bytes.TrimSuffix(e.process, []byte{']'})
	return e, len(e.tag) > 0 && bytes.IndexByte(e.tag, ' ') < 0
}

// cutStamp cuts the time off a line: fifteen bytes, or one word that is ISO 8601.
func cutStamp(b []byte) (stamp, rest []byte) {
	const classic = len(time.Stamp)
	if len(b) > classic && b[3] == ' ' && b[9] == ':' && b[classic] == ' ' {
		return b[:classic], b[classic+1:]
	}
	word, rest, ok := bytes.Cut(b, []byte{' '})
	if ok && len(word) >= len("2006-01-02T15:04:05") && word[4] == '-' && word[10] == 'T' {
		return word, rest
	}
	return nil, nil
}

// parseSyslog5424 cuts "TIME HOST APP PID MSGID SD MESSAGE".
func parseSyslog5424(b []byte) (e syslogLine, ok bool) {
	f := bytes.SplitN(b, []byte{' '}, 6)
	if len(f) < 6 {
		return e, false
	}
	e.stamp, e.host, e.tag, e.process, e.message = f[0], f[1], f[2], f[3], f[5]
	if data := e.message; len(data) > 0 && data[0] == '[' {
		end := bytes.Index(data, []byte("] "))
		if end < 0 {
			return e, false
		}
		e.message = data[end+2:]
	} else if e.message, ok = bytes.CutPrefix(data, []byte("- ")); !ok {
		return e, false
	}
	e.message = trimBOM(e.message)
	return e, true
}

// at returns the Unix nanoseconds of the line, not later than latest where the
// stamp has no year.
func (e *syslogLine) at(latest time.Time) (int64, bool) {
	if len(e.stamp) != len(time.Stamp) {
		return parseISO(e.stamp)
	}
	t, err := time.Parse("2006 "+time.Stamp, "2000 "+string(e.stamp)) // 2000 has every day of a year
	if err != nil {
		return 0, false
	}
	latest = latest.UTC()
	for year := latest.Year(); year > latest.Year()-9; year-- {
		dated := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
		if dated.Day() == t.Day() && !dated.After(latest) {
			return dated.UnixNano(), true
		}
	}
	return 0, false
}

// sshLogin fills a from a message of sshd and returns where it came from, nil for
// a message that tells of no login.
func sshLogin(tag, message []byte, a *picket.Access) (from []byte) {
	if !bytes.HasPrefix(tag, []byte("sshd")) {
		return nil
	}
	if inner, n, ok := repeated(message); ok {
		message, a.Count = inner, n
	}
	switch {
	case bytes.HasPrefix(message, []byte("Accepted ")):
		return loginOf(message[len("Accepted "):], a, false)
	case bytes.HasPrefix(message, []byte("Failed ")):
		return loginOf(message[len("Failed "):], a, true)
	case bytes.HasPrefix(message, []byte("Invalid user ")):
		return invalidUser(message[len("Invalid user "):], a)
	case string(tag) == "sshd(pam_unix)":
		return oldPAM(message, a)
	}
	return nil
}

// repeated takes apart "message repeated N times: [ MESSAGE]".
func repeated(message []byte) (inner []byte, n uint64, ok bool) {
	rest, ok := bytes.CutPrefix(message, []byte("message repeated "))
	if !ok {
		return nil, 0, false
	}
	count, rest, ok := bytes.Cut(rest, []byte(" times: ["))
	if !ok {
		return nil, 0, false
	}
	if n, ok = parseUint(count, 1<<20); !ok || n == 0 {
		return nil, 0, false
	}
	return bytes.TrimSpace(bytes.TrimSuffix(rest, []byte("]"))), n, true
}

// loginOf reads "METHOD for [invalid user ]USER from ADDRESS port N[ ssh2][: KEY]".
// The user is whatever the client sent and may hold " from 192.0.2.1 port 1 ssh2":
// what sshd itself wrote is the last that looks so.
func loginOf(b []byte, a *picket.Access, failed bool) []byte {
	method, rest, ok := bytes.Cut(b, []byte(" for "))
	if !ok || string(method) == "none" { // "none" asks which methods there are
		return nil
	}
	user, from, ok := cutFrom(rest)
	if !ok {
		return nil
	}
	a.Action, a.Failed = "login", failed
	if failed {
		a.Error = text(method)
	}
	if u, ok := bytes.CutPrefix(user, []byte("invalid user ")); ok {
		user = u
		if failed {
			a.Error = "invalid user"
		}
	}
	a.Principal = text(user)
	return from
}

// invalidUser reads "USER from ADDRESS[ port N]".
func invalidUser(rest []byte, a *picket.Access) []byte {
	user, from, ok := cutFrom(rest)
	if !ok {
		return nil
	}
	a.Action, a.Failed, a.Error, a.Principal = "invalid user", true, "invalid user", text(user)
	return from
}

// cutFrom cuts at the last " from ". An empty user leaves a line that begins with it.
func cutFrom(b []byte) (user, from []byte, ok bool) {
	const word = " from "
	i := bytes.LastIndex(b, []byte(word))
	if i < 0 {
		return nil, nil, false
	}
	f := bytes.Fields(b[i+len(word):])
	switch {
	case len(f) == 0, len(f) > 1 && string(f[1]) != "port":
		return nil, nil, false
	case len(f) > 2:
		if _, err := strconv.ParseUint(string(f[2]), 10, 16); err != nil {
			return nil, nil, false
		}
	}
	return b[:i], f[0], true
}

// oldPAM reads what PAM said under a tag of its own before it had a service name
// in the message. Where only this log is kept it is the only word of a guess:
// "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=HOST  user=USER".
func oldPAM(message []byte, a *picket.Access) []byte {
	rest, ok := bytes.CutPrefix(message, []byte("authentication failure; "))
	if !ok {
		return nil
	}
	i := bytes.Index(rest, []byte("rhost="))
	if i < 0 {
		return nil
	}
	host, user, known := bytes.Cut(rest[i+len("rhost="):], []byte("  user="))
	if host = bytes.TrimSpace(host); len(host) == 0 {
		return nil
	}
	a.Action, a.Failed, a.Error, a.Principal = "login", true, "password", text(bytes.TrimSpace(user))
	if !known {
		a.Error = "invalid user"
	}
	return host
}

// maxCounted bounds the processes of sshd that are kept in mind.
const maxCounted = 1 << 14

// counted are the processes of sshd of which a login was counted.
type counted map[string]bool

func (c counted) add(process []byte) {
	if len(c) >= maxCounted {
		clear(c)
	}
	if len(process) > 0 {
		c[text(process)] = true
	}
}

// take reports whether a login of the process was counted already. The message that
// ends its connection forgets it; one that does not counts it.
func (c counted) take(process, message []byte) bool {
	id := text(process)
	was := c[id]
	switch {
	case bytes.HasPrefix(message, []byte(tooMany)):
		c.add(process)
	case bytes.HasSuffix(message, []byte(preauth)):
		delete(c, id)
	}
	return was
}

const (
	preauth = " [preauth]"
	tooMany = "error: maximum authentication attempts exceeded for "
)

// gaveUp reads what sshd says of a client that went away, or was sent away, while it
// was logging in: "Connection closed by authenticating user USER ADDRESS port N
// [preauth]", and "Connection reset by" and "Disconnected from" an authenticating or
// invalid user likewise. It is a guess unless one was counted of the same process.
func gaveUp(message []byte, a *picket.Access, counted bool) []byte {
	rest, ok := bytes.CutSuffix(message, []byte(preauth))
	if !ok || counted {
		return nil
	}
	var user, from []byte
	if about, ok := bytes.CutPrefix(rest, []byte(tooMany)); ok {
		if user, from, ok = cutFrom(about); !ok {
			return nil
		}
	} else if user, from = endOf(rest); from == nil {
		return nil
	}
	a.Action, a.Failed, a.Error = "login", true, "gave up"
	if u, ok := bytes.CutPrefix(user, []byte("invalid user ")); ok {
		user, a.Error = u, "invalid user"
	}
	a.Principal = text(user)
	return from
}

// endOf reads "Connection closed by authenticating user USER ADDRESS port N": what
// sshd itself wrote stands last. Where there was no user yet, nobody guessed.
func endOf(b []byte) (user, from []byte) {
	for _, how := range []string{"Connection closed by ", "Connection reset by ", "Disconnected from "} {
		rest, ok := bytes.CutPrefix(b, []byte(how))
		if !ok {
			continue
		}
		port := bytes.LastIndex(rest, []byte(" port "))
		if port < 0 {
			return nil, nil
		}
		at := bytes.LastIndexByte(rest[:port], ' ')
		if at < 0 {
			return nil, nil
		}
		user, from = rest[:at], rest[at+1:port]
		if u, ok := bytes.CutPrefix(user, []byte("authenticating user ")); ok {
			return u, from
		}
		if bytes.HasPrefix(user, []byte("invalid user ")) {
			return user, from
		}
		return nil, nil
	}
	return nil, nil
}

// isSSHD reports whether line is of a log that sshd writes to.
func isSSHD(line []byte) bool {
	if len(line) == 0 {
		return false
	}
	e, ok := parseSyslog(line)
	return ok && bytes.HasPrefix(e.tag, []byte("sshd"))
}

package decode

import (
	"bytes"
	"cmp"
	"strings"

	"picket"
)

// maxText is the most bytes that are kept of a text that anybody may have chosen.
const maxText = 256

// text returns b as valid UTF-8 of at most maxText bytes, without control
// characters.
func text(b []byte) string {
	if len(b) > maxText {
		b = b[:maxText]
	}
	for _, c := range b {
		if c < ' ' || c >= 0x7f {
			return strings.Map(printable, strings.ToValidUTF8(string(b), "\uFFFD"))
		}
	}
	return string(b)
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '\uFFFD'
	}
	return r
}

// loginRecord fills r with a login at Dst that Src tried.
func (row *zeekRow) loginRecord(r *picket.Record, a *picket.Access) (reason string) {
	*r = picket.Record{Source: picket.SourceAccess, Opener: picket.OpenerSrc, Proto: picket.ProtoTCP, Access: a}
	var ok bool
	if r.Start, ok = parseZeekTime(row[zeekTS]); !ok {
		return reasonBadTime
	}
	r.End = r.Start
	if reason := row.addresses(r); reason != "" {
		return reason
	}
	if reason := row.ports(r); reason != "" {
		return reason
	}
	a.Kind, a.Action, a.Count = "login", cmp.Or(a.Action, "login"), max(a.Count, 1)
	a.Account = r.Dst.String()
	a.Target = a.Account
	return ""
}

// sshRecord makes a login of a row of ssh.log. Zeek guesses success and attempts
// by the size of encrypted packets, and does not know the user. A connection of
// which it says neither is no login.
func (row *zeekRow) sshRecord(r *picket.Record) (reason string) {
	a := &picket.Access{Service: "ssh", Agent: text(row[zeekClient])}
	if f := row[zeekAuthAttempts]; f != nil {
		n, ok := parseCount(f, 1<<20)
		if !ok {
			return reasonNumber
		}
		a.Count = n
	}
	switch s := row[zeekAuthSuccess]; {
	case isTrue(s):
		a.Count = 1 // the attempts before it are what a good key takes
	case s == nil && a.Count == 0:
		return reasonNoLogin
	default:
		a.Failed, a.Error = true, "Failed authentication"
	}
	return row.loginRecord(r, a)
}

// rdpRecord makes a login of a row of rdp.log, whose cookie is the user as the
// client names it, mostly cut to 9 letters. Zeek sees whether the connection was
// set up, which with network level authentication is after the password.
func (row *zeekRow) rdpRecord(r *picket.Record) (reason string) {
	a := &picket.Access{Service: "rdp", Principal: text(row[zeekCookie])}
	switch result := row[zeekResult]; {
	case result == nil && row[zeekCookie] == nil:
		return reasonNoLogin
	case result == nil, bytes.EqualFold(result, []byte("Success")), bytes.EqualFold(result, []byte("encrypted")):
		a.Action = "connect" // the log does not tell how the login ended
	default:
		a.Failed, a.Error = true, text(result)
	}
	return row.loginRecord(r, a)
}

// isTrue reports whether a Zeek bool is true, as TSV or JSON write it.
func isTrue(b []byte) bool { return string(b) == "T" || string(b) == "true" }

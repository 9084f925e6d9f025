package decode

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"picket"
)

// wrongAccess says which promise of picket.Access is broken.
func wrongAccess(r *picket.Record) string {
	a := r.Access
	switch {
	case r.Source != picket.SourceAccess || r.Start != r.End:
		return "access: source or times"
	case r.Src.Is4In6() || r.Src.Zone() != "" || r.Src.IsValid() && a.From != "":
		return "access: address"
	case a.Count == 0 || a.Action == "" || a.Service == "":
		return "access: count, action or service"
	}
	for _, s := range []string{a.ID, a.Principal, a.Account, a.Service, a.Action, a.Target, a.Region, a.From, a.Agent, a.Key, a.Session, a.Error} {
		if len(s) > 4*maxText || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\x00") {
			return "access: text"
		}
	}
	return ""
}

func FuzzCloudTrail(f *testing.F) {
	seed(f, "cloudtrail")
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		check(t, append([]byte(`{"Records":[{"eventVersion":"1.09","eventSource":"iam.amazonaws.com","eventName":"ListUsers","eventTime":"2025-01-01T00:00:00Z"},`), data...))
	})
}

func FuzzSSHD(f *testing.F) {
	seed(f, "sshd")
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		check(t, append([]byte("Nov 22 17:00:01 host sshd[1]: Failed password for root from 192.0.2.1 port 4001 ssh2\n"), data...))
	})
}

const oneEvent = `{"eventVersion":"1.09","eventTime":"2025-11-22T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"ListUsers","sourceIPAddress":"192.0.2.1","eventID":"a"}`

// However the bytes arrive and whatever stands between them, a good event is read.
func TestCloudTrailContainers(t *testing.T) {
	f := func(text string, records, dropped int, reason string) {
		t.Helper()
		got := decodeString(text)
		n := 0
		for _, k := range got.stats.Dropped {
			n += int(k)
		}
		if len(got.records) != records || n != dropped {
			t.Errorf("%.80s: %d records, dropped %v; want %d, %d", text, len(got.records), got.stats.Dropped, records, dropped)
		}
		if reason != "" {
			wantError(t, got.err, reason)
		} else if got.err != nil {
			t.Errorf("%.80s: %v", text, got.err)
		}
	}
	long := strings.Repeat(" ", bufferSize)
	f(oneEvent, 1, 0, "")
	f("["+oneEvent+","+oneEvent+"]", 2, 0, "")
	f(`{"Records" : [`+oneEvent+","+oneEvent+"]}\n"+`{"Records":[`+oneEvent+"]}", 3, 0, "")
	f(oneEvent+"\n\n"+oneEvent, 2, 0, "")
	f(`{"Records":[`+oneEvent+long+","+oneEvent+"]}", 2, 0, "")
	f(`{"Records":[`+oneEvent+`,{"a":"`+long+`"},`+oneEvent+"]}", 2, 1, "") // larger than the buffer
	f(oneEvent+"\n"+oneEvent[:80]+"\n"+oneEvent+"\n", 2, 1, "")
	f(oneEvent+"\nnoise }{\n"+oneEvent+"\n", 2, 1, "")
	f(`{"Records":[`+oneEvent+","+oneEvent[:80], 1, 0, reasonCut)
	f(oneEvent+strings.Repeat("\n{", 3)+"\n"+oneEvent, 2, 3, "")
}

// A grant by a header opens a bucket as an ACL of a kind does; a name that there is
// not is nobody's.
func TestCloudTrailGrants(t *testing.T) {
	f := func(request, want string) {
		t.Helper()
		got := decodeString(strings.TrimSuffix(oneEvent, "}") + `,"requestParameters":` + request + "}\n")
		if len(got.records) != 1 || got.records[0].Access.Params[paramShared] != want {
			t.Errorf("%s: %+v", request, got.records)
		}
	}
	f(`{"bucketName":"b","x-amz-acl":["public-read"]}`, "public")
	f(`{"bucketName":"b","accessControlList":{"x-amz-grant-read":"uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""}}`, "public")
	f(`{"bucketName":"b","accessControlList":{"x-amz-grant-full-control":"id=\"11\", uri=\"http://acs.amazonaws.com/groups/global/AuthenticatedUsers\""}}`, "public")
	f(`{"bucketName":"b","accessControlList":{"x-amz-grant-write":"uri=\"http://acs.amazonaws.com/groups/s3/LogDelivery\""}}`, "")
}

// Many objects that never close must not be looked at again and again.
func TestCloudTrailBrokenIsLinear(t *testing.T) {
	text := oneEvent + "\n" + strings.Repeat("{\"a\":{\n", 200_000)
	got := decodeString(text)
	if len(got.records) != 1 || got.stats.Dropped[reasonJSON] != 200_000 {
		t.Errorf("%d records, dropped %v", len(got.records), got.stats.Dropped)
	}
}

// A user name may look like the rest of the line: what sshd wrote stands last.
func TestSSHDForgedAddress(t *testing.T) {
	f := func(message, user, from string, failed bool) {
		t.Helper()
		got := decodeString("Nov 22 17:00:01 host sshd[1]: " + message + "\n")
		if len(got.records) != 1 {
			t.Fatalf("%s: %+v", message, got)
		}
		r := got.records[0]
		if r.Access.Principal != user || r.Src.String() != from || r.Access.Failed != failed {
			t.Errorf("%s: %q from %s, failed %v", message, r.Access.Principal, r.Src, r.Access.Failed)
		}
	}
	f("Failed password for root from 192.0.2.1 port 22 ssh2", "root", "192.0.2.1", true)
	f("Failed password for invalid user a from 6.6.6.6 port 1 ssh2 from 192.0.2.1 port 22 ssh2", "a from 6.6.6.6 port 1 ssh2", "192.0.2.1", true)
	f("Failed password for invalid user invalid user x from 192.0.2.1 port 22 ssh2", "invalid user x", "192.0.2.1", true)
	f("Invalid user Accepted password for root from 6.6.6.6 from 192.0.2.1 port 22", "Accepted password for root from 6.6.6.6", "192.0.2.1", true)
	f("Failed keyboard-interactive/pam for root from 192.0.2.1 port 22 ssh2", "root", "192.0.2.1", true)
	f("Accepted publickey for root from 192.0.2.1 port 22 ssh2: RSA SHA256:x", "root", "192.0.2.1", false)
}

// Where no password is taken, who gives up was guessing; where a guess was counted,
// the end of its connection is none besides.
func TestSSHDGaveUp(t *testing.T) {
	f := func(want string, lines ...string) {
		t.Helper()
		var log string
		for _, l := range lines {
			log += "Nov 22 17:00:01 host " + l + "\n"
		}
		got := ""
		for _, r := range decodeString(log).records {
			got += fmt.Sprintf("%s %s %s %s;", r.Access.Action, r.Access.Principal, r.Src, r.Access.Error)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
	f("login root 192.0.2.1 gave up;", "sshd[7]: Connection closed by authenticating user root 192.0.2.1 port 4001 [preauth]")
	f("login root 192.0.2.1 gave up;", "sshd-session[7]: Disconnected from authenticating user root 192.0.2.1 port 4001 [preauth]")
	f("invalid user x 192.0.2.1 invalid user;login x 192.0.2.1 invalid user;",
		"sshd[7]: Invalid user x from 192.0.2.1 port 4001", "sshd[7]: Connection reset by invalid user x 192.0.2.1 port 4001 [preauth]")
	f("login root 192.0.2.1 gave up;", "sshd[7]: error: maximum authentication attempts exceeded for root from 192.0.2.1 port 4001 ssh2 [preauth]",
		"sshd[7]: Disconnecting authenticating user root 192.0.2.1 port 4001: Too many authentication failures [preauth]")
	f("login root 192.0.2.1 password;", "sshd[7]: Failed password for root from 192.0.2.1 port 4001 ssh2",
		"sshd[7]: Connection closed by authenticating user root 192.0.2.1 port 4001 [preauth]")
	f("login root 192.0.2.1 password;login root 192.0.2.1 gave up;", "sshd[7]: Failed password for root from 192.0.2.1 port 4001 ssh2",
		"sshd[7]: Connection closed by authenticating user root 192.0.2.1 port 4001 [preauth]",
		"sshd[7]: Connection closed by authenticating user root 192.0.2.1 port 4002 [preauth]") // another process of the same number
	f("login a 6.6.6.6 port 1 192.0.2.1 gave up;", "sshd[7]: Connection closed by authenticating user a 6.6.6.6 port 1 192.0.2.1 port 4001 [preauth]")
	f("", "sshd[7]: Connection closed by 192.0.2.1 port 4001 [preauth]", "sshd[7]: Disconnected from user root 192.0.2.1 port 4001",
		"sshd: Connection closed by authenticating user root 192.0.2.1 port 4001 [preauth]",
		"cron[7]: Connection closed by authenticating user root 192.0.2.1 port 4001 [preauth]")
}

// The year that a line lacks is the last one in which it is not in the future.
func TestSSHDYear(t *testing.T) {
	f := func(stamp, modified, want string) {
		t.Helper()
		m, err := time.Parse(time.RFC3339, modified)
		if err != nil {
			t.Fatal(err)
		}
		e := syslogLine{stamp: []byte(stamp)}
		at, ok := e.at(m)
		if got := time.Unix(0, at).UTC().Format(time.RFC3339); !ok || got != want {
			t.Errorf("%s in an object of %s: %s %v, want %s", stamp, modified, got, ok, want)
		}
	}
	f("Nov 22 17:00:01", "2026-01-01T00:00:00Z", "2025-11-22T17:00:01Z")
	f("Jan  1 00:00:00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
	f("Jan  1 00:00:01", "2026-01-01T00:00:00Z", "2025-01-01T00:00:01Z")
	f("Feb 29 12:00:00", "2026-01-01T00:00:00Z", "2024-02-29T12:00:00Z")
}

func BenchmarkCloudTrail(b *testing.B) {
	var text bytes.Buffer
	text.WriteString(`{"Records":[`)
	for i := range 20_000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:s","arn":"arn:aws:sts::111122223333:assumed-role/app/s","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/app","accountId":"111122223333","userName":"app"},"attributes":{"creationDate":"2025-11-22T09:00:00Z","mfaAuthenticated":"false"}}},"eventTime":"2025-11-22T10:00:00Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.1","userAgent":"aws-sdk-go-v2/1.32.3","requestParameters":{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::bucket/key-%d"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"},"responseElements":null,"requestID":"%d","eventID":"event-%d","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"kms.eu-west-1.amazonaws.com"}}`, i, i, i)
	}
	text.WriteString("]}")
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		got := decodeBytes(text.Bytes(), Options{})
		if len(got.records) != 20_000 {
			b.Fatal(got.stats)
		}
	}
}

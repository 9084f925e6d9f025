package decode

import (
	"bytes"

	"picket"
)

// httpMethods begin a request (RFC 9110, section 9).
var httpMethods = [][]byte{
	[]byte("GET "), []byte("POST "), []byte("HEAD "), []byte("PUT "), []byte("DELETE "), []byte("OPTIONS "), []byte("CONNECT "), []byte("PATCH "),
}

// readHTTP reads the head of an HTTP/1 request (see isHTTPRequest) as far as it was captured: the URL
// that is asked for. nil is no request, or one whose host was not captured.
func readHTTP(b []byte) *picket.Lookup {
	line, rest, _ := bytes.Cut(b, []byte("\r\n"))
	method, target, _ := bytes.Cut(line, []byte{' '})
	target, version, ok := bytes.Cut(target, []byte{' '})
	if !ok || len(target) == 0 || !bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return nil
	}
	if bytes.Contains(target, []byte("://")) || string(method) == "CONNECT" {
		return &picket.Lookup{Name: nameText(target), Via: viaHTTP}
	}
	for len(rest) > 0 {
		line, rest, ok = bytes.Cut(rest, []byte("\r\n"))
		if !ok || len(line) == 0 { // the head ends, or the capture does: a name may be cut
			return nil
		}
		key, value, _ := bytes.Cut(line, []byte{':'})
		if value = bytes.TrimSpace(value); bytes.EqualFold(key, []byte("host")) && len(value) > 0 {
			return &picket.Lookup{Name: nameText(bytes.Join([][]byte{[]byte("http://"), value, target}, nil)), Via: viaHTTP}
		}
	}
	return nil
}

func isHTTPRequest(b []byte) bool {
	for _, m := range httpMethods {
		if bytes.HasPrefix(b, m) {
			return true
		}
	}
	return false
}

package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/server"
	"picket/telemetry"
	"picket/telemetry/prometheus"
)

// arithmetic is a model whose answers can be told from its rows: p is the first
// value, 0.5 where it is missing; scan has three quarters of it.
type arithmetic struct{}

func (arithmetic) Score(id picket.BoosterID, row []float64, explain bool, out *picket.Score) error {
	p := row[0]
	if math.IsNaN(p) {
		p = .5
	}
	if p > 1 || p < 0 {
		return fmt.Errorf("%v is no probability", p)
	}
	*out = picket.Score{
		Booster: id, Classes: classes, Probabilities: append(out.Probabilities[:0], 1-p, p/4, p*3/4),
		Malicious: p, Margin: p * 10, Threshold: 5,
	}
	if explain {
		out.Contributions = []picket.Contribution{{Feature: "a", Value: row[0], Shap: row[1]}}
	}
	return nil
}

var (
	classes = []string{"normal", "ddos", "scan"}
	actor   = picket.BoosterID{Detector: "traffic", Kind: picket.KindActor, Seconds: 60}
	victim  = picket.BoosterID{Detector: "traffic", Kind: picket.KindVictim, Seconds: 60}
)

func model(ids ...picket.BoosterID) *picket.Model {
	m := &picket.Model{ID: "m1"}
	for _, id := range ids {
		m.Boosters = append(m.Boosters, picket.Booster{ID: id, Schema: picket.Schema{Names: []string{"a", "b"}, Hash: "h1"}, Classes: classes})
	}
	return m
}

func endpoint(t testing.TB, o server.EndpointOptions, m *picket.Model) http.Handler {
	t.Helper()
	e, err := server.NewEndpoint(o)
	if err != nil {
		t.Fatal(err)
	}
	if m != nil {
		if err := e.Use(m, arithmetic{}); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	e.Register(mux)
	return mux
}

// call sends a body with headers given as "Name: value", and returns the answer.
func call(h http.Handler, path, body string, headers ...string) (int, string, http.Header) {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func TestInvocationsCSV(t *testing.T) {
	one := endpoint(t, server.EndpointOptions{}, model(actor))
	f := func(body, want string) {
		t.Helper()
		code, got, head := call(one, "/invocations", body, "Content-Type: text/csv")
		if code != 200 || got != want || head.Get("Content-Type") != "text/csv" || head.Get("X-Picket-Model") != "m1" {
			t.Errorf("%q: %d %q %v, want %q", body, code, got, head, want)
		}
	}
	f("0.25,1", "0.25")
	f("0.25,1\n", "0.25")
	f("0.25,1\r\n0.75,2\r\n", "0.25,0.75")
	f(" 1e-3 ,\t2\n,1\nNaN,", "0.001,0.5,0.5")
	f(`"0.125","1"`, "0.125")

	batch := endpoint(t, server.EndpointOptions{Batch: true}, model(actor))
	if code, got, _ := call(batch, "/invocations", "0.25,1\n0.5,1\n"); code != 200 || got != "0.25\n0.5\n" {
		t.Errorf("batch: %d %q", code, got)
	}
}

func TestInvocationsJSON(t *testing.T) {
	h := endpoint(t, server.EndpointOptions{}, model(actor, victim))
	code, got, _ := call(h, "/invocations?contributions=1",
		`{"booster":"traffic/victim/60","schema":"h1","instances":[{"features":[0.5,2]},[null,"0.5"],{"features":[0.25,1]}]}`,
		"Content-Type: application/json; charset=utf-8", "Accept: application/json")
	want := `{"predictions":[` +
		`{"score":0.5,"confidence":0.5,"predicted_label":2,"class":"scan","probabilities":[0.5,0.125,0.375],"raw_score":5,"threshold":5,"contributions":[{"feature":"a","value":0.5,"shap":2}]},` +
		`{"score":0.5,"confidence":0.5,"predicted_label":2,"class":"scan","probabilities":[0.5,0.125,0.375],"raw_score":5,"threshold":5,"contributions":[{"feature":"a","value":null,"shap":0.5}]},` +
		`{"score":0.25,"confidence":0.25,"predicted_label":0,"class":"normal","probabilities":[0.75,0.0625,0.1875],"raw_score":2.5,"threshold":5,"contributions":[{"feature":"a","value":0.25,"shap":1}]}` +
		`],"model":"m1","booster":"traffic/victim/60","classes":["normal","ddos","scan"],"schema":"h1"}` + "\n"
	if d := cmp.Diff(want, got); code != 200 || d != "" {
		t.Errorf("%d %s", code, d)
	}
	if !json.Valid([]byte(got)) {
		t.Error("not JSON")
	}

	code, got, head := call(h, "/invocations", "{\"features\":[0.25,1]}\n[1,2]\n", "Content-Type: application/jsonlines",
		"Accept: application/jsonlines", "X-Picket-Booster: traffic/actor/60")
	if n := strings.Count(got, "\n"); code != 200 || n != 2 || head.Get("Content-Type") != "application/jsonlines" {
		t.Errorf("%d %q", code, got)
	}
	for line := range strings.Lines(got) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q", line)
		}
	}
}

func TestInvocationsSelectable(t *testing.T) {
	h := endpoint(t, server.EndpointOptions{Output: []string{"predicted_label", "probabilities"}, Accept: "application/json"}, model(actor))
	if code, got, _ := call(h, "/invocations", "0.5,1"); code != 200 ||
		!strings.HasPrefix(got, `{"predictions":[{"predicted_label":2,"probabilities":[0.5,0.125,0.375]}],`) {
		t.Errorf("%d %s", code, got)
	}
	if _, err := server.NewEndpoint(server.EndpointOptions{Output: []string{"nothing"}}); err == nil {
		t.Error("an unknown key was taken")
	}
	if _, err := server.NewEndpoint(server.EndpointOptions{Accept: "image/png"}); err == nil {
		t.Error("an impossible default was taken")
	}
}

func TestInvocationsRefused(t *testing.T) {
	h := endpoint(t, server.EndpointOptions{MaxBytes: 1000, Name: "picket"}, model(actor, victim))
	const booster = "X-Picket-Booster: traffic/actor/60"
	f := func(code int, reason, body string, headers ...string) {
		t.Helper()
		got, text, _ := call(h, "/invocations", body, headers...)
		if got != code || !strings.Contains(text, reason) || code == 204 && text != "" {
			t.Errorf("%.40q %v: %d %q, want %d %q", body, headers, got, text, code, reason)
		}
	}
	f(204, "", "", booster)
	f(400, "row 2: 3 columns; booster traffic/actor/60 has 2", "0,1\n0,1,2", booster)
	f(400, "row 1: 1 columns", "0", booster)
	f(400, "row 2: 1 columns", "0,1\n\n", booster)
	f(400, "row 1: 1 columns", `{"instances":[{"features":[1]}]}`, booster, "Content-Type: application/json")
	f(400, "row 1: 0 columns", `{"instances":[{}]}`, booster, "Content-Type: application/json")
	f(400, "row 2: 7 is no probability", "0,1\n7,1", booster)
	f(400, "one of traffic/actor/60, traffic/victim/60", "0,1")
	f(400, `no booster "x"`, "0,1", "X-Picket-Booster: x")
	f(400, `schema "h2"`, "0,1", booster, "X-Picket-Schema: h2")
	f(400, `schema "h2"`, "0,1", "X-Amzn-SageMaker-Custom-Attributes: booster=traffic/actor/60; schema=h2")
	f(400, `schema "h3"`, `{"booster":"traffic/actor/60","schema":"h3","instances":[]}`, "Content-Type: application/json")
	f(406, "image/png", "0,1", booster, "Accept: image/png")
	f(406, "Accept: application/json", "0,1", booster, "X-Picket-Contributions: 1")
	f(413, "at most 1000", strings.Repeat("0", 1001), booster)
	f(415, "text/libsvm", "0,1", booster, "Content-Type: text/libsvm")
	f(415, `row 2: column 1 (a): "x" is not a finite number`, "0,1\nx,1", booster)
	f(415, "not a finite number", "inf,1", booster)
	f(415, "not a finite number", "1e999,1", booster)
	f(415, "row 1: column 2 (b)", `{"instances":[[0,{}]]}`, booster, "Content-Type: application/json")
	f(415, "not what its content type says", `{"instances":[`, booster, "Content-Type: application/json")
	f(415, "not what its content type says", "{}\nx", booster, "Content-Type: application/json")

	if code, text, _ := call(h, "/endpoints/other/invocations", "0,1", booster); code != 400 || !strings.Contains(text, `"other"`) {
		t.Errorf("%d %q", code, text)
	}
	if code, _, _ := call(h, "/endpoints/picket/invocations", "0,1", booster); code != 200 {
		t.Error(code)
	}
}

// TestInvocationsUnknownLength: the limit holds where the client does not say how
// much it will send.
func TestInvocationsUnknownLength(t *testing.T) {
	h := endpoint(t, server.EndpointOptions{MaxBytes: 1000}, model(actor))
	r := httptest.NewRequest("POST", "/invocations", io.MultiReader(strings.NewReader(strings.Repeat("0,1\n", 300))))
	r.ContentLength = -1
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 413 {
		t.Error(w.Code)
	}
	r = httptest.NewRequest("POST", "/invocations", io.MultiReader(strings.NewReader("0,1\n"), brokenReader{}))
	r.ContentLength = -1
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 400 || !strings.Contains(w.Body.String(), "went away") {
		t.Error(w.Code, w.Body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the client went away") }

func TestAccept(t *testing.T) {
	h := endpoint(t, server.EndpointOptions{}, model(actor))
	f := func(accept, want string) {
		t.Helper()
		if _, _, head := call(h, "/invocations", "0,1", "Accept: "+accept); head.Get("Content-Type") != want {
			t.Errorf("%q: %q, want %q", accept, head.Get("Content-Type"), want)
		}
	}
	f("", "text/csv")
	f("*/*", "text/csv")
	f("text/*", "text/csv")
	f("application/*", "application/json")
	f("image/png, Application/JSON;q=0.9, */*", "application/json")
	f("application/jsonlines", "application/jsonlines")
}

// TestCategories: text columns of a table become the codes of the package, and
// what was not seen in training is missing.
func TestCategories(t *testing.T) {
	m := model(picket.BoosterID{Detector: picket.DetectorTable})
	m.Boosters[0].Categories = map[string][]string{"a": {"tcp", "udp", `a,"b`}}
	h := endpoint(t, server.EndpointOptions{}, m)
	if code, got, _ := call(h, "/invocations", "tcp,1\nudp,1\nsctp,1\n,1\n"); code != 200 || got != "0,1,0.5,0.5" {
		t.Errorf("%d %q", code, got)
	}
	m.Boosters[0].Categories["a"][1] = "17"
	h = endpoint(t, server.EndpointOptions{}, m)
	if code, got, _ := call(h, "/invocations", `{"instances":[[17,1],["tcp",1],[null,1]]}`, "Content-Type: application/json"); code != 200 || got != "1,0,0.5" {
		t.Errorf("%d %q", code, got)
	}
	if code, got, _ := call(h, "/invocations", `"a,""b",1`); code != 400 || !strings.Contains(got, "2 is no probability") {
		t.Errorf("%d %q", code, got)
	}
}

func TestPing(t *testing.T) {
	f := func(m *picket.Model, path string, code int, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		endpoint(t, server.EndpointOptions{}, m).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != code || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	f(model(actor), "/ping", 200, "")
	f(nil, "/ping", 500, "no model")
	f(model(actor), "/execution-parameters", 200, `"BatchStrategy":"MULTI_RECORD","MaxPayloadInMB":6}`)
	f(model(actor), "/invocations", 405, "")
	if code, _, _ := call(endpoint(t, server.EndpointOptions{}, nil), "/invocations", "0,1"); code != 500 {
		t.Error(code)
	}
}

// TestUse: a model takes the place of another.
func TestUse(t *testing.T) {
	e, err := server.NewEndpoint(server.EndpointOptions{Default: victim})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	e.Register(mux)
	if err := e.Use(&picket.Model{ID: "empty"}, arithmetic{}); err == nil || e.Model() != "" {
		t.Error("a model without boosters was taken")
	}
	for _, id := range []string{"m1", "m2", "m1"} {
		m := model(actor, victim)
		m.ID = id
		if err := e.Use(m, arithmetic{}); err != nil || e.Model() != id {
			t.Fatal(err, e.Model())
		}
		if _, got, head := call(mux, "/invocations", "0,1", "Accept: application/json"); head.Get("X-Picket-Model") != id || !strings.Contains(got, "victim") {
			t.Errorf("%v %s", head, got)
		}
	}
}

func TestInvocationsAreCounted(t *testing.T) {
	m := prometheus.New()
	h := endpoint(t, server.EndpointOptions{Metrics: m}, model(actor))
	call(h, "/invocations", "0,1\n0,1\n0,1")
	call(h, "/invocations", "0")
	call(h, "/invocations", "")
	samples := m.Samples()
	f := func(want float64, name string, labels ...string) {
		t.Helper()
		if got := telemetry.Sum(samples, name, labels...); got != want {
			t.Errorf("%s%v is %v, want %v", name, labels, got, want)
		}
	}
	f(1, "picket_invocations_total", "code", "200")
	f(1, "picket_invocations_total", "code", "400")
	f(1, "picket_invocations_total", "code", "204")
	f(3, "picket_records_total", "stage", "serve", "result", "out")
}

func TestOptionsFromEnv(t *testing.T) {
	env := map[string]string{
		"SAGEMAKER_BATCH": "true", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json",
		"MAX_CONTENT_LENGTH": "1000", "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label, probabilities",
	}
	got, err := server.OptionsFromEnv(func(k string) string { return env[k] })
	want := server.EndpointOptions{Batch: true, Accept: "application/json", MaxBytes: 1000, Output: []string{"predicted_label", "probabilities"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
	env["MAX_CONTENT_LENGTH"] = "6MB"
	if _, err := server.OptionsFromEnv(func(k string) string { return env[k] }); err == nil {
		t.Error("6MB was taken for a number")
	}
}

// FuzzInvocations: any body has an answer, and what says it is JSON is JSON.
func FuzzInvocations(f *testing.F) {
	for _, body := range []string{"0.5,1\n1,", `"0.5","1`, `{"instances":[{"features":[1,null]}]}`, "[0,\"x\"]", ",,\r\n\x00"} {
		for kind := range byte(3) {
			f.Add(body, kind)
		}
	}
	m := model(picket.BoosterID{Detector: picket.DetectorTable})
	m.Boosters[0].Categories = map[string][]string{"b": {"x"}}
	h := endpoint(f, server.EndpointOptions{}, m)
	types := []string{"text/csv", "application/json", "application/jsonlines"}
	f.Fuzz(func(t *testing.T, body string, kind byte) {
		code, got, _ := call(h, "/invocations", body, "Content-Type: "+types[kind%3], "Accept: application/json")
		if code != 200 && code != 204 && code != 400 && code != 415 || code == 200 && !json.Valid([]byte(got)) {
			t.Errorf("%d %q", code, got)
		}
	})
}

func BenchmarkInvocations(b *testing.B) {
	const width = 60
	m := model(actor)
	m.Boosters[0].Schema.Names = make([]string, width)
	h := endpoint(b, server.EndpointOptions{Metrics: prometheus.New()}, m)
	row := "0.123456" + strings.Repeat(",1234.5678", width-1) + "\n"
	for _, rows := range []int{1, 100} {
		body := []byte(strings.Repeat(row, rows))
		b.Run(fmt.Sprintf("handler/%d", rows), func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("POST", "/invocations", nil)
			r.ContentLength = int64(len(body))
			for b.Loop() {
				r.Body = io.NopCloser(bytes.NewReader(body))
				w := nullWriter{}
				h.ServeHTTP(w, r)
			}
		})
		b.Run(fmt.Sprintf("loopback/%d", rows), func(b *testing.B) {
			s := httptest.NewServer(h)
			defer s.Close()
			request := fmt.Appendf(nil, "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			b.SetParallelism(4)
			b.RunParallel(func(pb *testing.PB) { ask(b, s.Listener.Addr().String(), request, pb.Next) })
		})
	}
}

// ask sends one request again and again over one connection: a client that costs
// little beside the server.
func ask(b *testing.B, addr string, request []byte, next func() bool) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for next() {
		if _, err := c.Write(request); err != nil {
			b.Error(err)
			return
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Error(resp, err)
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

type nullWriter http.Header

func (w nullWriter) Header() http.Header       { return http.Header(w) }
func (nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (nullWriter) WriteHeader(int)             {}

package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"picket"
	"picket/telemetry"
)

// Scorer answers rows. It is called from many goroutines.
type Scorer interface {
	// Score fills out for one row of the booster's schema, NaN where a value is
	// missing; with explain, contributions too. row is only lent. out may hold an
	// earlier answer, whose slices may be used again.
	Score(id picket.BoosterID, row []float64, explain bool, out *picket.Score) error
}

// EndpointOptions are what the environment of a container says; the zero value
// is right on a laptop.
type EndpointOptions struct {
	Name     string            // of the endpoint, for /endpoints/NAME/invocations; "" is any
	Default  picket.BoosterID  // for requests that name none; needed where a package has several
	Batch    bool              // batch transform: one score a line, not all on one
	Accept   string            // media type where the request names none; "" is text/csv
	MaxBytes int64             // largest body; 0 is 6 MiB
	Output   []string          // keys of a prediction in JSON; none is all
	Metrics  telemetry.Metrics // may be nil
}

// maxBytes is SageMaker's limit for a body.
const maxBytes = 6 << 20

// OptionsFromEnv reads the variables that SageMaker sets for a container.
func OptionsFromEnv(getenv func(string) string) (EndpointOptions, error) {
	o := EndpointOptions{Batch: getenv("SAGEMAKER_BATCH") == "true", Accept: getenv("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT")}
	if v := getenv("MAX_CONTENT_LENGTH"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n <= 0 {
			return o, fmt.Errorf("MAX_CONTENT_LENGTH=%q is not a number of bytes", v)
		}
		o.MaxBytes = n
	}
	if v := getenv("SAGEMAKER_INFERENCE_OUTPUT"); v != "" {
		for key := range strings.SplitSeq(v, ",") {
			o.Output = append(o.Output, strings.TrimSpace(key))
		}
	}
	return o, nil
}

// Endpoint answers /ping, /invocations and /execution-parameters as SageMaker
// asks of a container. It has no model until Use is called.
type Endpoint struct {
	o      EndpointOptions
	keys   []predictionKey
	accept format
	live   atomic.Pointer[loaded]
	slots  chan struct{} // bounds the memory of requests being worked on
	desks  sync.Pool     // of *desk
}

// loaded is a model with what is asked of it in each request.
type loaded struct {
	id       string
	header   []string // of X-Picket-Model
	scorer   Scorer
	boosters map[string]*booster // by the string of their id
	only     *booster            // for requests that name none
	names    string              // of all, for messages
}

type booster struct {
	*picket.Booster
	codes []map[string]float64 // by column: the code of each text; nil for numbers
}

// desk is the working space of one request, used again and again.
type desk struct {
	body   []byte
	row    []float64
	out    []byte
	answer picket.Score
}

// largestDesk is the most that is kept of a desk between requests, in bytes.
const largestDesk = 1 << 20

// NewEndpoint returns an endpoint without a model.
func NewEndpoint(o EndpointOptions) (*Endpoint, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = maxBytes
	}
	e := &Endpoint{o: o, accept: formatCSV, slots: make(chan struct{}, 4*runtime.GOMAXPROCS(0))}
	e.desks.New = func() any { return new(desk) }
	if o.Accept != "" {
		f, ok := parseAccept(o.Accept, formatCSV)
		if !ok {
			return nil, fmt.Errorf("the endpoint cannot answer %q by default", o.Accept)
		}
		e.accept = f
	}
	keys, err := chooseKeys(o.Output)
	e.keys = keys
	return e, err
}

// Use makes a model the one that answers. Requests under way keep theirs.
func (e *Endpoint) Use(m *picket.Model, s Scorer) error {
	l := &loaded{id: m.ID, header: []string{m.ID}, scorer: s, boosters: make(map[string]*booster, len(m.Boosters))}
	var names []string
	for i := range m.Boosters {
		b := &booster{Booster: &m.Boosters[i]}
		b.codes = codes(b.Booster)
		names = append(names, b.ID.String())
		l.boosters[b.ID.String()] = b
		if len(m.Boosters) == 1 || b.ID == e.o.Default {
			l.only = b
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("model %s has no booster", m.ID)
	}
	l.names = strings.Join(names, ", ")
	e.live.Store(l)
	return nil
}

// Model returns the id of the model that answers, "" before the first Use.
func (e *Endpoint) Model() string {
	if l := e.live.Load(); l != nil {
		return l.id
	}
	return ""
}

// codes numbers the categories of text columns, in the order of the package.
func codes(b *picket.Booster) []map[string]float64 {
	if len(b.Categories) == 0 {
		return nil
	}
	all := make([]map[string]float64, len(b.Schema.Names))
	for i, name := range b.Schema.Names {
		values, ok := b.Categories[name]
		if !ok {
			continue
		}
		all[i] = make(map[string]float64, len(values))
		for code, text := range values {
			all[i][text] = float64(code)
		}
	}
	return all
}

// Register adds the endpoint's routes to mux.
func (e *Endpoint) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /ping", e.ping)
	mux.HandleFunc("GET /execution-parameters", e.parameters)
	mux.HandleFunc("POST /invocations", e.invocations)
	mux.HandleFunc("POST /endpoints/{name}/invocations", e.invocations)
}

func (e *Endpoint) ping(w http.ResponseWriter, _ *http.Request) {
	if e.live.Load() == nil {
		http.Error(w, "no model is loaded", http.StatusInternalServerError)
	}
}

func (e *Endpoint) parameters(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = formatJSON.header()
	fmt.Fprintf(w, `{"MaxConcurrentTransforms":%d,"BatchStrategy":"MULTI_RECORD","MaxPayloadInMB":%d}`+"\n",
		runtime.GOMAXPROCS(0), max(1, e.o.MaxBytes>>20))
}

// refusal is an answer that is not a score.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

func (e *Endpoint) invocations(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	status := http.StatusOK
	if err := e.answer(w, r); err != nil {
		var no *refusal
		if !errors.As(err, &no) {
			no = &refusal{http.StatusBadRequest, err.Error()}
		}
		status = no.status
		if status == http.StatusNoContent {
			w.WriteHeader(status)
		} else {
			http.Error(w, no.reason, status)
		}
	}
	if e.o.Metrics != nil {
		e.o.Metrics.Invocation(status, time.Since(start))
	}
}

// answer writes the scores of a request's rows, or returns why there are none.
func (e *Endpoint) answer(w http.ResponseWriter, r *http.Request) error {
	if name := r.PathValue("name"); e.o.Name != "" && name != "" && name != e.o.Name {
		return refuse(http.StatusBadRequest, "there is no endpoint %.80q, only %q", name, e.o.Name)
	}
	l := e.live.Load()
	if l == nil {
		return refuse(http.StatusInternalServerError, "no model is loaded")
	}
	in, ok := parseContentType(r.Header.Get("Content-Type"))
	if !ok {
		return refuse(http.StatusUnsupportedMediaType, "content type %.80q is none of text/csv, application/json, application/jsonlines", r.Header.Get("Content-Type"))
	}
	out, ok := parseAccept(r.Header.Get("Accept"), e.accept)
	if !ok {
		return refuse(http.StatusNotAcceptable, "accept %.80q is none of text/csv, application/json, application/jsonlines", r.Header.Get("Accept"))
	}
	ask := asks(r)
	if ask.explain && out == formatCSV {
		return refuse(http.StatusNotAcceptable, "contributions do not fit into csv: send Accept: application/json")
	}
	d := e.desks.Get().(*desk)
	defer e.putBack(d)
	if err := d.read(r, e.o.MaxBytes); err != nil {
		return err
	}
	if err := e.enter(r.Context()); err != nil {
		return err
	}
	defer e.leave()
	job := job{ctx: r.Context(), desk: d, loaded: l, ask: ask, format: out, batch: e.o.Batch, keys: e.keys}
	if err := job.run(in); err != nil {
		return err
	}
	if e.o.Metrics != nil {
		e.o.Metrics.Out("serve", uint64(job.rows))
	}
	job.send(w)
	return nil
}

func (e *Endpoint) enter(ctx context.Context) error {
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return refuse(http.StatusServiceUnavailable, "the request ended before its turn")
	}
}

func (e *Endpoint) leave() { <-e.slots }

func (e *Endpoint) putBack(d *desk) {
	if cap(d.body)+cap(d.out)+8*cap(d.row) <= largestDesk {
		e.desks.Put(d)
	}
}

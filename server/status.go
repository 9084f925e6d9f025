package server

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/telemetry"
)

//go:embed web
var web embed.FS

// Source is where the status page has its findings from. They are looked for at
// each request.
type Source interface {
	// Findings returns the newest ones, the newest first, limit at most.
	Findings(ctx context.Context, limit int) ([]picket.Finding, error)
	// Finding returns one; fs.ErrNotExist where there is none.
	Finding(ctx context.Context, uid string) (picket.Finding, error)
	// Rows returns the rows that a finding rests on, limit at most; none is no
	// error.
	Rows(ctx context.Context, f picket.Finding, limit int) (Table, error)
	// WriteFindings writes all findings to w as JSON lines.
	WriteFindings(ctx context.Context, w io.Writer) error
}

// Table is rows to show as they are.
type Table struct {
	Columns []string
	Rows    [][]string
}

// Counters are what the status page shows of them, and what Prometheus scrapes.
type Counters interface {
	telemetry.Metrics
	Samples() []telemetry.Sample
	Handler() http.Handler
}

// StatusOptions are what the status page shows.
type StatusOptions struct {
	Version string
	Build   map[string]string // more facts for /version; may be nil
	Source  Source
	Metrics Counters
	Model   func() *picket.Model // the live one, nil where there is none
	Cut     func() string        // where the threshold is from, in words, "" where it is not known yet; may be nil
	Ready   func() error         // why not, nil when all is well; may be nil
	Judge   Judge                // takes verdicts; nil is a page that only reads
	Log     *slog.Logger
	Now     func() time.Time
}

// Most that one page shows.
const (
	homeFindings = 50
	pageReasons  = 25
	pageRows     = 200
)

// Status answers the status page and what other programs ask of a server:
// /findings, /metrics, /healthz, /readyz and /version; and, where it may, takes
// verdicts on findings. Serve it behind Guard.
type Status struct {
	o       StatusOptions
	pages   *template.Template
	style   []byte
	started time.Time
}

// NewStatus returns the status page of o.
func NewStatus(o StatusOptions) (*Status, error) {
	pages, err := template.ParseFS(web, "web/*.html")
	if err != nil {
		return nil, err
	}
	style, err := web.ReadFile("web/style.css")
	if err != nil {
		return nil, err
	}
	return &Status{o: o, pages: pages, style: style, started: o.Now()}, nil
}

// Register adds the routes to mux.
func (s *Status) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /findings", s.findings)
	mux.HandleFunc("GET /findings/{uid}", s.finding)
	if s.o.Judge != nil {
		mux.HandleFunc("POST /findings/{uid}/verdict", s.verdict)
	}
	mux.HandleFunc("GET /style.css", s.css)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /version", s.version)
	mux.Handle("GET /metrics", s.o.Metrics.Handler())
}

// policy lets a page load its own style and nothing else.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// formPolicy lets it send a form back too.
var formPolicy = strings.Replace(policy, "form-action 'none'", "form-action 'self'", 1)

// show renders a page whole before the first byte of it is sent.
func (s *Status) show(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := s.pages.ExecuteTemplate(&page, name, data); err != nil {
		s.fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	if name == "finding" && s.o.Judge != nil {
		h.Set("Content-Security-Policy", formPolicy)
	}
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	page.WriteTo(w)
}

// fail hides the reason, which may hold anything, from the page but not from the log.
func (s *Status) fail(w http.ResponseWriter, err error) {
	s.o.Log.Error("page failed", telemetry.KeyStage, "status", telemetry.KeyError, err)
	s.o.Metrics.Error("status")
	http.Error(w, "this page failed; the log says why", http.StatusInternalServerError)
}

func (s *Status) home(w http.ResponseWriter, r *http.Request) {
	list, err := s.o.Source.Findings(r.Context(), homeFindings)
	page := homePage(s.o.Metrics.Samples(), list, s.o.Model())
	page.frame = s.frame("Picket", 15)
	if s.o.Cut != nil {
		page.Cut = clean(s.o.Cut())
	}
	page.Up = s.o.Now().Sub(s.started).Round(time.Second).String()
	if err != nil {
		page.Trouble = clean("Findings cannot be read: " + err.Error())
	}
	if err := s.ready(); err != nil {
		page.NotReady = clean(err.Error())
	}
	s.show(w, "home", page)
}

func (s *Status) frame(title string, refresh int) frame {
	return frame{Title: clean(title), Version: clean(s.o.Version), Refresh: refresh}
}

func (s *Status) finding(w http.ResponseWriter, r *http.Request) {
	f, err := s.o.Source.Finding(r.Context(), r.PathValue("uid"))
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, "there is no such finding", http.StatusNotFound)
		return
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	rows, err := s.o.Source.Rows(r.Context(), f, pageRows)
	if err != nil {
		s.o.Log.Error("rows of a finding", telemetry.KeyStage, "status", telemetry.KeyError, err)
	}
	page := findingPage(f, rows)
	page.frame, page.Judge = s.frame(f.Title, 0), s.o.Judge != nil
	s.show(w, "finding", page)
}

// findings sends JSON lines. An error in their middle cuts the answer off, so that
// nobody takes it for whole.
func (s *Status) findings(w http.ResponseWriter, r *http.Request) {
	w.Header()["Content-Type"] = formatJSONLines.header()
	sent := &counting{w: w}
	err := s.o.Source.WriteFindings(r.Context(), sent)
	switch {
	case err == nil || r.Context().Err() != nil:
	case sent.n == 0:
		s.fail(w, err)
	default:
		s.o.Log.Error("findings cut off", telemetry.KeyStage, "status", telemetry.KeyError, err)
		panic(http.ErrAbortHandler)
	}
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // it would send the status
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (s *Status) css(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(s.style)))
	h.Set("Cache-Control", "max-age=300")
	w.Write(s.style)
}

func (s *Status) ready() error {
	if s.o.Model() == nil {
		return errors.New("no model is live")
	}
	if s.o.Ready == nil {
		return nil
	}
	return s.o.Ready()
}

func (s *Status) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := s.ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ready\n")
}

func (s *Status) version(w http.ResponseWriter, _ *http.Request) {
	facts := map[string]string{"version": s.o.Version}
	for k, v := range s.o.Build {
		facts[k] = v
	}
	if m := s.o.Model(); m != nil {
		facts["model"] = m.ID
	}
	w.Header()["Content-Type"] = formatJSON.header()
	json.NewEncoder(w).Encode(facts)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/pipeline/triage"
	"picket/server"
	"picket/store"
	"picket/telemetry"
	"picket/telemetry/prometheus"
)

func (a *app) upCommand() *cobra.Command {
	var data, listen string
	var remote bool
	var perDay float64
	c := &cobra.Command{
		Use: "up", Short: "The whole system in one process: watch raw/, score, find, serve",
		Long: `Watches raw/ of a folder or of a bucket in S3: an object is read seconds after its arrival, scored, and
what is found is written to findings/ and shown on a page. Serves the model as an
endpoint, /metrics for Prometheus, and trains again as the configuration says.
Logs are JSON lines on stderr. SIGTERM ends it cleanly; killed, it goes on where
it was.`,
		Args:    exactArgs(0, "no arguments, only flags"),
		Example: "  picket up --data picket-data",
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.settings()
			if err != nil {
				return err
			}
			if data != "" {
				s.Data = data
			}
			if listen != "" {
				s.Listen = listen
			}
			if c.Flags().Changed("alerts-per-day") {
				s.Pipeline.AlertsPerDay = perDay
			}
			u, err := a.newUp(c.Context(), s)
			if err != nil {
				return err
			}
			return u.run(c.Context(), remote)
		},
	}
	c.Flags().StringVar(&data, "data", "", dataUsage)
	c.Flags().StringVar(&listen, "listen", "", "address (default: 127.0.0.1:8080)")
	c.Flags().BoolVar(&remote, "allow-remote", false, "allow an address that other machines reach; put TLS and a login in front")
	c.Flags().Float64Var(&perDay, "alerts-per-day", 5, alertsPerDayUsage)
	return c
}

const alertsPerDayUsage = "alert budget: once a site has 24 h of scores, raise the thresholds to at most so many incidents a day; 0 is none"

// up is the running system.
type up struct {
	app      *app
	settings settings
	log      *slog.Logger
	metrics  *prometheus.Metrics
	bucket   store.Bucket
	folder   string // of a bucket on disk; "" for one in S3
	live     *pipeline.Live
	endpoint *server.Endpoint
	drifted  chan string // why drift calls for a retrain
}

func (a *app) newUp(ctx context.Context, s settings) (*up, error) {
	bucket, err := bucketAt(ctx, s.Data)
	if err != nil {
		return nil, err
	}
	u := &up{
		app: a, settings: s, bucket: bucket, metrics: prometheus.New(), log: telemetry.NewLog(a.stderr, slog.LevelInfo),
		drifted: make(chan string),
	}
	temp := ""
	if disk, ok := bucket.(*store.Disk); ok {
		u.folder, temp = disk.Dir(), filepath.Join(disk.Dir(), ".picket")
		if err := os.MkdirAll(filepath.Join(disk.Dir(), filepath.FromSlash(picket.RawPrefix)), 0o755); err != nil {
			return nil, hint(err, "name a folder that can be written with --data")
		}
	}
	p := pipeline.New(s.Pipeline, pipeline.Deps{
		Bucket: bucket, Log: u.log, Metrics: u.metrics, Now: time.Now, TempDir: temp, Version: version,
		Shipped: func() (*train.Package, error) { return u.app.loadPackage(u.settings.Model) },
	})
	serving, err := u.serving(ctx, p)
	if err != nil {
		return nil, err
	}
	if u.endpoint, err = server.NewEndpoint(server.EndpointOptions{Metrics: u.metrics}); err != nil {
		return nil, err
	}
	u.live = pipeline.NewLive(p, serving)
	return u, u.serve(serving)
}

// serving is the registry's live model, else the one of the configuration, else
// the one in this binary.
func (u *up) serving(ctx context.Context, p *pipeline.Pipeline) (pipeline.Serving, error) {
	pkg, err := p.LiveModel(ctx)
	if errors.Is(err, pipeline.ErrNoModel) {
		pkg, err = u.app.loadPackage(u.settings.Model)
	}
	if err != nil {
		return pipeline.Serving{}, err
	}
	return pipeline.ServePackage(pkg)
}

// serve makes a model the one that scores, here and at the endpoint.
func (u *up) serve(s pipeline.Serving) error {
	local, ok := s.Scorer.(pipeline.Local)
	if !ok {
		return errors.New("the endpoint needs a local scorer")
	}
	if err := u.endpoint.Use(s.Model, byBooster{local.Scorer}); err != nil {
		return err
	}
	u.live.Serve(s)
	u.metrics.Live(s.Model.ID, s.Model.Name)
	u.log.Info("model serves", "stage", "infer", "model", s.Model.ID, "name", s.Model.Name)
	return nil
}

// run works until ctx ends.
func (u *up) run(ctx context.Context, remote bool) error {
	handler, err := u.handler()
	if err != nil {
		return err
	}
	l, err := server.Listen(u.settings.Listen, remote)
	if err != nil {
		return hint(err, "choose another address with --listen; one that other machines reach needs --allow-remote")
	}
	if !remote {
		handler = server.Guard(handler)
	}
	u.app.say("page:     http://%s/\nendpoint: http://%s/invocations\ndrop logs into %s", l.Addr(), l.Addr(), rawFolder(u.settings.Data))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Serve(ctx, l, handler) })
	group.Go(func() error { return u.live.Run(ctx) })
	group.Go(func() error { return u.watch(ctx) })
	group.Go(func() error { return u.follow(ctx) })
	group.Go(func() error { return u.measure(ctx) })
	group.Go(func() error { return u.retrain(ctx) })
	return group.Wait()
}

func (u *up) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	u.endpoint.Register(mux)
	f := facts()
	status, err := server.NewStatus(server.StatusOptions{
		Version: f.Version, Build: map[string]string{"go": f.Go, "platform": f.Platform, "revision": f.Revision},
		Source: findingsSource{u.live.Pipeline}, Metrics: u.metrics, Log: u.log, Now: time.Now,
		Model: func() *picket.Model { return u.live.Serving().Model },
		Cut:   func() string { return u.live.Budget().String() },
		Judge: findingsSource{u.live.Pipeline}.judge,
	})
	if err != nil {
		return nil, err
	}
	status.Register(mux)
	return mux, nil
}

// watch hands each raw object to the pipeline once it is at rest.
func (u *up) watch(ctx context.Context) error {
	o := server.WatchOptions{
		Dir: u.folder, Prefix: picket.RawPrefix, Settle: u.settings.Settle, Workers: 2,
		Bad: func(key string, err error) {
			u.log.Warn("cannot be looked at", "stage", "ingest", "key", key, "error", err)
		},
		Failed: func(i store.Info, err error) {
			u.log.Error("object put back", "stage", "ingest", "key", i.Key, "error", err)
		},
	}
	return server.Watch(ctx, u.bucket, o, func(ctx context.Context, info store.Info) error {
		return u.live.Take(ctx, u.live.Pipeline.RawObject(ctx, info))
	})
}

// findingsSource gives the status page its findings.
type findingsSource struct{ *pipeline.Pipeline }

// Findings implements server.Source.
func (s findingsSource) Findings(ctx context.Context, limit int) ([]picket.Finding, error) {
	all, err := s.LatestFindings(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(f picket.Finding) bool { return f.Status == picket.StatusClosed })
	return all[:min(len(all), limit)], nil
}

// Finding implements server.Source.
func (s findingsSource) Finding(ctx context.Context, uid string) (picket.Finding, error) {
	f, err := s.LatestFinding(ctx, uid)
	if err == nil && f.UID != uid {
		err = fs.ErrNotExist
	}
	return f, err
}

// judge puts a verdict from the page on a finding.
func (s findingsSource) judge(ctx context.Context, uid string, v picket.Verdict) error {
	if _, err := s.Finding(ctx, uid); err != nil {
		return err
	}
	_, err := s.PutVerdict(ctx, uid, v)
	if errors.Is(err, pipeline.ErrVerdict) {
		return fmt.Errorf("%w: %w", server.ErrVerdict, err)
	}
	return err
}

// Rows implements server.Source.
func (s findingsSource) Rows(ctx context.Context, f picket.Finding, limit int) (server.Table, error) {
	rows, err := s.Conversations(ctx, f, limit)
	if err != nil {
		return server.Table{}, err
	}
	t := server.Table{Columns: []string{"minute", "opened by", "opened to", "protocol", "packets sent", "bytes sent", "packets received", "bytes received", "raw object", "line"}}
	for _, r := range rows {
		t.Rows = append(t.Rows, []string{
			rfc3339(r.Minute), fmt.Sprintf("%s port %d", r.Actor, r.ActorPort), fmt.Sprintf("%s port %d", r.Victim, r.VictimPort), strconv.Itoa(int(r.Proto)),
			strconv.FormatUint(r.ActorPackets, 10), strconv.FormatUint(r.ActorBytes, 10), strconv.FormatUint(r.VictimPackets, 10), strconv.FormatUint(r.VictimBytes, 10),
			r.Object, strconv.FormatUint(r.FirstLine, 10),
		})
	}
	return t, nil
}

// WriteFindings implements server.Source.
func (s findingsSource) WriteFindings(ctx context.Context, w io.Writer) error {
	all, err := s.LatestFindings(ctx)
	if err != nil {
		return err
	}
	return triage.Encoder{Version: version}.WriteJSONL(w, all)
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline/infer"
	"picket/server"
	"picket/telemetry/prometheus"
)

func (a *app) serveCommand() *cobra.Command {
	var model, listen, root string
	var remote bool
	c := &cobra.Command{
		Use: "serve", Short: "Serve a model package as a SageMaker endpoint does",
		Long: `Answers GET /ping, POST /invocations (also as /endpoints/NAME/invocations) and GET
/execution-parameters: rows of features as CSV or JSON in, scores out. Name the
booster in X-Picket-Booster; ask for contributions with ?contributions=1.

In a SageMaker container, where the package lies in /opt/ml/model, it listens on port
8080 of all interfaces, as SageMaker wants.`,
		Args:    exactArgs(0, "no arguments"),
		Example: "  picket serve --model flows.zip",
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.settings()
			if err != nil {
				return err
			}
			open := func() (*picket.Model, *infer.Scorer, error) { return a.loadModel(model) }
			if dir := root + "/model"; model == "" && isFolder(dir) {
				open = func() (*picket.Model, *infer.Scorer, error) { return modelIn(dir) }
				if listen == "" {
					listen, remote = containerListen, true
				}
			}
			m, scorer, err := open()
			if err != nil {
				return err
			}
			options, err := server.OptionsFromEnv(a.getenv)
			if err != nil {
				return err
			}
			metrics := prometheus.New()
			options.Metrics = metrics
			endpoint, err := server.NewEndpoint(options)
			if err != nil {
				return err
			}
			if err := endpoint.Use(m, byBooster{scorer}); err != nil {
				return err
			}
			mux := http.NewServeMux()
			endpoint.Register(mux)
			mux.Handle("GET /metrics", metrics.Handler())
			return a.listenAndServe(c.Context(), cmp.Or(listen, s.Listen), remote, mux, "endpoint")
		},
	}
	c.Flags().StringVar(&model, "model", "", "model package (default: the one in this binary)")
	c.Flags().StringVar(&listen, "listen", "", "address (default: 127.0.0.1:8080)")
	c.Flags().StringVar(&root, "root", containerRoot, "of a SageMaker container: serve the package in its model/, if there is one")
	c.Flags().BoolVar(&remote, "allow-remote", false, "allow an address that other machines reach; put TLS and a login in front")
	return c
}

// listenAndServe serves until ctx ends, and says where.
func (a *app) listenAndServe(ctx context.Context, listen string, remote bool, h http.Handler, what string) error {
	l, err := server.Listen(listen, remote)
	if err != nil {
		return hint(err, "choose another address with --listen; one that other machines reach needs --allow-remote")
	}
	a.say("%s: http://%s", what, l.Addr())
	if !remote {
		h = server.Guard(h)
	}
	return server.Serve(ctx, l, h)
}

// byBooster scores the rows that the endpoint is sent, by the name of the booster.
type byBooster struct{ *infer.Scorer }

// Score implements server.Scorer.
func (b byBooster) Score(id picket.BoosterID, row []float64, explain bool, out *picket.Score) error {
	f := picket.Features{Window: picket.Window{Entity: picket.Entity{Kind: id.Kind}, Seconds: id.Seconds}, Values: row}
	if err := b.ScoreInto(out, id.Detector, &f, explain); err != nil {
		return err
	}
	if out.Classes == nil {
		return fmt.Errorf("no booster %s", id)
	}
	return nil
}

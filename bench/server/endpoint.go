package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/simulate"
	"picket/store"
)

// Shape of the load.
const (
	manyConnections = 8
	rowsForLoad     = 2000
	sameWithin      = 1e-5 // of the probability: XGBoost computes in float32
)

// endpoint measures picket serve beside gunicorn and XGBoost: the same booster,
// the same rows, in turn.
func (b *bench) endpoint(ctx context.Context) (string, error) {
	pkg, err := readPackage("cmd/picket/default/model.zip")
	if err != nil {
		return "", err
	}
	booster := pkg.Model.Booster(picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: picket.Minute})
	if booster == nil {
		return "", errors.New("the shipped package has no booster for an actor's minute")
	}
	rows, err := b.rows(ctx, booster)
	if err != nil {
		return "", err
	}
	ours, err := b.start(exec.CommandContext(ctx, b.picket, "serve", "--listen", "127.0.0.1:0"), "endpoint: http://")
	if err != nil {
		return "", err
	}
	defer ours.stop()
	peer, err := b.startPeer(ctx, booster)
	if err != nil {
		return "", err
	}
	defer peer.stop()
	name := fmt.Sprintf("X-Picket-Booster: %s\r\n", booster.ID)
	worst, err := compare(ours.addr, peer.addr, name, rows)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "## Endpoint\n\nBooster %s of the shipped package (%d columns, %d classes), rows as CSV, loopback, keep-alive; the client runs\non the same cores. Peer: gunicorn %s with 2 workers of 4 threads, XGBoost %s, a bare WSGI app\n(bench/server/peer.py), one thread a prediction. Over %d rows its probabilities and ours differ by %.1e at most.\n\n",
		booster.ID, len(booster.Schema.Names), len(booster.Classes), b.version("gunicorn"), b.version("xgboost"), len(rows), worst)
	out.WriteString("| rows a request | connections | | requests/s | p50 | p99 | CPU a request |\n|--:|--:|---|--:|--:|--:|--:|\n")
	for _, n := range []int{1, 100} {
		requests := batches(rows, n)
		for _, connections := range []int{1, manyConnections} {
			var paces [2]pace
			for i, side := range []struct {
				process
				header string
			}{{ours, name}, {peer, ""}} {
				wired := make([][]byte, len(requests))
				for j := range requests {
					wired[j] = request(side.header, requests[j])
				}
				if paces[i], err = side.measure(ctx, wired, connections, b.length); err != nil {
					return "", err
				}
			}
			for i, who := range []string{"picket", "gunicorn"} {
				fmt.Fprintf(&out, "| %d | %d | %s | %.0f | %s | %s | %s |\n", n, connections, who, paces[i].perSecond, span(paces[i].p50), span(paces[i].p99), span(paces[i].cpu))
			}
			fmt.Fprintf(&out, "| | | ratio | %.1f | | | %.1f |\n", paces[0].perSecond/paces[1].perSecond, float64(paces[1].cpu)/float64(paces[0].cpu))
		}
	}
	return out.String(), nil
}

// measure warms a server up and drives it.
func (p process) measure(ctx context.Context, requests [][]byte, connections int, length time.Duration) (pace, error) {
	if _, err := drive(ctx, p.addr, requests, connections, length/5); err != nil {
		return pace{}, err
	}
	before, err := cpu(p.pid)
	if err != nil {
		return pace{}, err
	}
	driven, err := drive(ctx, p.addr, requests, connections, length)
	if err != nil {
		return driven, err
	}
	after, err := cpu(p.pid)
	driven.cpu = (after - before) / time.Duration(driven.requests)
	return driven, err
}

func span(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func readPackage(path string) (*train.Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return train.ReadPackage(f)
}

// rows returns rows of the booster's kind and width, of a simulated network that
// no booster was trained on, as CSV.
func (b *bench) rows(ctx context.Context, booster *picket.Booster) ([][]byte, error) {
	script, err := simulate.Random(777_001, "lab")
	if err != nil {
		return nil, err
	}
	p := pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: store.NewMemory(nil), Now: time.Now, TempDir: b.work})
	_, err = simulate.Write(ctx, script, "vpc", func(name string) (io.WriteCloser, error) {
		return &object{put: func(body []byte) error {
			_, err := p.Bucket().Put(ctx, picket.RawPrefix+name, bytes.NewReader(body))
			return err
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	err = p.RawObjects(ctx, func(r pipeline.Raw) error {
		_, err := p.Ingest(ctx, r)
		return err
	})
	if err = errors.Join(err, p.Close(ctx, true, nil)); err != nil {
		return nil, err
	}
	var rows [][]byte
	err = p.Rows(ctx, func(f *picket.Features) error {
		if f.Entity.Kind != booster.ID.Kind || f.Seconds != booster.ID.Seconds || len(f.Values) != len(booster.Schema.Names) || len(rows) == rowsForLoad {
			return nil
		}
		var line []byte
		for i, v := range f.Values {
			if i > 0 {
				line = append(line, ',')
			}
			if !math.IsNaN(v) {
				line = strconv.AppendFloat(line, v, 'g', -1, 64)
			}
		}
		rows = append(rows, append(line, '\n'))
		return nil
	})
	if len(rows) < 100 && err == nil {
		err = fmt.Errorf("%d rows of %s are too few", len(rows), booster.ID)
	}
	return rows, err
}

// object collects what is written to it and puts it once it is closed.
type object struct {
	bytes.Buffer
	put func(body []byte) error
}

func (o *object) Close() error { return o.put(o.Bytes()) }

func batches(rows [][]byte, n int) [][]byte {
	var out [][]byte
	for chunk := range slices.Chunk(rows, n) {
		if len(chunk) == n {
			out = append(out, bytes.Join(chunk, nil))
		}
	}
	return out
}

// compare asks both for every row and returns the greatest difference.
func compare(ours, peer, header string, rows [][]byte) (float64, error) {
	all := bytes.Join(rows, nil)
	w, err := dial(ours)
	if err != nil {
		return 0, err
	}
	defer w.conn.Close()
	answer, err := w.ask(request(header+"Accept: application/jsonlines\r\n", all))
	if err != nil {
		return 0, fmt.Errorf("picket: %w", err)
	}
	v, err := dial(peer)
	if err != nil {
		return 0, err
	}
	defer v.conn.Close()
	theirs, err := v.ask(request("", all))
	if err != nil {
		return 0, fmt.Errorf("peer: %w", err)
	}
	lines := json.NewDecoder(bytes.NewReader(answer))
	others := bytes.Fields(theirs)
	if len(others) != len(rows) {
		return 0, fmt.Errorf("the peer answered %d of %d rows", len(others), len(rows))
	}
	worst := 0.0
	for i := range rows {
		var one struct {
			Raw float64 `json:"raw_score"`
		}
		if err := lines.Decode(&one); err != nil {
			return 0, fmt.Errorf("row %d: %w", i+1, err)
		}
		p, err := strconv.ParseFloat(string(others[i]), 64)
		if err != nil {
			return 0, fmt.Errorf("row %d: %w", i+1, err)
		}
		worst = max(worst, math.Abs(picket.Sigmoid(one.Raw)-p))
	}
	if worst > sameWithin {
		return worst, fmt.Errorf("the answers differ by %g", worst)
	}
	return worst, nil
}

// process is a server under test.
type process struct {
	addr string
	pid  int
	stop func()
}

// start runs a command and waits for the line of stderr that names its address.
func (b *bench) start(c *exec.Cmd, before string) (process, error) {
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	out, err := c.StderrPipe()
	if err != nil {
		return process{}, err
	}
	if err := c.Start(); err != nil {
		return process{}, err
	}
	found := make(chan string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, rest, ok := strings.Cut(lines.Text(), before); ok {
				addr, _, _ := strings.Cut(rest, "/")
				select {
				case found <- addr:
				default:
				}
			}
		}
	}()
	stop := func() {
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
	}
	select {
	case addr := <-found:
		if addr == "" {
			return process{}, fmt.Errorf("%s ended: %w", c.Args, c.Wait())
		}
		return process{addr, c.Process.Pid, stop}, nil
	case <-time.After(20 * time.Second):
		stop()
		return process{}, fmt.Errorf("%s does not listen", c.Args)
	}
}

// startPeer starts gunicorn on a free port.
func (b *bench) startPeer(ctx context.Context, booster *picket.Booster) (process, error) {
	model := filepath.Join(b.work, "model.ubj")
	if err := os.WriteFile(model, booster.Trees, 0o644); err != nil {
		return process{}, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return process{}, err
	}
	addr := l.Addr().String()
	l.Close()
	c := exec.CommandContext(ctx, b.python, "-m", "gunicorn", "--bind", addr, "--workers", "2", "--threads", "4", "--worker-class", "gthread",
		"--keep-alive", "75", "--log-level", "error", "--chdir", "bench/server", "peer:app")
	c.Env = append(os.Environ(), "MODEL="+model, "OMP_NUM_THREADS=1", "PYTHONDONTWRITEBYTECODE=1")
	c.Stderr = os.Stderr
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	if err := c.Start(); err != nil {
		return process{}, err
	}
	stop := func() {
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
	}
	for range 200 {
		if r, err := http.Get("http://" + addr + "/ping"); err == nil {
			r.Body.Close()
			return process{addr, c.Process.Pid, stop}, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	return process{}, fmt.Errorf("gunicorn does not answer: run sh bench/peers.sh server")
}

// version asks the peer's Python for the version of a package.
func (b *bench) version(name string) string {
	out, err := exec.Command(b.python, "-c", "import "+name+"; print("+name+".__version__)").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"picket/gbdt"
)

// peer is a library in an environment that bench/peers.sh makes.
type peer struct{ name, env, library string }

var (
	xgb305   = peer{"xgboost 3.0.5", "xgb305", "xgboost"}
	xgb34    = peer{"xgboost 3.4.1", "xgb34", "xgboost"}
	xgb17    = peer{"xgboost 1.7.4", "xgb17", "xgboost"}
	lightgbm = peer{"lightgbm 4.7.0", "others", "lightgbm"}
	lgbQuant = peer{"lightgbm 4.7.0, quantised gradients", "others", "lightgbm-quantised"}
	catboost = peer{"catboost 1.2.10", "others", "catboost"}
	sklearn  = peer{"scikit-learn 1.9.1 HistGradientBoosting", "others", "scikit-learn"}
)

// trial is a line of the table, or one for each peer.
type trial struct {
	name, title string
	peers       []peer
	repeat      int                                          // times A B
	prepare     func(*bench) (ours, all []string, err error) // arguments: ours alone, and of both
	check       func(b *bench, ours, theirs string) (string, error)
}

// bench is where the files are: those made, this command, and the repository.
type bench struct{ dir, self, root string }

const usual = "objective=binary:logistic,max_depth=6,eta=0.3"

var trials = []trial{
	training("1m", "train 1 M × 40, 100 rounds, 2 threads", table{1_000_000, 1, 0}, usual+",num_round=100,nthread=2", 2, xgb305, xgb34, lgbQuant),
	training("1m-1", "train 1 M × 40, 100 rounds, 1 thread", table{1_000_000, 1, 0}, usual+",num_round=100,nthread=1", 1, xgb305),
	training("100k", "train 100 k × 40, 100 rounds, 1 thread", table{100_000, 2, 0}, usual+",num_round=100,nthread=1", 3,
		xgb305, xgb34, xgb17, lightgbm, lgbQuant, catboost, sklearn),
	training("classes", "train 100 k × 40, 5 classes, 50 rounds, 1 thread", table{100_000, 2, 0},
		"objective=multi:softprob,num_class=5,max_depth=6,eta=0.3,num_round=50,nthread=1", 2, xgb305, xgb34),
	training("missing", "train 100 k × 40, 30 % missing, 100 rounds, 1 thread", table{100_000, 2, 0.3}, usual+",num_round=100,nthread=1", 3, xgb305, xgb34),
	training("sparse", "train 100 k × 40 CSR, 5 % present, 100 rounds, 1 thread", table{100_000, 2, 0.95}, usual+",num_round=100,nthread=1", 3, xgb305, xgb34),
	training("10m", "train 10 M × 40, 20 rounds, 2 threads; ours from two passes over a file", table{10_000_000, 4, 0}, usual+",num_round=20,nthread=2", 1, xgb34),
	scoring("row-100", "one row, 100 trees, p50", 100, "predict", 3, "-single", "-rows=20000"),
	scoring("row-500", "one row, 500 trees, p50", 500, "predict", 3, "-single", "-rows=20000"),
	scoring("batch-10k", "margins of 10 k rows, 100 trees, 1 thread", 100, "predict", 3, "-rows=10000", "-repeat=21"),
	scoring("batch-1m", "margins of 1 M rows, 100 trees, 2 threads", 100, "predict", 2, "-rows=1000000", "-threads=2", "-repeat=3"),
	scoring("shap-1", "TreeSHAP of 1 row, 100 trees, 1 thread", 100, "explain", 3, "-rows=1", "-repeat=51"),
	scoring("shap-1000", "TreeSHAP of 1,000 rows, 100 trees, 1 thread", 100, "explain", 2, "-rows=1000", "-repeat=3"),
	scoring("shap-500", "TreeSHAP of 1,000 rows, 500 trees, 1 thread", 500, "explain", 1, "-rows=1000", "-repeat=3"),
	scoring("load-json", "load 500 trees, JSON", 500, "load", 2, "-repeat=11"),
	scoring("load-ubj", "load 500 trees, UBJ", 500, "load", 2, "-repeat=11"),
}

// training returns a trial of fitting, binning included, checked on 200,000 rows.
func training(name, title string, t table, params string, repeat int, peers ...peer) trial {
	test := table{200_000, 3, t.missing}
	prepare := func(b *bench) (ours, all []string, err error) {
		x, y, y5, err := t.files(b.dir)
		if err != nil {
			return nil, nil, err
		}
		testX, _, _, err := test.files(b.dir)
		if strings.Contains(params, "num_class") {
			y = y5
		}
		all = []string{"train", "-x", x, "-y", y, "-tx", testX, "-p", params}
		if name == "sparse" {
			all = append(all, "-csr")
		}
		if name == "10m" {
			ours = []string{"-stream"}
		}
		return ours, all, err
	}
	check := func(b *bench, ours, theirs string) (string, error) {
		_, y, y5, err := test.files(b.dir)
		if err != nil {
			return "", err
		}
		if strings.Contains(params, "num_class") {
			y = y5
		}
		return sameQuality(y, ours, theirs)
	}
	return trial{name, title, peers, repeat, prepare, check}
}

// sameQuality compares predictions for the labels: ours may be no worse than by
// what two good samples of cuts differ in, .002 of AUC and .003 of logloss.
func sameQuality(labels, ours, theirs string) (string, error) {
	a, err := scoreOf(labels, ours)
	if err != nil {
		return "", err
	}
	b, err := scoreOf(labels, theirs)
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("logloss %.4f / %.4f", a.logloss, b.logloss)
	if a.auc > 0 {
		said = fmt.Sprintf("AUC %.4f / %.4f, %s", a.auc, b.auc, said)
	}
	if a.auc < b.auc-0.002 || a.logloss > b.logloss+0.003 {
		said = "**worse**: " + said
	}
	return said, nil
}

// quality is of predictions; AUC is 0 where there are several classes.
type quality struct{ auc, logloss float64 }

func scoreOf(labels, predictions string) (quality, error) {
	y, err := floats(labels)
	if err != nil {
		return quality{}, err
	}
	p, err := floats(predictions)
	if err != nil {
		return quality{}, err
	}
	if k := len(p) / len(y); k > 1 {
		sum := 0.0
		for i, c := range y {
			sum -= math.Log(max(float64(p[i*k+int(c)]), 1e-16))
		}
		return quality{logloss: sum / float64(len(y))}, nil
	}
	return quality{gbdt.AUC(p, y, nil), gbdt.LogLoss(p, y, nil)}, nil
}

// scoring returns a trial of a model of so many trees, against xgboost.
func scoring(name, title string, trees int, work string, repeat int, flags ...string) trial {
	prepare := func(b *bench) (ours, all []string, err error) {
		model, err := b.model(trees, name == "load-ubj")
		if err != nil {
			return nil, nil, err
		}
		t := table{100_000, 2, 0}
		if name == "batch-1m" {
			t = table{1_000_000, 1, 0}
		}
		x, _, _, err := t.files(b.dir)
		return nil, append([]string{work, "-m", model, "-tx", x}, flags...), err
	}
	tolerance := 0.0
	if work == "explain" {
		tolerance = 1e-4
	}
	check := func(_ *bench, ours, theirs string) (string, error) {
		if work == "load" || slices.Contains(flags, "-single") {
			return "", nil
		}
		return sameNumbers(ours, theirs, tolerance)
	}
	return trial{name, title, []peer{xgb305, xgb34}, repeat, prepare, check}
}

func sameNumbers(ours, theirs string, tolerance float64) (string, error) {
	a, err := floats(ours)
	if err != nil {
		return "", err
	}
	b, err := floats(theirs)
	if err != nil || len(a) != len(b) {
		return "", fmt.Errorf("%d numbers for %d: %w", len(a), len(b), err)
	}
	most := 0.0
	for i := range a {
		most = max(most, math.Abs(float64(a[i]-b[i])))
	}
	switch {
	case most > tolerance:
		return fmt.Sprintf("**differ** by %.1e", most), nil
	case most == 0:
		return "equal to the bit", nil
	}
	return fmt.Sprintf("within %.0e", most), nil
}

// model returns the path of a model of so many trees, trained here.
func (b *bench) model(trees int, ubj bool) (string, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("%d-trees.json", trees))
	if ubj {
		path = strings.TrimSuffix(path, "json") + "ubj"
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	x, y, _, err := table{100_000, 2, 0}.files(b.dir)
	if err != nil {
		return "", err
	}
	_, err = b.ours("train", "-x", x, "-y", y, "-m", path, "-p", fmt.Sprintf("objective=binary:logistic,max_depth=6,eta=0.1,num_round=%d", trees))
	return path, err
}

// ours measures this package in a process of its own.
func (b *bench) ours(args ...string) (figures, error) { return measured(exec.Command(b.self, args...)) }

// theirs measures a peer.
func (b *bench) theirs(p peer, args ...string) (figures, error) {
	python, script := filepath.Join(b.root, ".peers", p.env, "bin", "python"), filepath.Join(b.root, "bench", "gbdt", "peer.py")
	c := exec.Command(python, append([]string{script, p.library}, args...)...)
	if p.library == "scikit-learn" {
		c.Env = append(os.Environ(), "OMP_NUM_THREADS=1") // it has no other switch
	}
	return measured(c)
}

func measured(c *exec.Cmd) (figures, error) {
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return figures{}, fmt.Errorf("%s: %w", c, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var f figures
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &f); err != nil {
		return figures{}, fmt.Errorf("%s: %w", c, err)
	}
	return f, nil
}

// runTable measures the trials and prints their lines.
func runTable(args []string) error {
	f := flag.NewFlagSet("table", flag.ExitOnError)
	only := f.String("only", "", "names of trials, separated by commas: "+names())
	against := f.String("against", "", "only peers whose name contains this")
	repeat := f.Int("repeat", 0, "times to measure ours and theirs in turn; 0 is the trial's own number")
	path := f.String("write", "", "file with the table whose lines to replace or add")
	dir := f.String("dir", ".peers/data", "where to keep made rows")
	f.Parse(args)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{*dir, self, "."}
	wanted := strings.Split(*only, ",")
	for i := range trials {
		t := &trials[i]
		if *only != "" && !slices.Contains(wanted, t.name) {
			continue
		}
		if *repeat > 0 {
			t.repeat = *repeat
		}
		for _, p := range t.peers {
			if !strings.Contains(p.name, *against) {
				continue
			}
			line, err := t.run(b, p)
			if err != nil {
				return fmt.Errorf("%s against %s: %w", t.name, p.name, err)
			}
			if err := put(*path, header, t.title+" | "+p.name, line); err != nil {
				return err
			}
		}
	}
	if *only == "" || slices.Contains(wanted, "quality") {
		return runQuality(b, *path)
	}
	return nil
}

func names() string {
	var all []string
	for _, t := range trials {
		all = append(all, t.name)
	}
	return strings.Join(append(all, "quality"), ", ")
}

const header = "| work | against | ours | theirs | times as fast, wall | by CPU | MiB | answers, ours / theirs | load |"

// run measures ours and theirs in turn.
func (t *trial) run(b *bench, p peer) (string, error) {
	ours, all, err := t.prepare(b)
	if err != nil {
		return "", err
	}
	before := loadAverage()
	outs := [2]string{filepath.Join(b.dir, "ours.out"), filepath.Join(b.dir, "theirs.out")}
	var a, c []figures
	for range t.repeat {
		x, err := b.ours(append(append(slices.Clone(all), ours...), "-o", outs[0])...)
		if err != nil {
			return "", err
		}
		y, err := b.theirs(p, append(slices.Clone(all), "-o", outs[1])...)
		if err != nil {
			return "", err
		}
		a, c = append(a, x), append(c, y)
	}
	load := max(before, loadAverage())
	said, err := t.check(b, outs[0], outs[1])
	if err != nil {
		return "", err
	}
	us, they := middle(a), middle(c)
	return fmt.Sprintf("| %s | %s | %s | %s | %.2f | %.2f | %.0f / %.0f | %s | %.1f |", t.title, p.name, us, they,
		they.Wall/us.Wall, they.CPU/us.CPU, us.Memory, they.Memory, said, load), nil
}

// middle returns the median of each figure.
func middle(all []figures) figures {
	of := func(get func(figures) float64) float64 {
		var x []float64
		for _, f := range all {
			x = append(x, get(f))
		}
		return median(x)
	}
	return figures{of(func(f figures) float64 { return f.Wall }), of(func(f figures) float64 { return f.CPU }),
		of(func(f figures) float64 { return f.Memory })}
}

func (f figures) String() string { return seconds(f.Wall) + " wall, " + seconds(f.CPU) + " CPU" }

func seconds(s float64) string {
	switch {
	case s < 1e-3:
		return fmt.Sprintf("%.2f µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.2f ms", s*1e3)
	}
	return fmt.Sprintf("%.2f s", s)
}

// loadAverage is the load of the last minute, this benchmark's own included.
func loadAverage() float64 {
	var x float64
	b, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		fmt.Sscan(string(b), &x)
	}
	return x
}

// put prints a line of the table with this header and, with a path, replaces the
// line that begins with key there, or adds it at the table's end.
func put(path, header, key, line string) error {
	fmt.Println(line)
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(b), "\n")
	at := slices.Index(lines, header)
	if at < 0 {
		return fmt.Errorf("%s has no table %q", path, header)
	}
	for at++; at < len(lines) && strings.HasPrefix(lines[at], "|"); at++ {
		if strings.HasPrefix(lines[at], "| "+key+" |") {
			lines[at] = line
			return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o666)
		}
	}
	lines = slices.Insert(lines, at, line)
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o666)
}

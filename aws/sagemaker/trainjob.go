package sagemaker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"picket"
	"picket/gbdt"
	"picket/pipeline/train"
)

// TrainJob keeps the contract of a SageMaker training container over a root, which
// is /opt/ml in one: input/config and input/data in, model/xgboost-model out. It
// reads the built-in XGBoost's hyperparameters and channels, prints its metric lines
// to log and goes on from the checkpoints of an earlier try. A stop (SIGTERM, which
// ends ctx) leaves a checkpoint and is no error.
func TrainJob(ctx context.Context, root string, log io.Writer) error {
	j := trainJob{root: root, log: log}
	err := j.run(ctx)
	if err != nil {
		_ = os.MkdirAll(filepath.Join(root, "output"), 0o755)
		_ = os.WriteFile(filepath.Join(root, "output", "failure"), []byte(err.Error()), 0o644) // the error itself is returned
	}
	return err
}

// IsTrainJob reports whether a root is that of a training container.
func IsTrainJob(root string) bool {
	_, err := os.Stat(filepath.Join(root, "input", "config", "hyperparameters.json"))
	return err == nil
}

type trainJob struct {
	root     string
	log      io.Writer
	values   map[string]string // hyperparameters
	channels map[string]struct {
		ContentType       string
		TrainingInputMode string
	}
	onStop bool // save the model, too, when stopped
}

func (j *trainJob) path(parts ...string) string {
	return filepath.Join(append([]string{j.root}, parts...)...)
}

func (j *trainJob) config(name string, v any) error {
	body, err := os.ReadFile(j.path("input", "config", name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (j *trainJob) run(ctx context.Context) error {
	p, weights, err := j.params()
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	grow, held, err := j.data(weights)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	options := []gbdt.Option{gbdt.Watch(picket.SplitTrain, grow), gbdt.Progress(j.say)}
	if len(held.Labels) > 0 {
		options = append(options, gbdt.Watch(picket.SplitValidation, held))
	}
	// Without rows to be stopped by, nothing stops, as in the built-in container. Rounds
	// that cannot be too many keep them all, where that one takes the best of them:
	// cross-fitted trees are told so, and have no rows but their own to be judged by.
	if len(held.Labels) == 0 || p.EarlyStoppingRounds >= p.Rounds {
		p.EarlyStoppingRounds = 0
	}
	checkpoints, err := j.checkpoints()
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	model, err := gbdt.Train(ctx, p, grow, append(options, checkpoints...)...)
	if ctx.Err() != nil && model != nil {
		return j.stopped(model)
	}
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return j.save(model.Slice(0, model.BestRound()+1))
}

// ours are hyperparameters of the built-in container that are not XGBoost's.
var ours = []string{"csv_weights", "save_model_on_termination"}

func (j *trainJob) params() (p gbdt.Params, weights bool, err error) {
	if err := j.config("hyperparameters.json", &j.values); err != nil {
		return p, false, err
	}
	if err := j.config("inputdataconfig.json", &j.channels); err != nil {
		return p, false, err
	}
	var hosts struct {
		Hosts []string `json:"hosts"`
	}
	if err := j.config("resourceconfig.json", &hosts); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, false, err
	}
	if len(hosts.Hosts) > 1 {
		return p, false, fmt.Errorf("%d hosts: one trains; give it more cores instead", len(hosts.Hosts))
	}
	if j.values["num_round"] == "" {
		return p, false, errors.New("hyperparameter num_round is missing")
	}
	xgboost := map[string]string{}
	for name, value := range j.values {
		if !slices.Contains(ours, name) {
			xgboost[name] = value
		}
	}
	j.onStop = j.values["save_model_on_termination"] == "true"
	p, err = gbdt.ParseParams(xgboost)
	return p, j.values["csv_weights"] == "1", err
}

// data reads the rows to grow on, of which there must be some, and those to stop by.
func (j *trainJob) data(weights bool) (grow, held gbdt.TrainData, err error) {
	t, err := j.channel(picket.SplitTrain, weights)
	if err != nil {
		return grow, held, err
	}
	v, err := j.channel(picket.SplitValidation, weights)
	if err != nil {
		return grow, held, err
	}
	cols := max(t.Cols(), v.Cols())
	if grow, held = t.Data(cols), v.Data(cols); len(grow.Labels) == 0 {
		err = errors.New("no rows in channel train")
	}
	return grow, held, err
}

// readerOf returns what reads a file of a content type, by the names that the built-in
// container knows; none is libsvm there.
func readerOf(contentType string, weights bool) func(c *train.Channel, path string) error {
	open := func(read func(c *train.Channel, r io.Reader) error) func(*train.Channel, string) error {
		return func(c *train.Channel, path string) error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			return read(c, f)
		}
	}
	media, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "text/csv", "csv":
		return open(func(c *train.Channel, r io.Reader) error { return c.Read(r, weights) })
	case "", "text/libsvm", "text/x-libsvm", "libsvm":
		return open((*train.Channel).ReadLibSVM)
	case "application/x-parquet", "parquet":
		return (*train.Channel).ReadParquet
	}
	return nil
}

// channel reads the files of a channel in the order of their names.
func (j *trainJob) channel(name string, weights bool) (*train.Channel, error) {
	c := new(train.Channel)
	config, ok := j.channels[name]
	if !ok {
		return c, nil
	}
	read := readerOf(config.ContentType, weights)
	if read == nil {
		return c, fmt.Errorf("channel %s: content type %q: text/csv, text/libsvm and application/x-parquet are read", name, config.ContentType)
	}
	if config.TrainingInputMode == "Pipe" {
		return c, fmt.Errorf("channel %s: input mode Pipe: use File or FastFile", name)
	}
	dir := j.path("input", "data", name)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		if err := read(c, path); err != nil {
			return fmt.Errorf("channel %s: %s: %w", name, d.Name(), err)
		}
		return nil
	})
	return c, err
}

// say prints a round as the built-in container's log does, in which a tab is #011:
// SageMaker's metric definitions match that.
func (j *trainJob) say(r gbdt.Round) {
	fmt.Fprintln(j.log, strings.ReplaceAll(r.String(), "\t", "#011"))
}

// checkpointEvery rounds a checkpoint is saved.
const checkpointEvery = 10

const checkpointPrefix = "xgboost-checkpoint."

// checkpoints returns the options that save to checkpoints/ and go on from the newest
// of it. Where SageMaker made no such folder there are none.
func (j *trainJob) checkpoints() ([]gbdt.Option, error) {
	entries, err := os.ReadDir(j.path("checkpoints"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	options := []gbdt.Option{gbdt.Checkpoint(checkpointEvery, j.checkpoint)}
	newest := -1
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), checkpointPrefix)); err == nil && strings.HasPrefix(e.Name(), checkpointPrefix) {
			newest = max(newest, n)
		}
	}
	if newest < 0 {
		return options, nil
	}
	name := checkpointPrefix + strconv.Itoa(newest)
	f, err := os.Open(j.path("checkpoints", name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	model, err := gbdt.Read(f)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", name, err)
	}
	fmt.Fprintf(j.log, "resuming after round %d from %s\n", model.Rounds()-1, name)
	return append(options, gbdt.Resume(model)), nil
}

// checkpoint saves a model whole or not at all, under the number of its last round.
func (j *trainJob) checkpoint(m *gbdt.Model) error {
	return writeModel(j.path("checkpoints", checkpointPrefix+strconv.Itoa(m.Rounds()-1)), m)
}

// stopped keeps what is done.
func (j *trainJob) stopped(m *gbdt.Model) error {
	fmt.Fprintf(j.log, "stopped after %d rounds\n", m.Rounds())
	if _, err := os.Stat(j.path("checkpoints")); err == nil && m.Rounds() > 0 {
		if err := j.checkpoint(m); err != nil {
			return err
		}
	}
	if j.onStop && m.Rounds() > 0 {
		return j.save(m)
	}
	return nil
}

func (j *trainJob) save(m *gbdt.Model) error {
	if err := os.MkdirAll(j.path("model"), 0o755); err != nil {
		return err
	}
	return writeModel(j.path("model", TreesName), m)
}

func writeModel(name string, m *gbdt.Model) error {
	var body bytes.Buffer
	if err := m.WriteUBJ(&body); err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name))
	if err := os.WriteFile(temp, body.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, name)
}

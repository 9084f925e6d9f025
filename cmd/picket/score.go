package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/infer"
	"picket/pipeline/train"
)

func (a *app) scoreCommand() *cobra.Command {
	var model, detector string
	c := &cobra.Command{
		Use: "score PATH...", Short: "Raw logs or a feature table in, a score for each row out",
		Long: `Scores every window of raw logs, or every row of a table that the model was
trained on, or of one that "picket features" wrote. p_malicious is calibrated;
p_CLASS are rescaled to agree with it. Rows of no booster are left out; a table
gives one row a row.`,
		Args:    someArgs("at least one log file, folder or table"),
		Example: "  picket score testdata/logs/ssh-guessing.pcap",
		RunE: func(c *cobra.Command, args []string) error {
			m, scorer, err := a.loadModel(model)
			if err != nil {
				return err
			}
			if b := m.Booster(picket.BoosterID{Detector: picket.DetectorTable}); b != nil {
				return a.scoreTable(scorer, b, args)
			}
			road, err := roadFor(detector)
			if err != nil {
				return err
			}
			if isFeatureTable(args) {
				return a.scoreFeatures(scorer, m, road, args)
			}
			return a.scoreLogs(c.Context(), m, scorer, road, args)
		},
	}
	c.Flags().StringVar(&model, "model", "", "model package (default: the one in this binary)")
	c.Flags().StringVar(&detector, "detector", picket.DetectorTraffic, "traffic, access or phishing")
	c.Flags().StringP("output", "o", "csv", "csv")
	return c
}

// scoreLogs scores every window of raw logs.
func (a *app) scoreLogs(ctx context.Context, m *picket.Model, scorer *infer.Scorer, road *extract.Road, paths []string) error {
	w, err := a.workspace(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.ingest(ctx, paths); err != nil {
		return err
	}
	if err := w.closeAll(ctx); err != nil {
		return err
	}
	out := newScores(a.stdout, keyColumns, classesOf(m, road.Detector))
	err = w.Rows(ctx, func(f *picket.Features) error {
		if extract.RoadOf(f.Source) != road {
			return nil
		}
		s, ok, err := scorer.Score(f, false)
		if err != nil || !ok {
			return err
		}
		return out.row(keyCells(f), &s)
	})
	return cmp.Or(err, out.close())
}

// scoreTable scores every row of tables like the one that the model learned from.
func (a *app) scoreTable(scorer *infer.Scorer, b *picket.Booster, paths []string) error {
	table, err := train.ReadTable(paths, train.TableOptions{Like: b})
	if err != nil {
		return hint(err, "the table needs the columns that the model was trained on")
	}
	return a.scoreRows(table, b.Classes, func(f *picket.Features) (picket.Score, bool, error) {
		return scorer.ScoreAs(picket.DetectorTable, f, false)
	})
}

// scoreRows prints one row a row of a table.
func (a *app) scoreRows(table *train.Table, classes []string, score func(*picket.Features) (picket.Score, bool, error)) error {
	out := newScores(a.stdout, slices.Concat([]string{"row"}, keyColumns), classes)
	for i := range table.Dataset.Examples {
		f := &table.Dataset.Examples[i].Features
		s, _, err := score(f)
		if err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
		if err := out.row(tableCells(i, f), &s); err != nil {
			return err
		}
	}
	return out.close()
}

// tableCells are the key cells of a table's row, empty where it has no window.
func tableCells(i int, f *picket.Features) []string {
	cells := []string{strconv.Itoa(i + 1), "", "", "", "", ""}
	if f.Entity.ID != "" {
		copy(cells[1:], keyCells(f))
	}
	return cells
}

// isFeatureTable reports whether the first path is a table that "picket features"
// wrote, CSV or Parquet: its content says so, not its name.
func isFeatureTable(paths []string) bool {
	f, err := os.Open(paths[0])
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := io.ReadFull(f, head)
	want := "entity_kind,entity,window_start,window_seconds,source,"
	return n >= len(want) && string(head[:len(want)]) == want || n >= 4 && string(head[:4]) == "PAR1"
}

// scoreFeatures scores the rows of tables that "picket features" wrote.
func (a *app) scoreFeatures(scorer *infer.Scorer, m *picket.Model, road *extract.Road, paths []string) error {
	like := &picket.Booster{Schema: road.Schema()}
	table, err := train.ReadTable(paths, train.TableOptions{Like: like})
	if err != nil {
		return hint(err, "make the table again with this version's \"picket features\"")
	}
	return a.scoreRows(table, classesOf(m, road.Detector), func(f *picket.Features) (picket.Score, bool, error) {
		return scorer.Score(f, false)
	})
}

// classesOf returns every class of a detector that some booster of the model knows.
func classesOf(m *picket.Model, detector string) []string {
	var all []string
	for _, class := range picket.ClassesOf(detector) {
		for i := range m.Boosters {
			if slices.Contains(m.Boosters[i].Classes, class) && !slices.Contains(all, class) {
				all = append(all, class)
			}
		}
	}
	return all
}

// scores writes scores as CSV.
type scores struct {
	w       *csv.Writer
	classes []string
}

func newScores(w io.Writer, keys, classes []string) *scores {
	s := &scores{w: csv.NewWriter(w), classes: classes}
	header := append(slices.Clone(keys), "p_malicious")
	for _, class := range classes {
		header = append(header, "p_"+class)
	}
	s.w.Write(header)
	return s
}

func (s *scores) row(keys []string, score *picket.Score) error {
	cells := append(keys, "")
	if score.Classes != nil {
		cells[len(keys)] = numberCell(score.Malicious)
	}
	for _, class := range s.classes {
		cell := ""
		if i := slices.Index(score.Classes, class); i >= 0 {
			cell = numberCell(score.Probabilities[i])
		}
		cells = append(cells, cell)
	}
	return s.w.Write(cells)
}

func (s *scores) close() error {
	s.w.Flush()
	return s.w.Error()
}

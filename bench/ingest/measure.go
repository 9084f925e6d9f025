package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost is what a process took.
type cost struct {
	cpu, wall float64 // seconds
	rss       float64 // MiB, most at a time
}

// side is a way to do the work: a command, its environment, where its output goes.
type side struct {
	name string
	args []string
	env  []string
	in   func(io.Writer) error // fed to standard input, if not nil
	out  string                // file for standard output; "" throws it away
}

// run runs it once.
func (s *side) run(ctx context.Context) (cost, error) {
	cmd := exec.CommandContext(ctx, s.args[0], s.args[1:]...)
	cmd.Env = append(os.Environ(), s.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if s.out != "" {
		f, err := os.Create(s.out)
		if err != nil {
			return cost{}, err
		}
		defer f.Close()
		cmd.Stdout = f
	}
	began := time.Now()
	err := s.wait(cmd)
	if err != nil {
		text := stderr.String()
		return cost{}, fmt.Errorf("%s: %w: %s", s.name, err, text[max(0, len(text)-400):])
	}
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{
		cpu:  (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(),
		wall: time.Since(began).Seconds(), rss: float64(u.Maxrss) / 1024,
	}, nil
}

func (s *side) wait(cmd *exec.Cmd) error {
	if s.in == nil {
		return cmd.Run()
	}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	fed := s.in(pipe)
	pipe.Close()
	if err := cmd.Wait(); err != nil {
		return err
	}
	return fed
}

// turns runs the sides in turn, round after round, and returns the medians.
func (b *bench) turns(ctx context.Context, sides ...side) ([]cost, error) {
	all := make([][]cost, len(sides))
	for range b.rounds {
		for i := range sides {
			c, err := sides[i].run(ctx)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], c)
		}
	}
	medians := make([]cost, len(sides))
	for i, costs := range all {
		middle := func(of func(cost) float64) float64 {
			values := make([]float64, len(costs))
			for j, c := range costs {
				values[j] = of(c)
			}
			slices.Sort(values)
			return values[len(values)/2]
		}
		medians[i] = cost{middle(func(c cost) float64 { return c.cpu }), middle(func(c cost) float64 { return c.wall }), middle(func(c cost) float64 { return c.rss })}
		fmt.Fprintf(os.Stderr, "  %s: %.2f s CPU, %.2f s wall, %.0f MiB\n", sides[i].name, medians[i].cpu, medians[i].wall, medians[i].rss)
	}
	return medians, nil
}

// load is the load average of the last minute.
func load() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return -1
	}
	first, _, _ := strings.Cut(string(text), " ")
	v, _ := strconv.ParseFloat(first, 64)
	return v
}

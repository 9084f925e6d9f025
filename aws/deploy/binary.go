package deploy

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// Arch is a processor, in Lambda's words.
type Arch string

// The processors that Lambda has. SageMaker's Processing has x86_64 alone.
const (
	ARM64 Arch = "arm64"
	X86   Arch = "x86_64"
)

// goarch is what the Go toolchain calls it.
func (a Arch) goarch() (string, error) {
	switch a {
	case ARM64:
		return "arm64", nil
	case X86:
		return "amd64", nil
	}
	return "", Failure{fmt.Errorf("architecture %q", a), "use arm64 or x86_64"}
}

// ownArch is the processor of the running binary where that is one that Lambda could
// run, else arm64, which costs a fifth less.
func ownArch() Arch {
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		return X86
	}
	return ARM64
}

// The way in which every binary for AWS is built: static, without symbols (stack
// traces keep theirs) and without the RPC server of Lambda's old runtime. These two
// flags and the tag take the binary from 26 to 11 MB in a trial.
const (
	buildTags     = "lambda.norpc"
	buildLDFlags  = "-s -w"
	mainPackage   = "picket/cmd/picket"
	functionsOnly = "picket/cmd/bootstrap" // the functions alone, a third of the size
)

// Binaries finds or builds picket for Linux on a processor.
type Binaries struct {
	Self    string // path of the running binary
	Named   string // --binary: used where it fits; "" is none
	Source  string // folder of this module's source, to build from; "" is the current one
	TempDir string // where a built binary goes
	Version string // of the running binary: a built one says the same
}

// Functions returns the path of a binary for the functions: the named one, the running
// one if it fits, else one that the Go toolchain builds, of the functions alone.
func (b Binaries) Functions(ctx context.Context, arch Arch) (string, error) {
	return b.find(ctx, arch, functionsOnly)
}

// Container returns the path of a binary for SageMaker's container.
func (b Binaries) Container(ctx context.Context) (string, error) {
	if misfit(b.Named, "amd64", mainPackage) != nil { // for the functions only
		b.Named = ""
	}
	return b.find(ctx, X86, mainPackage)
}

func (b Binaries) find(ctx context.Context, arch Arch, program string) (string, error) {
	goarch, err := arch.goarch()
	if err != nil {
		return "", err
	}
	if b.Named != "" {
		if unfit := misfit(b.Named, goarch, mainPackage, program); unfit != nil {
			return "", Failure{fmt.Errorf("--binary %s: %w", b.Named, unfit), fmt.Sprintf("name a picket built with CGO_ENABLED=0 GOOS=linux GOARCH=%s, or leave --binary out", goarch)}
		}
		return b.Named, nil
	}
	unfit := misfit(b.Self, goarch, mainPackage)
	if unfit == nil {
		return b.Self, nil
	}
	built, err := b.build(ctx, goarch, program)
	if err != nil {
		return "", Failure{fmt.Errorf("no binary for linux/%s: this one %w, and building one failed: %w", goarch, unfit, err), fmt.Sprintf("run in a checkout of picket with Go installed, or name a binary for linux/%s with --binary", goarch)}
	}
	return built, nil
}

// misfit says why a file is none of the programs, static and for Linux; nil if it is.
func misfit(file, goarch string, programs ...string) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return fmt.Errorf("cannot be read as a Go program: %w", err)
	}
	if !slices.Contains(programs, info.Path) {
		return fmt.Errorf("is %q, not picket", info.Path)
	}
	setting := func(key string) string {
		i := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == key })
		if i < 0 {
			return ""
		}
		return info.Settings[i].Value
	}
	switch {
	case setting("GOOS") != "linux" || setting("GOARCH") != goarch:
		return fmt.Errorf("is for %s/%s", setting("GOOS"), setting("GOARCH"))
	case setting("CGO_ENABLED") != "0":
		return errors.New("is not static (built with CGO_ENABLED=1)")
	}
	return nil
}

// build makes the binary with the Go toolchain from this module's source.
func (b Binaries) build(ctx context.Context, goarch, program string) (string, error) {
	out := filepath.Join(b.TempDir, path.Base(program)+"-linux-"+goarch)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", buildTags,
		"-ldflags", buildLDFlags+" -X main.version="+b.Version, "-o", out, program)
	cmd.Dir = b.Source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch, "GOFLAGS=")
	var words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &words, &words
	if err := cmd.Run(); err != nil {
		if said := strings.TrimSpace(words.String()); said != "" {
			return "", fmt.Errorf("go build: %w: %.500s", err, said)
		}
		return "", fmt.Errorf("go build: %w", err)
	}
	return out, misfit(out, goarch, program)
}

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// heldOut prints the evaluation that the shipped package carries.
func heldOut(ctx context.Context, b *bench, out io.Writer) error {
	text, _, err := b.picketSays(ctx, "model", "show", "--data", filepath.Join(b.work, "registry"))
	if err != nil {
		return err
	}
	at := strings.Index(text, "BOOSTER")
	if at < 0 {
		return fmt.Errorf("model show prints no evaluation")
	}
	fmt.Fprintf(out, `## Simulated → simulated: the shipped package's own test split

A fifth of the simulated networks that it was made from, each kept whole: `+"`picket model show`"+`.

`+"```\n%s```\n", text[at:])
	return nil
}

package main

import (
	"os"
	"strings"
	"testing"
)

// TestCommandsOfDeployDocs: every command of the pages on AWS is one, with flags that
// there are; those that need no finished account are run as printed.
func TestCommandsOfDeployDocs(t *testing.T) {
	a := newAccount(t)
	tried := 0
	for _, page := range []string{"deploy.md", "sagemaker.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			command, ok := strings.CutPrefix(line, "    picket ")
			if !ok {
				continue
			}
			command, _, _ = strings.Cut(command, "#")
			command, _, _ = strings.Cut(command, "|")
			args := strings.Fields(command)
			tried++
			if out, code := a.picket(append(args, "--help")...); code != exitOK || !strings.Contains(out, "Usage:") && !strings.Contains(out, "usage:") {
				t.Errorf("%s: picket %s: exit %d: %.300s", page, command, code, out)
			}
			if args[0] == "template" || strings.Join(args, " ") == "deploy --dry-run" || strings.HasPrefix(command, "pipeline export") {
				if out, code := a.picket(args...); code != exitOK {
					t.Errorf("%s: picket %s: exit %d: %.300s", page, command, code, out)
				}
			}
		}
	}
	if tried < 12 {
		t.Errorf("%d commands in the pages", tried)
	}
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamples builds the programs in docs/examples, which is a separate module, and runs
// their tests, which run the programs. docs/README.md must name each of them.
func TestExamples(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "docs", "examples")
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v (where go.mod is named: cd docs/examples && go mod tidy)\n%s", strings.Join(args, " "), err, out)
		}
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob(filepath.Join(dir, "*", "*.go"))
	if err != nil || len(programs) < 5 {
		t.Fatalf("%d programs: %v", len(programs), err)
	}
	for _, p := range programs {
		if name := filepath.Base(filepath.Dir(p)); !strings.Contains(string(page), "(examples/"+name+"/") {
			t.Errorf("docs/README.md does not name examples/%s", name)
		}
	}
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The core runs without an operating system and without a network, and gives the
// same answers there: testdata/engine/main.go takes the recorded life again, in
// WebAssembly under Node.
func TestEngineInWebAssembly(t *testing.T) {
	node := foreign(t, "node")
	tool := foreign(t, "go")
	root, err := exec.CommandContext(t.Context(), tool, "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	runner := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec_node.js")
	var want strings.Builder
	for line := range strings.Lines(string(read(t, filepath.Join(engineData, "life.txt")))) {
		if answer, ok := strings.CutPrefix(line, "< "); ok {
			want.WriteString(answer)
		}
	}
	if strings.Count(want.String(), `"event"`) < 25 {
		t.Fatal("the recorded life is no life")
	}
	for _, target := range []struct {
		os   string
		with []string
	}{
		{"wasip1", []string{"--no-warnings", filepath.Join(engineData, "wasi.mjs")}},
		{"js", []string{runner}},
	} {
		t.Run(target.os, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), "life.wasm")
			build := exec.CommandContext(t.Context(), tool, "build", "-o", program, "main.go")
			build.Dir = engineData
			build.Env = append(os.Environ(), "GOOS="+target.os, "GOARCH=wasm", "GOFLAGS=")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var errs strings.Builder
			c := exec.CommandContext(t.Context(), node, append(target.with, program)...)
			c.Stderr = &errs
			// The runner for js hands the whole environment over; a large one is
			// refused there.
			c.Env = []string{"PATH=" + os.Getenv("PATH")}
			got, err := c.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, errs.String())
			}
			if string(got) != want.String() {
				t.Errorf("other answers than here:\n%s\nwant\n%s", got, want.String())
			}
		})
	}
}

package script_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/script"
)

// FuzzScript: a script is text that somebody typed. Whatever a command says, it
// is done or refused in words, and the story can go on; the same story reads
// the same twice.
func FuzzScript(f *testing.F) {
	seen := map[string]bool{}
	err := filepath.WalkDir(scripts, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for part := range bytes.SplitSeq(b, []byte("\n\n")) {
			told, _, _ := strings.Cut(string(part), "\n----")
			var lines []string
			for line := range strings.Lines(told) {
				if !strings.HasPrefix(line, "#") {
					lines = append(lines, strings.TrimSuffix(line, "\n"))
				}
			}
			if len(lines) == 0 {
				continue
			}
			verb, _, _ := strings.Cut(lines[0], " ")
			if text := strings.Join(lines, "\n"); verb != "" && !seen[verb] {
				seen[verb] = true
				f.Add(text, "begin\nrestart")
			}
		}
		return nil
	})
	if err != nil || len(seen) < 10 {
		f.Fatalf("%d verbs, %v", len(seen), err)
	}
	f.Add("begin seed=(a, (b)", "=x")
	f.Add("begin", "respond status=99999999999999999999")
	f.Fuzz(func(t *testing.T, one, two string) {
		tell := func() string {
			s := script.New()
			var out strings.Builder
			for _, text := range []string{one, two, "begin", one} {
				line, block, _ := strings.Cut(text, "\n")
				out.WriteString(s.Do(line, block) + "\n")
			}
			return out.String()
		}
		if a, b := tell(), tell(); a != b {
			t.Fatalf("told twice:\n%s\n%s", a, b)
		}
	})
}

package script_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states/rules"
)

// A note is printed with its rule: its text names no rule once more, neither that
// one nor another.
func TestNotesNameNoRule(t *testing.T) {
	notes := 0
	err := filepath.WalkDir("../../testdata/scripts", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for line := range strings.Lines(string(b)) {
			_, note, found := strings.Cut(line, "  Note ")
			if !found {
				continue
			}
			notes++
			_, text, _ := strings.Cut(strings.TrimSpace(note), ": ")
			for _, r := range rules.All() {
				if strings.Contains(text, string(r.ID)+": ") || strings.Contains(text, "("+string(r.ID)+")") {
					t.Errorf("%s: %q names the rule %s", path, text, r.ID)
				}
			}
		}
		return err
	})
	if err != nil || notes < 50 {
		t.Errorf("%d notes: %v", notes, err)
	}
}

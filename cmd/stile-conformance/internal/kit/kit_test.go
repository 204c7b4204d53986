package kit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatOthersWroteIsPrintable(t *testing.T) {
	if got, want := Clean("\x1b[31mred\x1b[0m \x1b]0;title\x07\n", 100), "red .]0;title.."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Clean(strings.Repeat("é", 10), 3); got != "ééé…" {
		t.Errorf("got %q", got)
	}
}

func TestTableCountsAndFails(t *testing.T) {
	tally := filepath.Join(t.TempDir(), "tally")
	table := Table{Title: "outside", Only: "nothing", Tally: tally}
	rows := []Row{{Group: "w", Name: "a"}, {Group: "w", Name: "b", Faults: []string{"bad \x1b[31m"}, Output: []string{"GET /x 200"}}}
	var out bytes.Buffer
	if err := table.Print(&out, rows); !errors.Is(err, ErrFailed) {
		t.Error(err)
	}
	if err := table.Print(&out, rows[:1]); err != nil {
		t.Error(err)
	}
	if err := table.Print(&out, nil); err == nil {
		t.Error("a table of nothing passed")
	}
	if s := out.String(); !strings.Contains(s, "GET /x 200") || strings.Contains(s, "\x1b") {
		t.Error(s)
	}
	b, err := os.ReadFile(tally)
	if want := "outside: 1 passed, 1 failed, 0 skipped\noutside: 1 passed, 0 failed, 0 skipped\n"; err != nil || string(b) != want {
		t.Errorf("%q %v", b, err)
	}
}

package kit

import (
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

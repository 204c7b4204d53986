package states_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states"
)

// TestEveryStateHasOneRoom reads the sources: the name of a state, what is asked
// there and what must hold there stand in one file, and every entry of a room is
// one of the states.
func TestEveryStateHasOneRoom(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	name, entry := regexp.MustCompile(`(?m)^(?:const)?\s+(\w+)\s+State = "([\w-]+)"`), regexp.MustCompile(`state: (\w+), group: \w+, .*doing: "[^"]+"`)
	var known []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		var named, entered []string
		for _, m := range name.FindAllStringSubmatch(string(text), -1) {
			named, known = append(named, m[1]), append(known, m[2])
		}
		for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
			entered = append(entered, m[1])
		}
		if !slices.Equal(named, entered) {
			t.Errorf("%s names %v and has entries for %v", f.Name(), named, entered)
		}
	}
	for _, s := range states.All {
		if i := slices.Index(known, string(s)); i < 0 {
			t.Errorf("no file names %s", s)
		} else {
			known = slices.Delete(known, i, i+1)
		}
	}
	if len(known) > 0 {
		t.Errorf("no room is listed for %v", known)
	}
}

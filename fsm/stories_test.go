package fsm_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// steps gives every step of every story of testdata/scripts. The stories go
// through every state and fire every row (package script's tests say so).
func steps(t testing.TB) []script.Step {
	t.Helper()
	all, err := told()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 1000 {
		t.Fatalf("%d steps only: where are the stories?", len(all))
	}
	return all
}

// meddled are the steps that changed the machine that they were given. To ask that of a step
// once more would be too late: the second time it finds what it made of it.
var meddled []string

var told = sync.OnceValues(func() ([]script.Step, error) {
	var out []script.Step
	err := filepath.WalkDir("../testdata/scripts", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		s := script.New()
		var last fsm.Machine
		var was wire.Secret
		s.Observe = func(p script.Step) {
			if p.Before.Data.Config == nil {
				return
			}
			out = append(out, p)
			if is, _ := last.Snapshot(); was != "" && is != was {
				meddled = append(meddled, fmt.Sprintf("%T in %s", p.In, p.Before.State))
			}
			last = p.Before
			if p.Err == nil {
				last = p.Result.Machine
			}
			was, _ = last.Snapshot()
		}
		for _, c := range commands(string(b)) {
			s.Do(c[0], c[1])
		}
		return err
	})
	return out, err
})

// commands reads the commands of a story with their blocks, without what they
// print.
func commands(text string) [][2]string {
	var out [][2]string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		var lines []string
		for line := range strings.SplitSeq(paragraph, "\n") {
			if line == "----" {
				break
			}
			if !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		if len(lines) > 0 && lines[0] != "" {
			out = append(out, [2]string{lines[0], strings.Join(lines[1:], "\n")})
		}
	}
	return out
}

// sample keeps the first n steps of each kind: the same state, input and event;
// under the race detector a part of them (everyStep).
func sample(all []script.Step, n int) []script.Step {
	seen, kept := map[string]int{}, 0
	var out []script.Step
	for _, p := range all {
		kind := string(p.Before.State) + " " + string(p.Result.Event) + " " + inputName(p.In)
		if p.Err != nil {
			kind += " refused"
		}
		if seen[kind]++; seen[kind] > n {
			continue
		}
		if kept++; p.Err != nil || kept%everyStep == 0 {
			out = append(out, p)
		}
	}
	return out
}

func inputName(in states.Input) string {
	if in == nil {
		return ""
	}
	return strings.TrimPrefix(typeName(in), "states.")
}

func TestStoriesGoThroughEveryState(t *testing.T) {
	seen := map[states.State]bool{}
	for _, p := range steps(t) {
		seen[p.Before.State] = true
	}
	for _, s := range states.All {
		if !seen[s] {
			t.Errorf("no story passes through %s", s)
		}
	}
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The stories of testdata/scripts take milliseconds and share nothing. So they judge the
// mutants of the core in one process, hundreds one after the other, before the tests judge
// those that are left.

// tellers are the tests that tell the stories.
const tellers = "fsm/script"

// storiesTest is added to the tests of tellers. It says "mutant N killed" or "mutant N
// survived" of each mutant that it is given. If a mutant hangs or leaves something behind, the
// process ends; a new one goes on, and begins with that mutant.
const storiesTest = `package script_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/stile-oauth/stile/fsm/script"
%s)

type toldStory struct {
	commands []script.Command
	said     []string
	passes   map[int]bool
}

func TestMutants(t *testing.T) {
	numbers := strings.Fields(os.Getenv("MUTANTS"))
	if len(numbers) == 0 {
		t.Skip("there are no mutants")
	}
	var all []*toldStory
	datadriven.Walk(t, scripts, func(t *testing.T, path string) {
		s, told := script.New(), &toldStory{passes: map[int]bool{}}
		mutantsPassed()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			c := script.Command{Verb: d.Cmd, Block: d.Input}
			for _, a := range d.CmdArgs {
				c.Args = append(c.Args, script.Arg{Name: a.Key, Values: a.Vals})
			}
			said := s.Run(c)
			told.commands, told.said = append(told.commands, c), append(told.said, said)
			return said
		})
		for _, n := range mutantsPassed() {
			told.passes[n] = true
		}
		all = append(all, told)
	})
	mutantSet(0)
	for i, number := range numbers {
		n, _ := strconv.Atoi(number)
		killed, clean := tellWith(all, n)
		if !clean && i > 0 {
			os.Exit(3)
		}
		fmt.Println("mutant", n, map[bool]string{true: "killed", false: "survived"}[killed])
		if !clean {
			os.Exit(3)
		}
	}
}

// tellWith tells the stories that pass a mutant. If one differs, clean says that it does not
// differ without the mutant.
func tellWith(all []*toldStory, n int) (killed, clean bool) {
	for _, s := range all {
		if !s.passes[n] {
			continue
		}
		mutantSet(n)
		same := make(chan bool, 1)
		go func() { same <- s.toldAgain() }()
		select {
		case ok := <-same:
			mutantSet(0)
			if !ok {
				return true, s.toldAgain()
			}
		case <-time.After(20 * time.Second):
			return true, false
		}
	}
	return false, true
}

func (s *toldStory) toldAgain() (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	w := script.New()
	for i, c := range s.commands {
		if w.Run(c) != s.said[i] {
			return false
		}
	}
	return true
}

func mutantSet(n int) {
%s}

// mutantsPassed gives the switches that were passed since the last call.
func mutantsPassed() (all []int) {
%s	return all
}
`

// withStories are the targets whose mutants the stories judge first.
func withStories(chosen []target) []target {
	return slices.DeleteFunc(slices.Clone(chosen), func(t target) bool { return !slices.Contains(t.tests, tellers) })
}

// storyTest is storiesTest for the packages that are broken; "" if there is none.
func storyTest(chosen []target) string {
	var imports, set, passed strings.Builder
	for i, t := range withStories(chosen) {
		fmt.Fprintf(&imports, "\tmutated%d %q\n", i, "github.com/stile-oauth/stile/"+t.dir)
		fmt.Fprintf(&set, "\tmutated%d.MutantSet(n)\n", i)
		fmt.Fprintf(&passed, "\tall = append(all, mutated%d.MutantsPassed()...)\n", i)
	}
	if set.Len() == 0 {
		return ""
	}
	return fmt.Sprintf(storiesTest, &imports, &set, &passed)
}

// atOnce is how many mutants a process is given.
const atOnce = 150

// tellStories lets the stories judge the mutants of those targets. It decides only about
// mutants that are killed.
func tellStories(work string, sample []*mutant, chosen []target, s settings, started time.Time) {
	var left []*mutant
	for _, m := range sample {
		if slices.ContainsFunc(withStories(chosen), func(t target) bool { return t.dir == m.dir }) {
			left = append(left, m)
		}
	}
	if len(left) == 0 {
		return
	}
	groups := slices.Collect(slices.Chunk(left, atOnce))
	parallel(len(groups), s.jobs, func(i int) {
		for rest := groups[i]; len(rest) > 0 && time.Since(started) < s.budget; {
			rest = storiesOf(work, rest)
		}
	})
	killed := 0
	for _, m := range left {
		if m.verdict == wasKilled {
			killed++
		}
	}
	fmt.Printf("the stories notice %d of %d mutants: %s\n", killed, len(left), since(started))
}

// storiesOf is one process. It returns the mutants that it has not judged.
func storiesOf(work string, list []*mutant) []*mutant {
	var numbers []string
	for _, m := range list {
		numbers = append(numbers, strconv.Itoa(m.id))
	}
	c := exec.Command(filepath.Join(work, "bin", filepath.Base(tellers)+".test"), "-test.run=^TestMutants$", "-test.timeout=0")
	c.Dir = tellers
	c.Env = append(os.Environ(), "MUTANTS="+strings.Join(numbers, " "))
	out, _ := c.Output() // an error says that a mutant ended the process
	said := string(out)
	rest := slices.DeleteFunc(slices.Clone(list), func(m *mutant) bool {
		if strings.Contains(said, fmt.Sprintf("mutant %d killed\n", m.id)) {
			m.verdict = wasKilled
			return true
		}
		return strings.Contains(said, fmt.Sprintf("mutant %d survived\n", m.id))
	})
	if len(rest) == len(list) { // the first ended it, with nothing before it
		rest[0].verdict = wasKilled
		return rest[1:]
	}
	return rest
}

// Command mutate breaks the production code in one place after another and looks
// whether a test notices. A change that no test notices is a survivor: either a test
// is missing, or the change makes no difference; in that case the list of equivalents
// says why.
//
//	go run .ci/mutate/*.go                     a sample of every target
//	go run .ci/mutate/*.go -sample 0 storage/  every mutant of the targets below storage
//
// All mutants are built into the test binaries at once. Each is a switch that an
// environment variable turns on, so that a mutant costs a run but no build. The
// switches are put into copies of the files (go build -overlay); the source tree is
// not touched. First each test runs once on its own and reports which switches it
// passes. Then each mutant is judged by the tests that pass it.
package main

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// target is a package whose code is broken, and the packages whose tests may notice
// that.
type target struct {
	dir string
	// floor is the lowest accepted percentage of killed mutants. It is below what the
	// samples reached on 2026-11-29 and 2026-11-30, and must not be lowered. A sample of ten
	// says little, and tests are left out when the computer is busy, so a target that
	// kills 93 has a floor of 80.
	floor int
	tests []string
}

// targets are what `make mutate` breaks. The driver's tests also exercise the packages
// that it is made of, so they may judge the mutants of those packages too.
var targets = []target{
	{"states/wire", 80, []string{"states/wire", "fsm/script", "fsm"}},
	{"transitions", 75, []string{"fsm/script", "fsm", "transitions"}},
	{"fsm/trace", 60, []string{"fsm/trace"}},
	{"httpdriver", 60, []string{"httpdriver"}},
	{"httpdriver/guard", 80, []string{"httpdriver/guard", "httpdriver"}},
	{"httpdriver/bearer", 80, []string{"httpdriver/bearer"}},
	{"httpdriver/loopback", 80, []string{"httpdriver/loopback"}},
	{"httpdriver/devas", 80, []string{"httpdriver/devas"}},
	{"storage", 85, []string{"storage", "storage/filestore", "storage/sealed"}},
	{"storage/filestore", 80, []string{"storage/filestore"}},
	{"storage/internal/backend", 70, []string{"storage/internal/backend", "storage/filestore", "storage/sqlitestore", "storage/redisstore", "storage"}},
	{"storage/internal/sqlbase", 80, []string{"storage/internal/sqlbase", "storage/sqlitestore", "storage/pgstore"}},
	{"storage/keyringstore", 80, []string{"storage/keyringstore"}},
	{"storage/open", 80, []string{"storage/open"}},
	{"storage/pgstore", 80, []string{"storage/pgstore"}},
	{"storage/redisstore", 80, []string{"storage/redisstore"}},
	{"storage/sealed", 85, []string{"storage/sealed", "storage/keyringstore"}},
	{"storage/sqlitestore", 80, []string{"storage/sqlitestore"}},
}

type settings struct {
	seed       string
	sample     int
	least      int
	jobs       int
	budget     time.Duration
	slow       time.Duration
	equivalent string
	only       string
	list       bool
	floors     bool
	keep       bool
}

func main() {
	var s settings
	flag.StringVar(&s.seed, "seed", "1", "which sample is taken")
	flag.IntVar(&s.sample, "sample", 40, "how many mutants of each target at most; 0 takes all")
	flag.IntVar(&s.least, "least", 90, "fail when fewer in a hundred are killed in a target")
	flag.BoolVar(&s.floors, "floors", false, "fail below what each target has reached, in place of -least")
	flag.IntVar(&s.jobs, "jobs", runtime.NumCPU(), "how many tests run at the same time")
	flag.DurationVar(&s.budget, "budget", time.Hour, "begin no further mutant after this time")
	flag.DurationVar(&s.slow, "slow", 10*time.Second, "leave out tests that take longer than this alone")
	flag.StringVar(&s.equivalent, "equivalents", ".ci/mutate.equivalents", "the list of mutants that make no difference")
	flag.StringVar(&s.only, "only", "", "only mutants whose name matches this regular expression")
	flag.BoolVar(&s.list, "list", false, "name the mutants and run nothing")
	flag.BoolVar(&s.keep, "keep", false, "keep the directory of the built tests, and say where it is")
	flag.Parse()
	if err := run(s, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// wanted are the targets that the arguments name. An argument is a directory or, with a
// slash at its end, everything below it.
func wanted(args []string) ([]target, error) {
	if len(args) == 0 {
		return targets, nil
	}
	var out []target
	for _, a := range args {
		a = strings.TrimPrefix(a, "./")
		found := false
		for _, t := range targets {
			if t.dir != strings.TrimSuffix(a, "/") && !(strings.HasSuffix(a, "/") && strings.HasPrefix(t.dir, a)) {
				continue
			}
			found = true
			if !slices.ContainsFunc(out, func(o target) bool { return o.dir == t.dir }) {
				out = append(out, t)
			}
		}
		if !found {
			return nil, fmt.Errorf("%s is no target; they are listed in .ci/mutate/main.go", a)
		}
	}
	return out, nil
}

func run(s settings, args []string) error {
	started := time.Now()
	chosen, err := wanted(args)
	if err != nil {
		return err
	}
	known, err := readEquivalents(s.equivalent)
	if err != nil {
		return err
	}
	only, err := regexp.Compile(s.only)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	if s.keep {
		fmt.Println("kept in", work)
	} else {
		defer func() { _ = os.RemoveAll(work) }()
	}

	plan, err := mutants(chosen)
	if err != nil {
		return err
	}
	known.check(plan, chosen)
	if s.list {
		for _, m := range plan.all {
			fmt.Println(m.name)
		}
		return nil
	}
	binaries, err := build(work, plan, chosen)
	if err != nil {
		return err
	}
	fmt.Printf("%d mutants in %d packages are built into %d test programs: %s\n", len(plan.all)-plan.dropped(), len(chosen), len(binaries), since(started))
	stop, err := realservers.Share()
	if err != nil {
		return err
	}
	defer stop()
	tests, err := survey(work, binaries, s)
	if err != nil {
		return err
	}
	fmt.Printf("%d tests are known: %s\n", len(tests), since(started))
	sample := pick(plan, known, only, s)
	tellStories(work, sample, chosen, s, started)
	judge(work, sample, tests, chosen, s, started)
	return report(sample, chosen, s, started)
}

// pick takes a sample of each target. Which mutants are in it depends on their
// names and the seed, so a change elsewhere does not change the sample.
func pick(p *plan, known equivalents, only *regexp.Regexp, s settings) []*mutant {
	var out []*mutant
	taken := map[string]int{}
	byRank := slices.Clone(p.all)
	slices.SortFunc(byRank, func(a, b *mutant) int {
		return cmp.Or(cmp.Compare(rank(s.seed, a.name), rank(s.seed, b.name)), cmp.Compare(a.id, b.id))
	})
	for _, m := range byRank {
		_, equivalent := known[m.name]
		if m.dropped || equivalent || !only.MatchString(m.name) || s.sample > 0 && taken[m.dir] >= s.sample {
			continue
		}
		taken[m.dir]++
		out = append(out, m)
	}
	return out
}

// equivalents maps the name of each mutant that makes no difference to the reason.
type equivalents map[string]string

// readEquivalents reads lines that consist of a name, a tab and a reason.
func readEquivalents(name string) (equivalents, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	out := equivalents{}
	in := bufio.NewScanner(f)
	for in.Scan() {
		line := in.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		mutant, reason, ok := strings.Cut(line, "\t")
		if reason = strings.TrimSpace(reason); !ok || reason == "" {
			return nil, fmt.Errorf("%s: %q has no reason after a tab", name, line)
		}
		out[mutant] = reason
	}
	return out, in.Err()
}

// check reports lines of the list that name no mutant: the code has changed, and
// somebody has to look at it again.
func (e equivalents) check(p *plan, chosen []target) {
	there := map[string]bool{}
	for _, m := range p.all {
		there[m.name] = true
	}
	var stale []string
	for name := range e {
		file, _, _ := strings.Cut(name, " ")
		mine := slices.ContainsFunc(chosen, func(t target) bool { return t.dir == filepath.ToSlash(filepath.Dir(file)) })
		if mine && !there[name] {
			stale = append(stale, name)
		}
	}
	slices.Sort(stale)
	for _, name := range stale {
		fmt.Println("the list of equivalents names a mutant that no longer exists:", name)
	}
}

// report prints the survivors and a line for each target, and fails when too
// many survived.
func report(sample []*mutant, chosen []target, s settings, started time.Time) error {
	slices.SortFunc(sample, func(a, b *mutant) int { return cmp.Compare(a.id, b.id) })
	var low []string
	fmt.Printf("\n%-26s %7s %7s %9s %7s\n", "target", "mutants", "killed", "survived", "not run")
	for _, t := range chosen {
		var killed, survived, open int
		for _, m := range sample {
			if m.dir != t.dir {
				continue
			}
			switch m.verdict {
			case wasKilled:
				killed++
			case survivedAll, notReached:
				survived++
			case notRun:
				open++
			}
		}
		n := killed + survived
		percent := 100
		if n > 0 {
			percent = 100 * killed / n
		}
		fmt.Printf("%-26s %7d %6d%% %9d %7d\n", t.dir, n, percent, survived, open)
		least := s.least
		if s.floors {
			least = t.floor
		}
		if n < 5 && open > 0 { // the time was up: so few say nothing
			continue
		}
		if percent < least {
			low = append(low, fmt.Sprintf("%s (%d %%, not %d)", t.dir, percent, least))
		}
	}
	fmt.Println()
	for _, m := range sample {
		if m.survived() {
			fmt.Println(m)
		}
	}
	fmt.Printf("mutate: %s\n", since(started))
	if len(low) > 0 {
		return fmt.Errorf("too few are killed in %s: write the test that notices, or the reason into %s", strings.Join(low, ", "), s.equivalent)
	}
	return nil
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// test is one test of a test program, with its cost and the switches that it passes.
type test struct {
	binary
	name   string
	took   time.Duration
	passes map[int]bool
	left   string // why it cannot judge anything
}

// start runs one or several tests of a program. busy is the time of the processor that they took.
func start(b binary, pattern string, limit time.Duration, env ...string) (output []byte, ok, late bool, busy time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, b.path, "-test.failfast", "-test.short", "-test.timeout="+limit.String(), "-test.run="+pattern)
	c.Dir = b.dir
	c.WaitDelay = time.Second
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if c.ProcessState != nil {
		busy = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	}
	return out, err == nil, ctx.Err() != nil, busy
}

// parallel calls f for each number below n, a few at a time.
func parallel(n, jobs int, f func(int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// survey runs every test once on its own, without a mutant.
func survey(work string, binaries []binary, s settings) ([]*test, error) {
	var tests []*test
	for _, b := range binaries {
		c := exec.Command(b.path, "-test.list", "^(Test|Fuzz|Example)")
		c.Dir = b.dir
		out, err := c.Output()
		if err != nil {
			return nil, fmt.Errorf("the tests of %s cannot be listed: %w", b.dir, err)
		}
		for name := range strings.FieldsSeq(string(out)) {
			tests = append(tests, &test{binary: b, name: name})
		}
	}
	passed := filepath.Join(work, "passed")
	if err := os.MkdirAll(passed, 0o755); err != nil {
		return nil, err
	}
	parallel(len(tests), s.jobs, func(i int) {
		t := tests[i]
		file := filepath.Join(passed, strconv.Itoa(i))
		from := time.Now()
		// On a busy computer a test that does little may take long.
		out, ok, late, busy := start(t.binary, "^"+t.name+"$", 3*s.slow, "MUTANT_PASSED="+file)
		t.took = time.Since(from)
		switch {
		case late || busy > s.slow:
			t.left = "takes longer than " + s.slow.String()
		case !ok:
			t.left = "fails without a mutant: " + lastLines(out)
		}
		t.passes = map[int]bool{}
		b, _ := os.ReadFile(file)
		for n := range strings.FieldsSeq(string(b)) {
			id, _ := strconv.Atoi(n)
			t.passes[id] = true
		}
	})
	for _, t := range tests {
		if t.left != "" {
			fmt.Printf("%s of %s judges nothing: it %s\n", t.name, t.dir, t.left)
		}
	}
	slices.SortStableFunc(tests, func(a, b *test) int { return cmp.Compare(a.took, b.took) })
	return tests, nil
}

func lastLines(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}

// judge runs the mutants, and names each survivor as soon as it is known.
func judge(work string, sample []*mutant, tests []*test, chosen []target, s settings, started time.Time) {
	may := map[string][]string{}
	for _, t := range chosen {
		may[t.dir] = t.tests
	}
	parallel(len(sample), s.jobs, func(i int) {
		m := sample[i]
		if m.verdict == wasKilled || time.Since(started) > s.budget {
			return
		}
		defer func() {
			if m.survived() {
				fmt.Fprintln(os.Stderr, m)
			}
		}()
		m.verdict = notReached
		for _, batch := range batches(m, tests, may[m.dir]) {
			m.verdict = survivedAll
			var names []string
			var sum time.Duration
			for _, t := range batch {
				names = append(names, regexp.QuoteMeta(t.name))
				sum += t.took
			}
			out, ok, late, _ := start(batch[0].binary, "^("+strings.Join(names, "|")+")$", 4*sum+5*time.Second, "MUTANT="+strconv.Itoa(m.id))
			if !ok || late {
				m.verdict = wasKilled
				if s.keep {
					_ = os.WriteFile(filepath.Join(work, "killed."+strconv.Itoa(m.id)), out, 0o600)
				}
				return
			}
		}
	})
}

// batches are the tests that pass a mutant, in batches of one program each: the quick
// ones first, and the time of each batch is three times that of the one before it. A
// mutant that hangs costs a multiple of its batch.
func batches(m *mutant, tests []*test, may []string) [][]*test {
	var out [][]*test
	for _, dir := range may {
		var batch []*test
		limit, sum := time.Second, time.Duration(0)
		for _, t := range tests {
			if t.dir != dir || t.left != "" || !t.passes[m.id] {
				continue
			}
			if len(batch) > 0 && sum+t.took > limit {
				out = append(out, batch)
				batch, sum, limit = nil, 0, 3*limit
			}
			batch, sum = append(batch, t), sum+t.took
		}
		if len(batch) > 0 {
			out = append(out, batch)
		}
	}
	return out
}

func since(t time.Time) string { return time.Since(t).Round(time.Second).String() }

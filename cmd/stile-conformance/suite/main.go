// Command suite installs the official MCP conformance suite, in the releases
// that testdata/conformance/package-lock.json pins, and runs its authorization
// scenarios against a client.
//
// Each scenario is run alone and judged in three ways: by the exit status of the suite,
// by the exit status of the client (the suite accepts a failing client only if the
// scenario requires a failure), and by the recorded checks. There a warning counts as a
// failure, and so does a run without a single success. The suites are also run as a
// whole, with many clients at once.
//
// If the system allows it, every run gets a network namespace of its own, because the
// suite's servers listen on all interfaces.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// runner is what runs a scenario: the installed suite, and the client.
type runner struct {
	*kit.Kit
	client string
}

func main() {
	if err := realMain(); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	cache, lock, client, only, tally string
	jobs                             int
	plain, verbose                   bool
}

func realMain() error {
	var o options
	flag.StringVar(&o.cache, "cache", ".cache/conformance", "where the suite is installed and results are left")
	flag.StringVar(&o.lock, "lock", "testdata/conformance", "the directory of package.json and package-lock.json")
	flag.StringVar(&o.client, "client", "", "the client to test (default: ./cmd/stile-conformance, built now)")
	flag.StringVar(&o.only, "only", "", "run only the scenarios whose name contains this, and no whole suite")
	flag.StringVar(&o.tally, "append", "", "append the closing line to this file")
	flag.IntVar(&o.jobs, "j", 2, "scenarios at a time")
	flag.BoolVar(&o.plain, "plain", false, "never use a network namespace")
	flag.BoolVar(&o.verbose, "v", false, "print what the client wrote, also where all is well")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if o.cache, err = filepath.Abs(o.cache); err != nil {
		return err
	}
	installed, err := kit.Install(ctx, o.cache, o.lock)
	if err != nil {
		return err
	}
	k := &runner{Kit: installed}
	if k.client, err = (kit.Command{Named: o.client, Package: "./cmd/stile-conformance"}).Path(ctx, o.cache); err != nil {
		return err
	}
	k.Isolate(ctx, o.plain)
	fmt.Printf("node %s, %s\n", k.NodeVersion, k.How)

	results := filepath.Join(o.cache, "results")
	if err := os.RemoveAll(results); err != nil {
		return err
	}
	started := time.Now()
	var all []row
	for _, batch := range batches {
		rows, err := k.runBatch(ctx, batch, results, o)
		if err != nil {
			return err
		}
		all = append(all, rows...)
	}
	return kit.Table{
		Title: "conformance", Only: o.only, Tally: o.tally, Verbose: o.verbose, Took: time.Since(started),
	}.Print(os.Stdout, lines(all, o.verbose))
}

// runBatch lists the scenarios of a batch and runs each of them alone. If the batch is a
// suite, it also runs the suite as a whole.
func (k *runner) runBatch(ctx context.Context, b batch, results string, o options) ([]row, error) {
	results = filepath.Join(results, b.release+strings.ReplaceAll(b.name, " ", ""))
	var names []string
	var whole []row
	if b.suite != "" {
		// The whole suite runs first, because only its summary says which scenarios belong to
		// it.
		r, in := k.runSuite(ctx, b, results)
		names = in
		if o.only == "" {
			whole = append(whole, r)
		}
	} else if names = b.scenarios; names == nil {
		var err error
		if names, err = k.required(ctx, b); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s %s names no scenario", b.release, b.name)
	}

	rows := make([]row, 0, len(names))
	for _, n := range names {
		if strings.Contains(n, o.only) {
			rows = append(rows, row{batch: b, scenario: n})
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(o.jobs, 1))
	for i := range rows {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			rows[i] = k.runScenario(ctx, b, rows[i].scenario, results)
		})
	}
	wg.Wait()
	return append(whole, rows...), ctx.Err()
}

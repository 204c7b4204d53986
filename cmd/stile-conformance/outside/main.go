// Command outside tests the peers that Stile serves (stile serve as, rs and legacy, and
// an MCP server of the go-sdk behind httpdriver/bearer) with clients from others: the
// official conformance suite's authorization server scenarios, the clients of the
// official TypeScript SDK and of the go-sdk, oauth4webapi, mcp-remote and the MCP
// Inspector, each with its own OAuth code. Then it tests Stile's client with
// authorization servers from others: oidc-provider, workers-oauth-provider and dex. The
// user who fills in the pages is the only part of a login that is simulated.
//
// The packages are listed in testdata/conformance and are installed in the cache, as
// for the suite. If the system allows network namespaces, all of it runs in one, so
// that nothing inside can reach anything outside.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

func main() {
	err := realMain()
	if err != nil && !errors.Is(err, errReported) {
		fmt.Fprintln(os.Stderr, "outside:", err)
	}
	if err != nil {
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	cache, lock, stile, dex, only, tally string
	plain, verbose, inside               bool
}

func realMain() error {
	var o options
	flag.StringVar(&o.cache, "cache", ".cache/conformance", "where the suite and the TypeScript SDK are installed")
	flag.StringVar(&o.lock, "lock", "testdata/conformance", "the directory of package.json, package-lock.json and client.mjs")
	flag.StringVar(&o.stile, "stile", "", "the stile command to serve with (default: ./cmd/stile, built now)")
	flag.StringVar(&o.dex, "dex", "", "the dex command to log in at (default: the one that testdata/conformance/dex pins, built now)")
	flag.StringVar(&o.only, "only", "", "run only the lines of the table that contain this")
	flag.StringVar(&o.tally, "append", "", "append the closing line to this file")
	flag.BoolVar(&o.plain, "plain", false, "never use a network namespace")
	flag.BoolVar(&o.verbose, "v", false, "print the requests of the clients, also where all is well")
	flag.BoolVar(&o.inside, "inside", false, "used by this command itself: the namespace is there")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if o.cache, err = filepath.Abs(o.cache); err != nil {
		return err
	}
	k, err := kit.Install(ctx, o.cache, o.lock)
	if err != nil {
		return err
	}
	if o.stile, err = (kit.Command{Named: o.stile, Package: "./cmd/stile"}).Path(ctx, o.cache); err != nil {
		return err
	}
	if o.dex, err = (kit.Command{Named: o.dex, Dir: filepath.Join(o.lock, "dex"), Package: "github.com/dexidp/dex/cmd/dex"}).Path(ctx, o.cache); err != nil {
		return err
	}
	if !o.inside {
		k.Isolate(ctx, o.plain)
		if k.Prefix != nil {
			fmt.Printf("node %s, in a network namespace of its own\n", k.NodeVersion)
			return within(ctx, k, o)
		}
		fmt.Printf("node %s, without a network namespace\n", k.NodeVersion)
	}
	started := time.Now()
	rows, err := run(ctx, k, o)
	if err != nil {
		return err
	}
	return o.table(time.Since(started)).Print(os.Stdout, rows)
}

// within runs this same command again, inside the namespace.
func within(ctx context.Context, k *kit.Kit, o options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	line := append(k.Prefix[:len(k.Prefix):len(k.Prefix)], self, "-inside", "-cache", o.cache, "-lock", o.lock,
		"-stile", o.stile, "-dex", o.dex, "-only", o.only, "-append", o.tally, fmt.Sprintf("-v=%v", o.verbose))
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() == 1 {
		return errReported
	}
	return err
}

// errReported says that the command inside has already reported the failure.
var errReported = errors.New("the command in the namespace failed")

func (o options) table(took time.Duration) kit.Table {
	return kit.Table{Title: "outside", Only: o.only, Tally: o.tally, Verbose: o.verbose, Took: took}
}

func (o options) wanted(world, name string) bool {
	return strings.Contains(world+": "+name, o.only)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/sealed"
)

func newDemo(a *app) *cobra.Command {
	var (
		browser, noBrowser bool
		record             string
	)
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch the whole life of a login, on this machine",
		Long: `Starts an authorization server and a protected MCP server on loopback, in this
process, and lives through everything with them: discovery, registration,
consent, exchange, a tool call, an expiry and refresh, a step-up, a restart from
the store, a revocation. Each act says beforehand how many HTTP requests it will
take; the exit status is not 0 if anything came out differently.

Nothing is kept: the store is in a temporary directory, and time is put forward
by the demo's own clock. With --browser you are the human who is asked.

With --json each line is an object whose "type" is act, step, request, result,
check or summary.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), demoTime(browser || noBrowser))
			defer cancel()
			return a.demo(ctx, browser || noBrowser, noBrowser, record)
		},
	}
	c.Flags().BoolVar(&browser, "browser", false, "give consent yourself, in the browser")
	c.Flags().BoolVar(&noBrowser, "no-browser", false, "like --browser, but only print the address to open")
	c.Flags().StringVar(&record, "trace", "", "record each run of the machine in this directory, which is made if it is missing, without its secrets (or STILE_TRACE)")
	return c
}

func demoTime(human bool) time.Duration {
	if human {
		return 20 * time.Minute
	}
	return time.Minute
}

// errDiffers says that the demo did not go as it announced.
var errDiffers = errors.New("something differed from what the demo announced; the lines marked with ✗ say what")

func (a *app) demo(ctx context.Context, human, noBrowser bool, record string) (err error) {
	t, err := a.tracingDir(record)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	w, err := newWorld(ctx, !human)
	if err != nil {
		return fmt.Errorf("the demo's servers: %w", err)
	}
	defer func() { err = errors.Join(err, w.close()) }()
	dir, err := os.MkdirTemp("", "stile-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// The second process of the restart opens the same files anew, with the
	// same key: as a keyring would give it.
	key := sealed.NewKey()
	reopen := func() (storage.Store, error) {
		files, err := filestore.Open(filepath.Join(dir, "store"))
		if err != nil {
			return nil, err
		}
		return sealed.New(files, key)
	}
	l := &life{world: w, show: newShow(a), trace: t, reopen: reopen, host: httpdriver.UserAgent(followOnce)}
	if human {
		l.host = httpdriver.Browser{NoBrowser: noBrowser, Open: a.browse, Print: l.show.invite}
	}
	l.show.hello(w)
	if err := l.live(ctx); err != nil {
		return err
	}
	if !l.show.bye() {
		return errDiffers
	}
	return nil
}

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
		Short: "Show the whole life of a login on this machine",
		Long: `Starts an authorization server and a protected MCP server on loopback, in this
process, and shows the whole life of a login: discovery, registration, consent,
exchange, a tool call, expiry and refresh, a step-up, a restart from the store
and a revocation. Each act announces how many HTTP requests it takes. If
anything differs from what was announced, the exit status is not 0.

The demo keeps nothing: the store is in a temporary directory. The demo has its own
clock. With --browser you give consent yourself.

With --json each line is an object whose "type" is act, step, request, result,
check or summary.`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), demoTime(browser || noBrowser))
			defer cancel()
			return a.demo(ctx, browser || noBrowser, noBrowser, record)
		},
	}
	c.Flags().BoolVar(&browser, "browser", false, "give consent yourself in the browser")
	c.Flags().BoolVar(&noBrowser, "no-browser", false, "like --browser, but print the address and open no browser")
	c.Flags().StringVar(&record, "trace", "", "record each run of the machine in `DIR`, without secrets (default: STILE_TRACE)")
	return c
}

func demoTime(interactive bool) time.Duration {
	if interactive {
		return 20 * time.Minute
	}
	return time.Minute
}

// errDiffers says that the demo did not run as it announced.
var errDiffers = errors.New("something differed from what the demo announced: see the lines marked with ✗")

func (a *app) demo(ctx context.Context, interactive, noBrowser bool, record string) (err error) {
	t, err := a.tracingDir(record)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	w, err := newWorld(ctx, !interactive)
	if err != nil {
		return fmt.Errorf("the demo's servers: %w", err)
	}
	defer func() { err = errors.Join(err, w.close()) }()
	dir, err := os.MkdirTemp("", "stile-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// After the restart the demo opens the same files again with the same key, as
	// a keyring would give it.
	key := sealed.NewKey()
	reopen := func() (storage.Store, error) {
		files, err := filestore.Open(filepath.Join(dir, "store"))
		if err != nil {
			return nil, err
		}
		return sealed.New(files, key)
	}
	l := &life{world: w, show: newShow(a), trace: t, reopen: reopen, host: httpdriver.UserAgent(followOnce)}
	if interactive {
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

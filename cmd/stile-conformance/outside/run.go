package main

import (
	"context"
	"slices"
	"time"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// patience is the time limit for one line of the table.
const patience = time.Minute

// run fills the table: the suite's scenarios, then every client in every world.
func run(ctx context.Context, k *kit.Kit, o options) ([]kit.Row, error) {
	ts, err := scripted(k, o, "typescript-sdk", "client.mjs")
	if err != nil {
		return nil, err
	}
	web, err := scripted(k, o, "oauth4webapi", "oauth4webapi.mjs")
	if err != nil {
		return nil, err
	}
	rows, err := runSuite(ctx, k, o)
	if err != nil {
		return nil, err
	}
	sdks := []client{ts, {name: "go-sdk", anew: true, do: goSDK}}
	commands := []client{web, mcpRemote(k, o), inspector(k, o, "legacy"), inspector(k, o, "modern")}
	for _, recipe := range recipes {
		clients := sdks
		if recipe.all {
			clients = append(slices.Clone(sdks), commands...)
		}
		rows = append(rows, runWorld(ctx, o, recipe, clients)...)
	}
	rows = append(rows, runForeign(ctx, k, o)...)
	return rows, ctx.Err()
}

// runWorld runs the scenarios of one world, one after the other. Each client has the
// servers to itself, and their state includes what it did before.
func runWorld(ctx context.Context, o options, c recipe, clients []client) []kit.Row {
	w := &world{name: c.name}
	type line struct {
		client
		scenario
	}
	var lines []line
	for _, cl := range clients {
		for _, sc := range c.scenarios {
			if o.wanted(c.name, cl.name+" "+sc.name) && sc.concerns(cl.name) {
				lines = append(lines, line{cl, sc})
			}
		}
	}
	audits := c.audits && o.wanted(c.name, auditName)
	if len(lines) == 0 && !audits {
		return nil
	}
	var rows []kit.Row
	if err := c.make(ctx, o, w); err != nil {
		rows = append(rows, kit.Row{Group: c.name, Name: "(the servers)", Faults: []string{err.Error()}})
	} else {
		for _, l := range lines {
			rows = append(rows, runScenario(ctx, w, l.client, l.scenario))
		}
		if audits {
			rows = append(rows, w.audited(ctx, w.account(), c.explained))
		}
	}
	if err := w.stop(); err != nil {
		rows = append(rows, kit.Row{Group: c.name, Name: "(the end of the servers)", Faults: []string{err.Error()}})
	}
	return rows
}

// runScenario runs one client in a world.
func runScenario(ctx context.Context, w *world, c client, s scenario) kit.Row {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := kit.Row{Group: w.name, Name: c.name + " " + s.name}
	from := 0
	if w.tap != nil {
		from = len(w.tap.since(0))
	}
	out := c.do(ctx, job{
		Server: w.resource, Steps: s.steps, Refresh: !s.noRefresh, Client: w.client, Document: w.document,
		Revoke: w.issuer + "/revoke", browser: browser{denies: s.denies},
	})
	if out.Requests == nil && w.tap != nil {
		// A command does not say what it asks for, but the issuer knows which requests it got.
		out.Requests = w.tap.since(from)
	}
	s.judge(&r, w, c, out)
	return r
}

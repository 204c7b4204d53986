package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

var (
	seen     = regexp.MustCompile(`docs/troubleshooting\.md#([a-z0-9-]+)`)
	anchored = regexp.MustCompile(`<a id="([a-z0-9-]+)"></a>`)
)

// entries are the anchors of the page of troubleshooting.
var entries = sync.OnceValue(func() map[string]bool {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "troubleshooting.md"))
	if err != nil {
		panic(err)
	}
	out := map[string]bool{}
	for _, m := range anchored.FindAllSubmatch(page, -1) {
		out[string(m[1])] = true
	}
	return out
})

// explained looks at what a command of any test printed on standard error: an
// error names its entry of the page of troubleshooting, once, and the page has it.
func explained(t *testing.T, args []string, printed string) {
	t.Helper()
	errors := 0
	for line := range strings.Lines(printed) {
		if strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, `{"error":{"exit"`) {
			errors++
		}
	}
	found := seen.FindAllStringSubmatch(printed, -1)
	relay := len(args) > 0 && args[0] == "bridge" // what it says while it runs has entries too
	if len(found) < errors || len(found) > errors && !relay {
		t.Errorf("stile %s: %d errors name %d entries:\n%s", strings.Join(args, " "), errors, len(found), printed)
	}
	for _, m := range found {
		if !entries()[m[1]] {
			t.Errorf("stile %s: docs/troubleshooting.md has no entry %s:\n%s", strings.Join(args, " "), m[1], printed)
		}
	}
}

// Whatever rule is broken, whatever an issuer answers and whatever the exit
// status is, the page has an entry for it; and no entry for a rule is left out.
func TestEveryErrorHasAnEntry(t *testing.T) {
	codes := []wire.ErrorCode{""}
	for code := range codesExplained {
		codes = append(codes, code)
	}
	used := map[string]bool{}
	for _, r := range append(rules.All(), rules.Rule{}) {
		for exit := range exitStore + 1 {
			for _, code := range codes {
				err := error(&states.Fault{Problem: wire.Problem{Rule: r.ID, OAuth: &wire.OAuthError{Code: code}}})
				at := seen.FindStringSubmatch(see(errorView{Exit: max(exit, exitFailed), Rule: string(r.ID)}, err))
				if at == nil || !entries()[at[1]] {
					t.Fatalf("rule %q, exit status %d, error %q: %v", r.ID, exit, code, at)
				}
				used[at[1]] = true
			}
		}
	}
	for id := range entries() {
		if _, ok := rules.Lookup(rules.ID(id)); ok && !used[id] {
			t.Errorf("no error leads to the entry of rule %s", id)
		}
	}
	if n := len(entries()); n < 30 {
		t.Errorf("%d entries", n)
	}
}

// Every fault of the development servers, seen by a user who logs in and calls a
// tool: whatever the command prints has its entry (explained). One in six is tried here, all
// with make soak.
func TestFaultsAreExplained(t *testing.T) {
	t.Parallel()
	explainFaults(t, 6)
}

func explainFaults(t *testing.T, nth int) {
	for i, f := range peer.Faults() {
		if i%nth != 0 {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			as, rs, err := peer.Side([]string{f.Name})
			if err != nil {
				t.Fatal(err)
			}
			_, server := peers(t, func(c *devas.ASConfig) { c.Faults = as }, func(c *devas.RSConfig) { c.Faults = rs })
			c := newCLI(t)
			if r := c.run("login", server, "--timeout", "2s", "--server-timeout", "2s"); r.code == exitOK {
				c.run("tools", server, "--timeout", "2s", "--server-timeout", "2s")
			}
		})
	}
}

package proving

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
)

// unshown maps the checks of servers that no fault of the peer can show to the reason.
var unshown = map[string]string{
	"net.https":        "a world has no TLS",
	"net.private-dns":  "a world has no names that lead to addresses",
	"net.header-strip": "a proxy does it, and the server behind it is right",
	"ch.host":          "it asks servers on loopback alone, and they would be another world",
	"prm.dpop-flag":    "two servers contradict each other, and a fault is one of one server",
	"asm.legacy":       "it tells that there is no resource metadata, which is the fault prm-404 and found by others",
	"ref.after-days":   "it reads recordings of days",
	"tok.timing":       "it tells that there is no brake, and the peer brakes later than an audit tries",
}

// matrixPage is what the audit finds in each fault, as make docs has written it; a test
// of make soak makes it anew.
const matrixPage = "../../../docs/audit-matrix.md"

var (
	rowOf   = regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|[^|]*\\|[^|]*\\|[^|]*\\|([^|]*)\\|")
	checkOf = regexp.MustCompile("`([a-z]+\\.[a-z0-9-]+)`")
)

// Every check of servers finds a fault of the peer, and names the rule that the fault
// breaks. Each is tried with the first fault that the page says it finds.
func TestEveryCheckFindsAFault(t *testing.T) {
	page, err := os.ReadFile(matrixPage)
	if err != nil {
		t.Fatal(err)
	}
	finds := map[string]string{}
	for _, row := range rowOf.FindAllStringSubmatch(strings.ReplaceAll(string(page), `\|`, ""), -1) {
		for _, check := range checkOf.FindAllStringSubmatch(row[2], -1) {
			if finds[check[1]] == "" {
				finds[check[1]] = row[1]
			}
		}
	}
	all := Checks()
	_, good, err := Run(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		fault, why := finds[c.ID], unshown[c.ID]
		switch {
		case fault == "" && why == "":
			t.Errorf("%s: no fault of the peer breaks %v so that it is found", c.ID, c.Rules)
		case fault != "" && why != "":
			t.Errorf("%s finds %s, although %s", c.ID, fault, why)
		case fault != "" && !names(t, []audit.Check{c}, c.ID, fault, audit.Report{}) && !names(t, all, c.ID, fault, good):
			t.Errorf("%s does not find %s; make docs shows what it finds", c.ID, fault)
		}
	}
	for id := range unshown {
		if !slices.ContainsFunc(all, func(c audit.Check) bool { return c.ID == id }) {
			t.Errorf("there is no check %s of servers", id)
		}
	}
	for id := range servers {
		if unshown[id] == "" {
			t.Errorf("%s has a deviation, and finds a fault as well", id)
		}
	}
}

// names reports whether an audit by these checks finds a fault by one of them, which
// names the rule. good is the report of a world without faults; it is made if it is empty.
func names(t *testing.T, checks []audit.Check, id, fault string, good audit.Report) bool {
	t.Helper()
	f, ok := peer.FaultNamed(fault)
	if !ok {
		t.Fatalf("there is no fault %s", fault)
	}
	var err error
	if good.Verdicts == nil {
		if _, good, err = Run(checks); err != nil {
			t.Fatal(err)
		}
	}
	_, r, err := Run(checks, fault)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(row(checks, f, r, good).Named, id)
}

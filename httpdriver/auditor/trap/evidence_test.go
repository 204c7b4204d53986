//go:build unix

package trap_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor/trap"
	"github.com/stile-oauth/stile/states/wire"
)

var update = flag.Bool("update", false, "write the evidence of clients anew")

var missing = flag.Bool("missing", false, "with -update: write only the evidence that is not there or is judged otherwise now")

// there reports whether evidence is not to be written.
func there(id, which string) bool {
	b, err := os.ReadFile(filepath.Join(kept, id+"."+which+".json"))
	if err != nil || !*missing {
		return false
	}
	all, err := audit.ParseClient(b)
	return err == nil && string(alone(all[0]).Outcome) == which
}

// passing are the varieties of the test's client that a trap needs to pass.
var passing = map[string]string{"cl.document": "document", "cl.assertion": "signed",
	"cl.dpop-proof": "dpop", "cl.dpop-nonce": "dpop", "cl.dpop-storm": "dpop", "cl.dpop-storm-call": "dpop", "cl.dpop-alg": "dpop",
	"cl.device-pace": "device", "cl.device-denied": "device", "cl.device-expired": "device", "cl.device-address": "device", "cl.device-code": "device"}

// kept is where evidence of each trap is, of a client that keeps the rules and of one
// that does not.
const kept = "../../../testdata/audit"

// facts are the traps that never find anything: they tell a fact, or nothing.
var facts = []string{"cl.foreign-token"}

// Every trap has evidence in which a client passes. Where a deviation of the test's client
// is listed for it, there is evidence in which it is found. The files are what an audit keeps, without what
// the judge does not read, and are judged as they are, whatever the client does today.
func TestEvidence(t *testing.T) {
	if *update {
		write(t)
	}
	found := map[string]bool{}
	for _, traps := range deviations {
		for _, id := range traps {
			found[id] = true
		}
	}
	names := map[string]bool{}
	for _, one := range audit.Traps() {
		names[one.ID+".pass.json"] = true
		if v := judgedAgain(t, one.ID, "pass"); v.Outcome != audit.Pass && !slices.Contains(facts, one.ID) {
			t.Errorf("%s: the evidence that passes: %s %s %+v", one.ID, v.Outcome, v.Why, v.Findings)
		}
		if !found[one.ID] {
			continue
		}
		names[one.ID+".fail.json"] = true
		if v := judgedAgain(t, one.ID, "fail"); v.Outcome != audit.Fail || len(v.Findings) == 0 {
			t.Errorf("%s: the evidence that fails: %s %s", one.ID, v.Outcome, v.Why)
		}
	}
	files, err := filepath.Glob(filepath.Join(kept, "cl.*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !names[filepath.Base(f)] {
			t.Errorf("%s belongs to no trap", f)
		}
	}
}

func judgedAgain(t *testing.T, id, which string) audit.Verdict {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(kept, id+"."+which+".json"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := audit.ParseClient(b)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return alone(all[0])
}

// alone judges the evidence of one trap; that of the plain one is not there.
func alone(e audit.Evidence) audit.Verdict {
	e = audit.Evidence{Target: e.Target, Source: e.Source, Exchanges: slices.Clone(e.Exchanges), Trap: e.Trap, Roles: e.Roles, Runs: e.Runs, Seen: e.Seen}
	return audit.JudgeClient([]audit.Evidence{e}).Verdicts[0]
}

// write makes the files: eight clients at a time, since most of them wait.
func write(t *testing.T) {
	var mu sync.Mutex // guards failing
	failing := map[string]audit.Evidence{}
	var jobs []func()
	for breaks, traps := range deviations {
		if traps = slices.DeleteFunc(slices.Clone(traps), func(id string) bool { return there(id, "fail") }); len(traps) == 0 {
			continue
		}
		jobs = append(jobs, func() {
			for _, e := range evidenceOf(t, strings.TrimSpace(breaks), traps) {
				mu.Lock()
				if _, has := failing[e.Trap]; !has && slices.Contains(traps, e.Trap) && alone(e).Outcome == audit.Fail {
					failing[e.Trap] = e
				}
				mu.Unlock()
			}
		})
	}
	for _, one := range audit.Traps() {
		if there(one.ID, "pass") {
			continue
		}
		jobs = append(jobs, func() {
			for _, e := range evidenceOf(t, passing[one.ID], []string{one.ID}) {
				if e.Trap == one.ID {
					keepPart(t, e, "pass")
				}
			}
		})
	}
	var wait sync.WaitGroup
	free := make(chan struct{}, 8)
	for _, job := range jobs {
		free <- struct{}{}
		wait.Go(func() { job(); <-free })
	}
	wait.Wait()
	for _, e := range failing {
		keepPart(t, e, "fail")
	}
}

func evidenceOf(t *testing.T, breaks string, only []string) []audit.Evidence {
	t.Helper()
	self, err := clientProgram()
	if err != nil {
		t.Error(err)
		return nil
	}
	all, err := trap.Run(t.Context(), audit.SelectTraps(only), trap.Options{
		Command: []string{self, "{url}"}, Logout: []string{self, "logout", "{url}"}, Env: []string{"STILE_TRAP_CLIENT=" + breaks}, Timeout: 15 * time.Second,
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

// keepPart writes evidence without what its judge does not read. Of a client that passes, each kind
// of exchange of each start stays.
func keepPart(t *testing.T, e audit.Evidence, which string) {
	t.Helper()
	want := alone(e)
	same := func(less audit.Evidence) bool {
		v := alone(less)
		return v.Outcome == want.Outcome && v.Why == want.Why && slices.EqualFunc(v.Findings, want.Findings, func(a, b audit.Finding) bool { return a.Says == b.Says })
	}
	change := func(i int, cut func(x *audit.Exchange)) {
		less := e
		less.Exchanges = slices.Clone(e.Exchanges)
		cut(&less.Exchanges[i])
		if same(less) {
			e = less
		}
	}
	const most = 200 // a client that follows a redirect without end makes thousands
	if less := e; len(e.Exchanges) > most {
		if less.Exchanges = e.Exchanges[:most]; same(less) {
			e = less
		}
	}
	for i := len(e.Exchanges) - 1; i >= 0; i-- {
		x := e.Exchanges[i]
		first := slices.IndexFunc(e.Exchanges, func(y audit.Exchange) bool { return y.Leg == x.Leg && y.Run == x.Run })
		if which == "pass" && first == i {
			continue
		}
		less := e
		less.Exchanges = slices.Delete(slices.Clone(e.Exchanges), i, i+1)
		if same(less) {
			e = less
		}
	}
	for i := range e.Exchanges {
		change(i, func(x *audit.Exchange) { x.Request.Header = nil })
		change(i, func(x *audit.Exchange) {
			x.Request.Header = only(x.Request.Header, "Authorization", "User-Agent", "Content-Type", "DPoP")
		})
		change(i, func(x *audit.Exchange) { x.Request.Body = nil })
		if e.Exchanges[i].Response == nil {
			continue
		}
		change(i, func(x *audit.Exchange) { x.Response = &wire.Response{Status: x.Response.Status, Body: x.Response.Body} })
		change(i, func(x *audit.Exchange) {
			x.Response = &wire.Response{Status: x.Response.Status, Header: only(x.Response.Header, "Location", "WWW-Authenticate", "Content-Type", "Retry-After"), Body: x.Response.Body}
		})
		change(i, func(x *audit.Exchange) {
			x.Response = &wire.Response{Status: x.Response.Status, Header: x.Response.Header}
		})
	}
	silent := e
	silent.Runs = slices.Clone(e.Runs)
	for i := range silent.Runs {
		silent.Runs[i].Output = ""
	}
	if same(silent) {
		e = silent
	}
	b, err := audit.MarshalClient([]audit.Evidence{e})
	if err == nil {
		err = os.WriteFile(filepath.Join(kept, e.Trap+"."+which+".json"), b, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}

func only(fs wire.Fields, names ...string) (out wire.Fields) {
	for _, f := range fs {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, f.Name) }) {
			out = append(out, f)
		}
	}
	return out
}

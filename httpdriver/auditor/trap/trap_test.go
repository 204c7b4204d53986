//go:build unix

package trap_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor/trap"
)

func TestMain(m *testing.M) {
	if breaks, ok := os.LookupEnv("STILE_TRAP_CLIENT"); ok {
		os.Exit(runClient(breaks, os.Args[len(os.Args)-1]))
	}
	code := m.Run()
	removeClient()
	os.Exit(code)
}

// auditClient runs the test's client, with what it breaks, in the traps.
func auditClient(t *testing.T, breaks string, only []string) audit.Report {
	t.Helper()
	self, err := clientProgram()
	if err != nil {
		t.Fatal(err)
	}
	all, err := trap.Run(t.Context(), audit.SelectTraps(only), trap.Options{
		Command: []string{self, "{url}"}, Logout: []string{self, "logout", "{url}"}, Env: []string{"STILE_TRAP_CLIENT=" + breaks}, Timeout: 15 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return audit.JudgeClient(all)
}

// A client that keeps the rules gives no finding in any trap, and all of them
// can be judged.
func TestWellBehavedClient(t *testing.T) {
	const lanes = 4
	for lane := range lanes {
		var only []string
		for i, trap := range audit.Traps() {
			if i%lanes == lane {
				only = append(only, trap.ID)
			}
		}
		t.Run(only[0], func(t *testing.T) {
			t.Parallel()
			r := auditClient(t, "", only)
			for _, f := range r.Findings() {
				t.Errorf("%s: %s (expected %q, found %q, %s)", f.Check, f.Says, f.Want, f.Got, f.Shown)
			}
			for _, v := range r.Verdicts {
				if v.Outcome == audit.CouldNotRun {
					t.Errorf("%s could not be run: %s", v.Check, v.Why)
				}
			}
		})
	}
}

// A client may ask for any method, or for none in particular, and use the one of
// the registration.
func TestAskedMethods(t *testing.T) {
	for _, asks := range []string{"client_secret_basic", "client_secret_post", "no-method"} {
		t.Run(asks, func(t *testing.T) {
			t.Parallel()
			for _, f := range auditClient(t, asks, []string{"cl.basic-encoding", "cl.secret-post", "cl.secret-expired"}).Findings() {
				t.Errorf("%s: %s (expected %q, found %q, %s)", f.Check, f.Says, f.Want, f.Got, f.Shown)
			}
		})
	}
}

// A client may look at the authorization address before its user does.
func TestLookingFirst(t *testing.T) {
	t.Parallel()
	for _, f := range auditClient(t, "looks", []string{"cl.pkce", "cl.state", "cl.denied", "cl.loop-fresh"}).Findings() {
		t.Errorf("%s: %s (expected %q, found %q, %s)", f.Check, f.Says, f.Want, f.Got, f.Shown)
	}
}

// A client that waits for the lease of the one that was killed is not accused.
func TestWaitingForALease(t *testing.T) {
	t.Parallel()
	r := auditClient(t, "patient", []string{"cl.refresh-crash"})
	if len(r.Findings()) > 0 || !strings.Contains(outcome(r, "cl.refresh-crash"), string(audit.CouldNotRun)) {
		t.Errorf("%+v", r.Verdicts)
	}
}

// Each deviation is named by a trap of its own. Every sixth one is tried here, all are
// with make soak (TestEveryDeviation).
func TestDeviations(t *testing.T) { deviate(t, 6) }

// deviate tries every nth deviation.
func deviate(t *testing.T, nth int) {
	for i, breaks := range slices.Sorted(maps.Keys(deviations)) {
		if i%nth != 0 {
			continue
		}
		t.Run(breaks, func(t *testing.T) {
			t.Parallel()
			want := deviations[breaks]
			r := auditClient(t, strings.TrimSpace(breaks), want)
			for _, id := range want {
				if !slices.ContainsFunc(r.Findings(), func(f audit.Finding) bool { return f.Check == id }) {
					t.Errorf("%s is not found: %s", id, outcome(r, id))
				}
			}
		})
	}
}

func outcome(r audit.Report, id string) string {
	for _, v := range r.Verdicts {
		if v.Check == id {
			return string(v.Outcome) + " " + v.Why
		}
	}
	return "no verdict"
}

// A command that does nothing, cannot be started or never ends is told, and
// nothing is said about the rest.
func TestNoClient(t *testing.T) {
	for name, command := range map[string][]string{
		"ends at once": {"true"}, "is not there": {"stile-no-such-command"}, "never ends": {"sh", "-c", "exec sleep 600"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			all, err := trap.Run(t.Context(), audit.SelectTraps([]string{"cl.pkce"}), trap.Options{Command: append(command, "{url}")[:len(command)], Timeout: 500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			r := audit.JudgeClient(all)
			if len(r.Findings()) > 0 || len(r.Notes) == 0 || !strings.Contains(outcome(r, "cl.pkce"), string(audit.CouldNotRun)) {
				t.Errorf("%+v", r)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

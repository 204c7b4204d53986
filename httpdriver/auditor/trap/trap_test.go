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
	os.Exit(m.Run())
}

// auditClient runs the test's client, with what it breaks, in the traps.
func auditClient(t *testing.T, breaks string, only []string) audit.Report {
	t.Helper()
	self, err := os.Executable()
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

// deviations are what a client may do wrong, with the traps that name it.
var deviations = map[string][]string{
	"no-pkce-check":       {"cl.no-pkce-meta", "cl.plain-pkce"},
	"short-state":         {"cl.state"},
	"no-resource":         {"cl.resource-sent"},
	"no-issuer-check":     {"cl.issuer-doc", "cl.issuer-case", "cl.issuer-missing"},
	"no-resource-check":   {"cl.prm-origin", "cl.prm-path"},
	"no-url-check":        {"cl.bad-scheme-js", "cl.bad-scheme-file"},
	"lax-json":            {"cl.fold-json", "cl.token-dup", "cl.token-fold", "cl.token-trailing"},
	"no-state-check":      {"cl.state-wrong", "cl.state-missing", "cl.code-csrf"},
	"no-iss-check":        {"cl.iss-wrong", "cl.iss-missing", "cl.iss-slash"},
	"no-repeat-check":     {"cl.code-twice", "cl.state-twice"},
	"no-error-check":      {"cl.code-and-error"},
	"no-redirect-check":   {"cl.reg-other-redirect"},
	"follow":              {"cl.post-307", "cl.prm-redirect", "cl.asm-redirect"},
	"no-token-check":      {"cl.token-type"},
	"loop":                {"cl.loop-fresh", "cl.loop-step"},
	"ask-again":           {"cl.denied"},
	"raw-page":            {"cl.page"},
	"query-token":         {"cl.token-leak"},
	"print":               {"cl.logs"},
	"register-always":     {"cl.reg-count"},
	"no-refresh":          {"cl.refresh-happens"},
	"no-refresh-resource": {"cl.refresh-happens"},
	"forget-refresh":      {"cl.refresh-omitted"},
	"drop-on-failure":     {"cl.refresh-5xx", "cl.refresh-503", "cl.refresh-429"},
	"dead-again":          {"cl.refresh-dead"},
	"no-lock":             {"cl.refresh-race"},
	"refresh-anywhere":    {"cl.creds-keyed"},
	"guess-issuer":        {"cl.prm-no-issuer", "cl.asm-none", "cl.asm-down"},

	"no-pkce":                 {"cl.pkce"},
	"plain-pkce":              {"cl.pkce"},
	"no-verifier":             {"cl.pkce"},
	"lost-verifier":           {"cl.pkce"},
	"same-verifier":           {"cl.pkce"},
	"no-state":                {"cl.state"},
	"same-state":              {"cl.state"},
	"client-state":            {"cl.state"},
	"no-authorize-resource":   {"cl.resource-sent"},
	"no-exchange-resource":    {"cl.resource-sent"},
	"origin-resource":         {"cl.resource-sent"},
	"implicit":                {"cl.response-type"},
	"fragment":                {"cl.response-type"},
	"all-scopes":              {"cl.scope-choice"},
	"no-scope":                {"cl.scope-choice"},
	"offline":                 {"cl.offline"},
	"other-redirect":          {"cl.redirect-registered"},
	"other-exchange-redirect": {"cl.redirect-uri"},
	"secret-in-address":       {"cl.token-leak"},
	"token-query":             {"cl.token-form"},
	"token-get":               {"cl.token-form"},
	"token-json":              {"cl.token-form"},
	"twice":                   {"cl.token-form"},
	"session-bare":            {"cl.each-request"},
	"cookies":                 {"cl.cookies"},
	"metadata-token":          {"cl.metadata-clean"},
	"web-client":              {"cl.reg"},
	"no-method":               {"cl.reg"},
	"login-anyway":            {"cl.reg-refused"},
	"any-error":               {"cl.error-csrf"},
	"any-host":                {"cl.listener"},
	"any-path":                {"cl.listener"},
	"listen-all":              {"cl.listener"},
	"open-store":              {"cl.store"},
	"plain-store":             {"cl.store"},
	"code-again":              {"cl.code-once"},
	"step-alone":              {"cl.step-union"},
	"raw-basic":               {"cl.basic-encoding"},
	"always-post":             {"cl.basic-encoding"},
	"always-basic":            {"cl.secret-post"},
	"two-methods":             {"cl.basic-encoding", "cl.secret-post"},
	"one-token":               {"cl.cross-server"},
	"refresh-anonymous":       {"cl.refresh-params"},
	"refresh-wider":           {"cl.refresh-params"},
	"keep-old":                {"cl.refresh-rotate"},
	"storm":                   {"cl.refresh-storm"},

	"iss-fold":            {"cl.iss-case"},
	"no-iss-check ":       {"cl.iss-unpromised", "cl.mixup", "cl.iss-case"},
	"no-code-check":       {"cl.code-missing", "cl.code-empty"},
	"lax-json ":           {"cl.prm-fold", "cl.prm-trailing", "cl.reg-dup"},
	"guess-issuer ":       {"cl.prm-empty"},
	"register-hard":       {"cl.reg-storm"},
	"spread":              {"cl.reg-fields", "cl.token-fields"},
	"last-answer":         {"cl.answer-again"},
	"raw-terminal":        {"cl.terminal", "cl.name-escapes"},
	"page-external":       {"cl.page-content"},
	"follow ":             {"cl.mcp-307", "cl.token-302"},
	"follow-forever":      {"cl.asm-loop"},
	"unbounded":           {"cl.endless"},
	"login-on-error":      {"cl.mcp-404", "cl.mcp-500"},
	"login-until":         {"cl.code-refused"},
	"code-again ":         {"cl.code-lost"},
	"expiry-loop":         {"cl.expires-zero", "cl.expires-negative", "cl.expires-huge"},
	"no-refresh ":         {"cl.refresh-in-run"},
	"lost-login":          {"cl.refresh-lost"},
	"impatient":           {"cl.refresh-503", "cl.refresh-429"},
	"drop-echo":           {"cl.refresh-echo"},
	"no-lock ":            {"cl.reg-parallel"},
	"token-by-origin":     {"cl.cross-path"},
	"old-secret":          {"cl.secret-expired"},
	"logout-silent":       {"cl.logout"},
	"logout-access-first": {"cl.logout"},
	"logout-access-only":  {"cl.logout"},
}

// Each deviation is named by a trap of its own. Every third one is tried here, all are
// with make soak (TestEveryDeviation).
func TestDeviations(t *testing.T) { deviate(t, 3) }

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

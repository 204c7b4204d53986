package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// TestMain lets this test binary stand in for Node: called with the path of the
// suite's script, it behaves like the suite.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && filepath.Base(os.Args[1]) == "index.js" {
		os.Exit(actSuite(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// acts are the scenarios of the stand-in: the checks that it leaves, what it says about
// the client, and its exit status.
var acts = map[string]struct {
	statuses []string
	says     string
	exit     int
}{
	"auth/well":        {statuses: []string{"SUCCESS", "INFO", "SUCCESS"}},
	"auth/refused":     {statuses: []string{"SUCCESS"}, says: "\nClient exited with code 3\n"},
	"auth/failure":     {statuses: []string{"SUCCESS", "FAILURE"}, exit: 1},
	"auth/warned":      {statuses: []string{"SUCCESS", "WARNING"}},
	"auth/unheard-of":  {statuses: []string{"SUCCESS", "PONDERED"}},
	"auth/idle":        {statuses: []string{"INFO"}},
	"auth/client-died": {statuses: []string{"SUCCESS"}, says: "\nClient exited with code 2\n", exit: 1},
	"auth/never-ran":   {},
}

func actSuite(args []string) int {
	if args[0] == "list" {
		fmt.Print("Client scenarios (test against a client):\n  - tools_call\n  - auth/well\n  - auth/refused\n\n" +
			"Run and reported, but never scored:\n  extension (1):\n    - auth/dpop [client]\n")
		return 0
	}
	value := func(flag string) string {
		if i := slices.Index(args, flag); i >= 0 {
			return args[i+1]
		}
		return ""
	}
	if value("--suite") != "" {
		fmt.Print("✓ auth/well: 2 passed, 0 failed\n✗ auth/warned: 1 passed, 0 failed, 1 warnings\n\nTotal: 3 passed, 0 failed, 1 warnings\n")
		return 1
	}
	act := acts[value("--scenario")]
	if act.statuses != nil {
		dir := filepath.Join(value("--output-dir"), "auth", "x-2026")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			panic(err)
		}
		var checks []map[string]string
		for i, s := range act.statuses {
			checks = append(checks, map[string]string{"id": fmt.Sprintf("check-%d", i), "status": s, "description": "what was seen"})
		}
		b, err := json.Marshal(checks)
		if err != nil {
			panic(err)
		}
		for name, content := range map[string]string{"checks.json": string(b), "stderr.txt": "first\n\x1b[31mlast \x07words\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				panic(err)
			}
		}
	}
	fmt.Fprint(os.Stderr, act.says)
	return act.exit
}

func standIn(t *testing.T) *runner {
	t.Helper()
	return &runner{Kit: &kit.Kit{Modules: t.TempDir(), Node: os.Args[0]}, client: filepath.Join(t.TempDir(), "client")}
}

func TestScenarioIsJudgedByChecksAndExitStatus(t *testing.T) {
	k := standIn(t)
	for _, tc := range []struct {
		scenario string
		faults   []string // each a part of one fault, in order
		client   int
	}{
		{scenario: "auth/well"},
		{scenario: "auth/refused", client: 3},
		{scenario: "auth/failure", faults: []string{"ended with status 1", "FAILURE check-1: what was seen"}},
		{scenario: "auth/warned", faults: []string{"WARNING check-1"}},
		{scenario: "auth/unheard-of", faults: []string{"PONDERED check-1"}},
		{scenario: "auth/idle", faults: []string{"no check succeeded"}},
		{scenario: "auth/client-died", faults: []string{"ended with status 1"}, client: 2},
		{scenario: "auth/never-ran", faults: []string{"left no checks.json"}},
	} {
		t.Run(tc.scenario, func(t *testing.T) {
			t.Parallel()
			r := k.runScenario(t.Context(), batch{}, tc.scenario, t.TempDir())
			if len(r.faults) != len(tc.faults) {
				t.Fatalf("faults %q, want %q", r.faults, tc.faults)
			}
			for i, part := range tc.faults {
				if !strings.Contains(r.faults[i], part) {
					t.Errorf("fault %d is %q, want %q in it", i, r.faults[i], part)
				}
			}
			if r.client != tc.client {
				t.Errorf("exit status of the client %d, want %d", r.client, tc.client)
			}
		})
	}
}

func TestRequiredTakesAuthorizationScenariosOnly(t *testing.T) {
	names, err := standIn(t).required(t.Context(), batch{revision: "2026-07-28"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"auth/well", "auth/refused"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestWholeSuiteGivesItsScenariosAndItsStatus(t *testing.T) {
	r, names := standIn(t).runSuite(t.Context(), batch{suite: "auth"}, t.TempDir())
	if want := []string{"auth/well", "auth/warned"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if len(r.faults) == 0 || r.exit != 1 || r.whole != "Total: 3 passed, 0 failed, 1 warnings" {
		t.Errorf("got %+v", r)
	}
}

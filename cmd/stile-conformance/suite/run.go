package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// batch is one release of the suite and a choice of its scenarios: a suite by
// name, or the authorization scenarios that a revision of MCP requires.
type batch struct {
	release  string // for people
	module   string // below node_modules
	name     string
	suite    string
	revision string
	// scenarios are named here if the suite has no list of them.
	scenarios []string
}

var batches = []batch{
	{release: "0.1.16", module: "conformance-latest", name: "--suite auth", suite: "auth"},
	{release: "0.2.0-alpha.12", module: "conformance-next", name: "--requirements 2025-11-25", revision: "2025-11-25"},
	{release: "0.2.0-alpha.12", module: "conformance-next", name: "--requirements 2026-07-28", revision: "2026-07-28"},
	{release: "0.2.0-alpha.12", module: "conformance-next", name: "--suite backcompat", suite: "backcompat"},
	{release: "0.1.16", module: "conformance-latest", name: "extensions", scenarios: append(slices.Clip(extensions), "auth/cross-app-access-complete-flow")},
	{release: "0.2.0-alpha.12", module: "conformance-next", name: "extensions, 2025-11-25", revision: "2025-11-25", scenarios: newExtensions},
	{release: "0.2.0-alpha.12", module: "conformance-next", name: "extensions, 2026-07-28", revision: "2026-07-28", scenarios: newExtensions},
}

// extensions are the scenarios of the extensions that this client supports. The suite
// runs these only when they are named, and does not score them.
var (
	extensions    = []string{"auth/client-credentials-jwt", "auth/client-credentials-basic"}
	newExtensions = append(slices.Clip(extensions), "auth/wif-jwt-bearer", "auth/dpop", "auth/dpop-nonce", "auth/enterprise-managed-authorization")
)

// The time limits of a scenario: the suite's own limit for the client, and our limit
// for the suite, in case it hangs.
const (
	clientTime = 30 * time.Second
	suiteTime  = 3 * time.Minute
)

// row is one line of the table.
type row struct {
	batch     batch
	scenario  string
	exit      int    // of the suite
	client    int    // exit status of the client; -1 unknown
	checks    int    // that said SUCCESS
	whole     string // for a whole suite: what its summary says
	faults    []string
	recorded  bool   // the suite left its checks
	lastWords string // last line of the client's stderr
	output    string // of the suite
}

// command makes the suite's command line. The environment is small, so that nothing
// from the caller influences a scenario.
func (k *runner) command(ctx context.Context, b batch, args ...string) *exec.Cmd {
	line := append(slices.Clone(k.Prefix), k.Node, filepath.Join(k.Modules, b.module, "dist", "index.js"))
	line = append(line, args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.WaitDelay = 5 * time.Second
	path := filepath.Dir(k.client) + string(os.PathListSeparator) + os.Getenv("PATH")
	cmd.Env = []string{"PATH=" + path, "HOME=" + os.Getenv("HOME"), "NO_COLOR=1", "LANG=C.UTF-8"}
	return cmd
}

// clientCommand is run by a shell, with the server's URL appended. Because of exec, the
// suite's own time limit reaches the client.
func (k *runner) clientCommand() string { return "exec " + filepath.Base(k.client) }

var listed = regexp.MustCompile(`(?m)^  - (auth/\S+)$`)

// required asks the suite which authorization scenarios a revision requires. Those of
// extensions are listed separately, with a leg after the name, and do not match.
func (k *runner) required(ctx context.Context, b batch) ([]string, error) {
	out, err := k.command(ctx, b, "list", "--client", "--requirements", b.revision).Output()
	if err != nil {
		return nil, fmt.Errorf("%s list: %w", b.release, err)
	}
	var names []string
	for _, m := range listed.FindAllStringSubmatch(string(out), -1) {
		names = append(names, m[1])
	}
	return names, nil
}

var (
	summary = regexp.MustCompile(`(?m)^[✓✗] (\S+): \d+ passed, \d+ failed`)
	total   = regexp.MustCompile(`(?m)^Total: .*$`)
)

// runSuite runs all scenarios of a suite at once and returns their names.
func (k *runner) runSuite(ctx context.Context, b batch, results string) (row, []string) {
	r := row{batch: b, scenario: "(the whole suite at once)", client: -1}
	out := k.run(ctx, &r, "client", "--command", k.clientCommand(), "--suite", b.suite,
		"--timeout", strconv.Itoa(int(clientTime.Milliseconds())), "--output-dir", filepath.Join(results, "whole"))
	var names []string
	for _, m := range summary.FindAllStringSubmatch(out, -1) {
		names = append(names, m[1])
	}
	r.whole = total.FindString(out)
	return r, names
}

// runScenario runs one scenario and judges it.
func (k *runner) runScenario(ctx context.Context, b batch, name, results string) row {
	r := row{batch: b, scenario: name, client: -1}
	dir := filepath.Join(results, strings.ReplaceAll(name, "/", "-"))
	args := []string{"client", "--command", k.clientCommand(), "--scenario", name,
		"--timeout", strconv.Itoa(int(clientTime.Milliseconds())), "--output-dir", dir}
	if b.revision != "" {
		// This is what --requirements does for each scenario in its list.
		args = append(args, "--spec-version", b.revision, "--force")
	}
	out := k.run(ctx, &r, args...)
	r.client = clientExit(out)
	r.judge(dir)
	return r
}

// run starts the suite and notes its exit status.
func (k *runner) run(ctx context.Context, r *row, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, suiteTime)
	defer cancel()
	cmd := k.command(ctx, r.batch, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var status *exec.ExitError
	switch {
	case ctx.Err() != nil:
		r.fault("the suite did not end within %s", suiteTime)
	case errors.As(err, &status):
		r.exit = status.ExitCode()
		r.fault("the suite ended with status %d", r.exit)
	case err != nil:
		r.fault("the suite could not be run: %v", err)
	}
	r.output = out.String()
	return r.output
}

func (r *row) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

var exited = regexp.MustCompile(`(?m)^Client exited with code (-?\d+)$`)

// clientExit reads the client's exit status from the suite's output. The suite says
// nothing about a client that succeeded.
func clientExit(out string) int {
	if m := exited.FindStringSubmatch(out); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return -1
		}
		return n
	}
	return 0
}

// judge reads what the suite left in dir about a scenario.
func (r *row) judge(dir string) {
	j := kit.Judge(dir)
	r.checks, r.recorded, r.faults = j.Succeeded, j.File != "", append(r.faults, j.Faults...)
	if words, err := os.ReadFile(filepath.Join(filepath.Dir(j.File), "stderr.txt")); r.recorded && err == nil {
		lines := strings.Split(strings.TrimSpace(string(words)), "\n")
		r.lastWords = lines[len(lines)-1]
	}
}

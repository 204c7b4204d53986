package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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

// module is the release of the suite that tests authorization servers.
const module = "conformance-next"

// suited is a server that the suite tests.
type suited struct {
	name string
	args []string
	path string // of the issuer
	// spec limits the checks to those of a revision and earlier ones; empty means all.
	spec string
}

var suitable = []suited{
	{name: "stile serve as", args: []string{"as"}},
	{name: "stile serve as --jwt", args: []string{"as", "--jwt"}},
	{name: "stile serve as --tenant blue", args: []string{"as", "--tenant", "blue"}, path: "/blue"},
	// That revision has no client ID metadata documents, and neither has this server.
	{name: "stile serve legacy", args: []string{"legacy"}, spec: "2025-03-26"},
}

// runSuite runs the suite against each of the servers.
func runSuite(ctx context.Context, k *kit.Kit, o options) ([]kit.Row, error) {
	names, err := scenarioNames(ctx, k)
	if err != nil {
		return nil, err
	}
	results := filepath.Join(o.cache, "results-as")
	if err := os.RemoveAll(results); err != nil {
		return nil, err
	}
	var rows []kit.Row
	for i, s := range suitable {
		world := "official suite 0.2.0-alpha.12, authorization: " + s.name
		var mine []kit.Row
		for _, name := range names {
			if o.wanted(world, name) {
				mine = append(mine, kit.Row{Group: world, Name: name})
			}
		}
		if len(mine) == 0 {
			continue
		}
		// A later scenario uses what an earlier one found, so they run together.
		dir := filepath.Join(results, strconv.Itoa(i))
		said, err := s.run(ctx, k, o, dir)
		for j := range mine {
			r := &mine[j]
			found := kit.Judgement{Faults: []string{"the suite left nothing of it"}}
			if dirs, e := filepath.Glob(filepath.Join(dir, "*"+r.Name+"*")); e == nil && len(dirs) == 1 {
				found = kit.Judge(dirs[0])
			}
			r.Faults = append(r.Faults, found.Faults...)
			r.Said = fmt.Sprintf("%d checks", found.Succeeded)
			r.Output = said
		}
		blame(mine, err)
		rows = append(rows, mine...)
	}
	return rows, nil
}

// blame adds what went wrong with a run to the scenarios that failed in it, or to all
// of them if none failed.
func blame(rows []kit.Row, err error) {
	if err == nil {
		return
	}
	failed := slices.ContainsFunc(rows, func(r kit.Row) bool { return len(r.Faults) > 0 })
	for i := range rows {
		if !failed || len(rows[i].Faults) > 0 {
			rows[i].Fault("%v", err)
		}
	}
}

var listed = regexp.MustCompile(`(?m)^  - (\S+)`)

// scenarioNames asks the suite which scenarios it has for authorization servers.
func scenarioNames(ctx context.Context, k *kit.Kit) ([]string, error) {
	out, err := suite(ctx, k, "list", "--authorization").Output()
	if err != nil {
		return nil, fmt.Errorf("listing the scenarios: %w", err)
	}
	var names []string
	for _, m := range listed.FindAllStringSubmatch(string(out), -1) {
		names = append(names, m[1])
	}
	if len(names) == 0 {
		return nil, errors.New("the suite lists no scenario for authorization servers")
	}
	return names, nil
}

func suite(ctx context.Context, k *kit.Kit, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, k.Node, append([]string{filepath.Join(k.Modules, module, "dist", "index.js")}, args...)...)
	cmd.Env = bare()
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run starts the server with a client that it knows, and the suite, which waits
// for a login at the address that it prints.
func (s suited) run(ctx context.Context, k *kit.Kit, o options, dir string) (lines []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	back := fmt.Sprintf("http://127.0.0.1:%d/callback", port)
	srv, err := serve(ctx, o.stile, nil, append(s.args, "--client", preregistered+"="+back)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	args := []string{
		"authorization", "--url", srv.Issuer + s.path, "--client-id", preregistered, "--port", strconv.Itoa(port),
		"--output-dir", dir,
	}
	if s.spec != "" {
		args = append(args, "--spec-version", s.spec)
	} else {
		args = append(args, "--resource", "http://127.0.0.1:8001/mcp")
	}
	cmd := suite(ctx, k, args...)
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { e := cmd.Wait(); _ = w.Close(); ended <- e }()
	var fault error
	lines, err = watch(out, func(address string) {
		if fault = (browser{}).browse(ctx, address); fault != nil {
			cancel() // otherwise the suite would wait for minutes
		}
	})
	_ = out.Close()
	if e := <-ended; e != nil && fault == nil {
		fault = fmt.Errorf("the suite: %w", e)
	}
	return lines, errors.Join(fault, err)
}

// watch records what the suite prints. The suite prints the address for the login before
// the server to which the browser is sent back listens, so watch waits for both.
func watch(out io.Reader, visit func(address string)) (lines []string, err error) {
	scan := bufio.NewScanner(out)
	scan.Buffer(nil, 1<<20)
	var address string
	listens := false
	for scan.Scan() {
		line := strings.TrimSpace(scan.Text())
		lines = append(lines, line)
		if strings.HasPrefix(line, "http://127.0.0.1:") && strings.Contains(line, "code_challenge=") {
			address = line
		}
		listens = listens || strings.HasPrefix(line, "Callback server started")
		if listens && address != "" {
			visit(address)
			address, listens = "", false
		}
	}
	return lines, scan.Err()
}

// freePort is a port that is free now: the suite has to be told one.
func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return ln.Addr().(*net.TCPAddr).Port, ln.Close()
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// visits reads what a command writes, and opens the browser once at each
// authorization request in it.
type visits struct {
	ctx     context.Context
	browser browser
	mu      sync.Mutex
	text    bytes.Buffer
	seen    map[string]bool
	failed  error
	open    sync.WaitGroup
	// refused, if set, is called with the line in which the command says that the login
	// failed: mcp-remote says so and keeps waiting.
	refused func(error)
}

var (
	authorization = regexp.MustCompile(`https?://\S*[?&]code_challenge=\S*`)
	failure       = regexp.MustCompile(`Authorization failed: .*`)
)

func (v *visits) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.text.Write(p)
	// The last line may be incomplete.
	whole := v.text.Bytes()[:bytes.LastIndexByte(v.text.Bytes(), '\n')+1]
	if line := failure.Find(whole); line != nil && v.refused != nil {
		v.refused(errors.New(string(line)))
	}
	for _, address := range authorization.FindAllString(string(whole), -1) {
		if v.seen[address] {
			continue
		}
		if v.seen == nil {
			v.seen = map[string]bool{}
		}
		v.seen[address] = true
		v.open.Go(func() {
			if err := v.browser.browse(v.ctx, address); err != nil {
				v.mu.Lock()
				defer v.mu.Unlock()
				v.failed = errors.Join(v.failed, err)
			}
		})
	}
	return len(p), nil
}

// end waits for the browsers and returns what was written.
func (v *visits) end() ([]string, error) {
	v.open.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Split(strings.TrimSpace(v.text.String()), "\n"), v.failed
}

// alone is the environment of a command that keeps its state in its own folder and
// starts no browser.
func alone(home string, more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "NO_COLOR=1", "BROWSER=true"}, more...)
}

// inspector is the MCP Inspector's command line, run once for each step. What it
// learned in one run it must know in the next.
func inspector(k *kit.Kit, o options, era string) client {
	main := filepath.Join(k.Modules, "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
	return client{name: "inspector " + era, do: func(ctx context.Context, j job) (out outcome) {
		home, err := os.MkdirTemp(o.cache, "inspector-")
		if err != nil {
			return outcome{Err: err.Error()}
		}
		defer func() { _ = os.RemoveAll(home) }()
		run := func(into any, args ...string) error {
			v := &visits{ctx: ctx, browser: j.browser}
			cmd := exec.CommandContext(ctx, k.Node, append([]string{
				main, "--cli", j.Server, "--transport", "http", "--format", "json", "--protocol-era", era,
				"--callback-url", "http://127.0.0.1:0/oauth/callback",
			}, args...)...)
			cmd.Env = alone(home, "MCP_AUTO_OPEN_ENABLED=true", "MCP_INSPECTOR_SECRET_STORE=file")
			cmd.Stderr = v
			cmd.WaitDelay = 5 * time.Second
			answer, err := cmd.Output()
			noise, failed := v.end()
			out.Noise = append(out.Noise, noise...)
			if err != nil {
				return errors.Join(fmt.Errorf("%w: %s", err, noise[len(noise)-1]), failed)
			}
			return errors.Join(failed, json.Unmarshal(answer, into))
		}
		var tools struct {
			Result struct{ Tools []struct{ Name string } }
		}
		if err := run(&tools, "--method", "tools/list"); err != nil {
			out.Err = err.Error()
			return out
		}
		for _, t := range tools.Result.Tools {
			out.Tools = append(out.Tools, t.Name)
		}
		for _, name := range j.Steps {
			var called struct {
				Result struct {
					IsError           bool
					StructuredContent json.RawMessage
				}
			}
			err := run(&called, "--method", "tools/call", "--tool-name", name)
			if err == nil && called.Result.IsError {
				err = fmt.Errorf("%s failed", name)
			}
			if err != nil {
				out.Err = err.Error()
				return out
			}
			out.Steps = append(out.Steps, step{name, called.Result.StructuredContent})
		}
		return out
	}}
}

// mcpRemote is mcp-remote, the bridge that MCP hosts start for servers that need a
// login. The host here is the go-sdk's client.
func mcpRemote(k *kit.Kit, o options) client {
	main := filepath.Join(k.Modules, "mcp-remote", "dist", "proxy.js")
	return client{name: "mcp-remote", do: func(ctx context.Context, j job) (out outcome) {
		home, err := os.MkdirTemp(o.cache, "mcp-remote-")
		if err != nil {
			return outcome{Err: err.Error()}
		}
		defer func() { _ = os.RemoveAll(home) }()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		v := &visits{ctx: ctx, browser: j.browser, refused: cancel}
		cmd := exec.CommandContext(ctx, k.Node, main, j.Server, "--transport", "http-only")
		cmd.Env = alone(home, "MCP_REMOTE_CONFIG_DIR="+home)
		cmd.Stderr = v
		// Once the host has closed the connection, the bridge has ended.
		defer func() {
			noise, err := v.end()
			out.Noise = noise
			if err != nil && out.Err == "" {
				out.Err = err.Error()
			}
		}()
		session, err := mcp.NewClient(&mcp.Implementation{Name: "host", Version: "1"}, nil).Connect(ctx, &mcp.CommandTransport{Command: cmd}, nil)
		if err != nil {
			out.Err = errors.Join(context.Cause(ctx), err).Error()
			return out
		}
		defer func() { _ = session.Close() }()
		return useTools(ctx, session, out, j.Steps)
	}}
}

// useTools lists the tools and calls those that the steps name.
func useTools(ctx context.Context, session *mcp.ClientSession, out outcome, steps []string) outcome {
	fail := func(err error) outcome { out.Err = err.Error(); return out }
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return fail(err)
	}
	for _, t := range tools.Tools {
		out.Tools = append(out.Tools, t.Name)
	}
	for _, name := range steps {
		s, err := callTool(ctx, session, name)
		if err != nil {
			return fail(err)
		}
		out.Steps = append(out.Steps, s)
	}
	return out
}

// callTool calls one tool and gives its structured answer.
func callTool(ctx context.Context, session *mcp.ClientSession, name string) (step, error) {
	r, err := session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: map[string]any{}})
	if err != nil {
		return step{}, err
	}
	out, err := json.Marshal(r.StructuredContent)
	if err == nil && r.IsError {
		err = fmt.Errorf("%s failed", name)
	}
	return step{Name: name, Output: out}, err
}

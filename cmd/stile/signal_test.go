package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// command is the command in a process of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, os.Args[0], args...) //nolint:gosec // the test binary itself
	c.Env = append(os.Environ(), "STILE_TEST_COMMAND=1", "STILE_STORE=file:"+filepath.Join(t.TempDir(), "store"))
	return c
}

// Each signal that ends a program ends a login that waits for the user: the
// process says so and exits, and leaves nothing that others would wait for.
func TestSignalsEndALogin(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such signals")
	}
	_, server := peers(t, nil, nil)
	for _, sig := range []os.Signal{syscall.SIGHUP, os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			c := command(t, "login", server, "--no-browser")
			if signal.Ignored(sig) { // as under nohup: a terminal would not have it so
				env, err := exec.LookPath("env")
				if err != nil {
					t.Fatal(err)
				}
				c.Path, c.Args = env, append([]string{"env", "--default-signal=HUP", c.Path}, c.Args[1:]...)
			}
			in, err := c.StdinPipe() // held open, as a terminal would
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = in.Close() }()
			out, err := c.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			for s := bufio.NewScanner(out); s.Scan(); {
				said.WriteString(s.Text() + "\n")
				if strings.Contains(s.Text(), "/authorize?") {
					if err := c.Process.Signal(sig); err != nil {
						t.Fatal(err)
					}
				}
			}
			var exit *exec.ExitError
			if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitLogin && exit.ExitCode() != exitFailed {
				t.Errorf("%v: %s", err, said.String())
			}
			contains(t, said.String(), "error: ")
		})
	}
}

// reading is an input that never comes; it tells when somebody waits for it.
type reading struct {
	begun func()
	io.Reader
}

func (r reading) Read([]byte) (int, error) { r.begun(); select {} }

// Control-C ends every command that waits for its input.
func TestControlCEndsReading(t *testing.T) {
	_, server := peers(t, nil, nil)
	trace := filepath.Join(t.TempDir(), "login.ndjson")
	logged := newCLI(t)
	logged.ok("login", server, "--trace", trace)
	for _, args := range [][]string{
		{"call", server, "get_time", "-"},
		{"login", server, "--passphrase-file", "-", "--store-key", "passphrase"},
		{"login", server, "--client-id", "x", "--issuer", "http://127.0.0.1:1", "--client-secret-file", "-"},
		{"login", server, "--issuer", "http://127.0.0.1:1", "--initial-token-file", "-"},
		{"serve", "rs", "--port", "0", "--introspection-secret-file", "-"},
		{"store", "purge", server},
		{"replay", "-"}, {"explain", "-"}, {"trace", "show", "-"}, {"trace", "diff", "-", trace}, {"trace", "diff", trace, "-"},
		{"engine"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := newCLI(t)
			if args[0] == "store" {
				c.env, c.terminal = logged.env, true
			}
			c.in = reading{begun: cancel}
			var errs lockedBuffer
			ended := make(chan int, 1)
			go func() { ended <- run(ctx, args, c.app(io.Discard, &errs)) }()
			select {
			case code := <-ended:
				if code == exitOK {
					t.Errorf("exit status 0: %s", errs.String())
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("still waiting: %s", errs.String())
			}
		})
	}
}

// A command whose output cannot be written fails.
func TestOutputThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer func() { _ = full.Close() }()
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.ok("login", server)
	for _, args := range [][]string{
		{"status"}, {"status", server}, {"status", "--json"}, {"token", server}, {"store", "list"}, {"store", "show"},
		{"rules"}, {"version"}, {"--help"}, {"completion", "bash"}, {"draw"}, {"tools", server},
	} {
		var errs lockedBuffer
		if code := run(t.Context(), args, c.app(full, &errs)); code != exitFailed {
			t.Errorf("%v: exit status %d, %s", args, code, errs.String())
		}
		contains(t, errs.String(), "standard output cannot be written", "no space left")
	}
}

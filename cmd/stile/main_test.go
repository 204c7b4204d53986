package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

// The tests put nothing into the keyring of the user who runs them. With
// STILE_TEST_COMMAND the test binary is the command itself (command).
func TestMain(m *testing.M) {
	keyring.MockInit()
	if os.Getenv("STILE_TEST_COMMAND") != "" {
		main()
	}
	flag.Parse()
	_ = flag.Set("test.parallel", "4") // those that run beside each other mostly wait
	os.Exit(m.Run())
}

// cli is a user at a machine: an environment, a browser and a store.
type cli struct {
	t        *testing.T
	env      map[string]string
	in       io.Reader
	browse   func(context.Context, string) error
	terminal bool
	columns  int
}

type result struct {
	code     int
	out, err string
}

func newCLI(t *testing.T) *cli {
	t.Helper()
	return &cli{t: t, env: map[string]string{"STILE_STORE": "file:" + filepath.Join(t.TempDir(), "store")}, browse: followAll}
}

// run runs a command, as main would.
func (c *cli) run(args ...string) result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	var out, errs lockedBuffer
	r := result{run(ctx, args, c.app(&out, &errs)), out.String(), errs.String()}
	explained(c.t, args, r.err)
	return r
}

func (c *cli) app(out, errs io.Writer) *app {
	in := c.in
	if in == nil {
		in = strings.NewReader("")
	}
	return &app{
		in: in, out: out, err: errs, browse: c.browse,
		getenv:   func(name string) string { return c.env[name] },
		terminal: func(any) bool { return c.terminal },
		columns:  func() int { return c.columns },
	}
}

// ok runs a command that must succeed.
func (c *cli) ok(args ...string) result {
	c.t.Helper()
	return c.exit(exitOK, args...)
}

// exit runs a command that must end with this status.
func (c *cli) exit(want int, args ...string) result {
	c.t.Helper()
	r := c.run(args...)
	if r.code != want {
		c.t.Fatalf("stile %s: exit status %d, want %d\nout: %s\nerr: %s", strings.Join(args, " "), r.code, want, r.out, r.err)
	}
	return r
}

// decode reads the one JSON value that a command printed.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one value in %q", text)
	}
	return v
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

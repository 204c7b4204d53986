package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage/open"
)

// A login that somebody asks for does not wait behind the mark of a process that
// has died, and says in one line that there is one.
func TestLoginBesideADeadOne(t *testing.T) {
	_, server := peers(t, nil, nil)
	for _, flags := range [][]string{nil, {"--again"}, {"--scope", noteScope}} {
		c := newCLI(t)
		left(t, c, server, "one that died")
		r := c.ok(append([]string{"login", server}, flags...)...)
		contains(t, r.err, "Another process announced a login", "begins at once")
		if n := strings.Count(r.err, "Another process"); n != 1 {
			t.Errorf("said %d times: %s", n, r.err)
		}
	}
	// As JSON each line of standard error is a value.
	c := newCLI(t)
	left(t, c, server, "one that died")
	r := c.ok("login", server, "--json")
	contains(t, r.err, `"notice":"Another process announced`)
	for line := range strings.Lines(r.err) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q", line)
		}
	}
}

// A command that only happens to need a login waits for the one that is under
// way, and says so.
func TestToolsWaitForALogin(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	left(t, c, server, "another")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told := &untilSaid{text: "Waiting until it is done", then: cancel}
	code := run(ctx, []string{"tools", server}, c.app(io.Discard, told))
	if code != exitFailed && code != exitLogin || !told.said() {
		t.Errorf("exit status %d: %s", code, told.String())
	}
}

// untilSaid calls a function when a text was written to it.
type untilSaid struct {
	lockedBuffer
	text string
	then func()
}

func (u *untilSaid) said() bool { return strings.Contains(u.String(), u.text) }

func (u *untilSaid) Write(p []byte) (int, error) {
	n, err := u.lockedBuffer.Write(p)
	if u.said() {
		u.then()
	}
	return n, err
}

// left puts the mark of a login there that nobody will finish.
func left(t *testing.T, c *cli, server, holder string) {
	t.Helper()
	st, closing, _, err := open.Open(t.Context(), c.env["STILE_STORE"], open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closing() }()
	value, err := json.Marshal(states.Mark{Version: states.RecordVersion, Holder: holder, Since: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	resource, err := wire.CanonicalServer(server)
	if err != nil {
		t.Fatal(err)
	}
	config := states.Config{Resource: resource}
	if _, err := st.Put(t.Context(), config.MarkKey(), value, 0, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

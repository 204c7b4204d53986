package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"
)

// Commands that only look create nothing. They say "there is no store" where there
// is none, and "nobody is logged in" where there is one.
func TestLookingCreatesNothing(t *testing.T) {
	_, server := peers(t, nil, nil)
	for _, kind := range []string{"file:", "sqlite:"} {
		parent := t.TempDir()
		place := filepath.Join(parent, "store")
		c := newCLI(t)
		for _, x := range []struct {
			code int
			args []string
		}{
			{exitStore, []string{"status"}},
			{exitLogin, []string{"status", server}},
			{exitLogin, []string{"token", server}},
			{exitStore, []string{"store", "list"}},
			{exitStore, []string{"store", "show"}},
			{exitStore, []string{"store", "show", server}},
			{exitStore, []string{"store", "purge", "--all", "--yes"}},
			{exitStore, []string{"store", "rekey"}},
			{exitStore, []string{"store", "migrate", "--to", "memory"}},
		} {
			r := c.exit(x.code, append(x.args, "--store", kind+place)...)
			contains(t, r.err, "no store at "+place, "what to do")
			if strings.Contains(r.err+r.out, "logged in to") {
				t.Errorf("%v: %s%s", x.args, r.out, r.err)
			}
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Fatalf("%v created %v", x.args, left)
			}
		}
		contains(t, c.ok("logout", server, "--store", kind+place).out, "Nobody was logged in")
		if left, _ := os.ReadDir(parent); len(left) > 0 {
			t.Fatalf("logout created %v", left)
		}
		c.ok("login", server, "--store", kind+place)
		c.ok("logout", server, "--store", kind+place)
		contains(t, c.ok("status", "--store", kind+place).out, "Nobody is logged in")
	}

	// The default store of a new user is no error.
	home := t.TempDir()
	c := newCLI(t)
	c.env = map[string]string{"XDG_STATE_HOME": home, "HOME": home}
	contains(t, c.ok("status").out, "no store at "+home, "stile login creates it")
	contains(t, c.ok("store", "list").out, "no store at "+home)
	if got := strings.TrimSpace(c.ok("status", "--json").out); got != "[]" {
		t.Errorf("as JSON: %s", got)
	}
	contains(t, c.exit(exitLogin, "token", server).err, "no store at "+home, "stile login "+server)
	if left, _ := os.ReadDir(home); len(left) > 0 {
		t.Errorf("created %v", left)
	}
}

// Where the key is in a file the user is told so once, when the store is created,
// with the command that changes it.
func TestKeyNotice(t *testing.T) {
	keyring.MockInitWithError(errors.New("no keyring here"))
	defer keyring.MockInit()
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	first := c.ok("login", server)
	contains(t, first.err, "who can read your files can read your credentials", "stile store rekey --to keyring")
	for _, args := range [][]string{{"login", server, "--again"}, {"tools", server}, {"token", server}, {"status"}, {"store", "list"}} {
		if r := c.ok(args...); strings.Contains(r.err, "your files") {
			t.Errorf("%v says it again: %s", args, r.err)
		}
	}
	contains(t, c.ok("status", "--verbose").err, "your files")
	keyring.MockInit()
	c.ok("store", "rekey", "--to", "keyring")
	if r := c.ok("status", "--verbose"); strings.Contains(r.err, "your files") {
		t.Errorf("the key is in the keyring now: %s", r.err)
	}
	c.ok("token", server)
}

// Migrating and exploring say on a terminal how far they are, and remove the line
// at the end.
func TestProgress(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.ok("login", server)
	for _, args := range [][]string{
		{"store", "migrate", "--to", "sqlite:" + filepath.Join(t.TempDir(), "a.db")},
		{"explore", "--world", "pair", "--bound", "3000", "--invariant", "answers-taken"},
	} {
		c.terminal = true
		r := c.ok(args...)
		contains(t, r.err, "\r\x1b[K")
		if !strings.HasSuffix(r.err, "\r\x1b[K") || strings.Contains(r.out, "\x1b[K") {
			t.Errorf("%v leaves its progress: %q", args, r.err)
		}
		c.terminal = false
		if r := c.ok(args...); strings.Contains(r.err, "\r") {
			t.Errorf("%v: progress without a terminal: %q", args, r.err)
		}
	}
}

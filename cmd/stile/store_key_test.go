package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A store whose key file is gone says what to do, and that works.
func TestStoreWithoutItsKey(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	flags := []string{"--store", "file:" + filepath.Join(dir, "store"), "--key-file", key}
	with := func(args ...string) []string { return append(args, flags...) }
	c.ok(with("login", server)...)
	c.ok(with("login", server, "--subject", "another")...)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"login", server}, {"token", server}, {"store", "purge", "--unreadable", "--yes"}} {
		contains(t, c.exit(exitStore, with(args...)...).err, "--key-file", "stile store purge --all --everyone", "#store-key")
	}
	contains(t, c.ok(with("store", "purge", "--all", "--yes")...).err, "--everyone")
	contains(t, c.ok(with("store", "purge", "--all", "--everyone", "--yes")...).err, "new sealing key")
	contains(t, c.ok(with("login", server)...).out, "Logged in")
	c.ok(with("token", server)...)
}

// What is wrong with a store comes with what to do.
func TestStoreErrorsAdvise(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	newer := t.TempDir()
	if err := os.Chmod(newer, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(newer, "format"), []byte("stile-filestore 99"), 0o600); err != nil {
		t.Fatal(err)
	}
	for store, says := range map[string]string{
		"file:" + file + "/below":            "where you may create files",
		"sqlite:" + file + "/below/x":        "where you may create files",
		"redis://127.0.0.1:1":                "the database is running",
		"postgres://nobody@127.0.0.1:1/none": "the database is running",
		"file:" + newer:                      "#store-versioned",
	} {
		contains(t, c.exit(exitStore, "login", server, "--store", store).err, "what to do", says)
	}
	contains(t, c.exit(exitUsage, "login", server, "--store", "bogus:x").err, "what to do")
	r := c.exit(exitStore, "login", server, "--store", "postgres://nobody@127.0.0.1:1/none")
	if n := strings.Count(r.err, "connection refused"); n != 1 {
		t.Errorf("said %d times: %s", n, r.err)
	}
	shared := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(shared, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o644); err != nil {
		t.Fatal(err)
	}
	contains(t, c.exit(exitStore, "login", server, "--key-file", shared).err, "what to do", "chmod 600")
	contains(t, c.exit(exitUsage, "login", server, "--ca-bundle", "nofile").err, "what to do")
	contains(t, c.exit(exitFailed, "explain", "nofile").err, "what to do")
}

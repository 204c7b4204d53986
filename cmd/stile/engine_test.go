package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states/wire"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/engine and the examples of docs/engine-protocol.md anew")

// The test's own binary is the command for a program in another language.
func init() {
	if os.Getenv("STILE_TEST_IS_ENGINE") != "" {
		os.Args = []string{"stile", "engine"}
		main()
	}
}

const engineData = "../../testdata/engine"

// foreign finds a program that a test needs and that is not part of this project.
func foreign(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("NOT TESTED: %s is missing", name)
	}
	return path
}

// busRequest is a request as a message on the bus of testdata/engine/life.py.
type busRequest struct {
	At      time.Time `json:"at"`
	Request struct {
		Method string          `json:"method"`
		URL    string          `json:"url"`
		Header [][]string      `json:"header"`
		Form   [][]string      `json:"form"`
		JSON   json.RawMessage `json:"json"`
		Body   string          `json:"body"`
	} `json:"request"`
	Done *struct {
		State  string   `json:"state"`
		Tokens []string `json:"tokens"`
		Kept   []string `json:"kept"`
	} `json:"done"`
}

func (b *busRequest) request() wire.Request {
	r := wire.Request{Method: b.Request.Method, URL: b.Request.URL, Body: []byte(b.Request.Body)}
	if len(b.Request.JSON) > 0 {
		r.Body = b.Request.JSON
	}
	for _, f := range b.Request.Header {
		r.Header = append(r.Header, wire.Field{Name: f[0], Value: f[1]})
	}
	for _, f := range b.Request.Form {
		r.Form = append(r.Form, wire.Field{Name: f[0], Value: f[1]})
	}
	return r
}

func busResponse(r wire.Response) []byte {
	v := struct {
		Status int         `json:"status"`
		Header [][2]string `json:"header"`
		Body   string      `json:"body,omitempty"`
	}{r.Status, [][2]string{}, string(r.Body)}
	for _, f := range r.Header {
		v.Header = append(v.Header, [2]string{f.Name, f.Value})
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers and strings
	}
	return append(b, '\n')
}

func engineWorld(t *testing.T) *peer.World {
	t.Helper()
	as, err := peer.NewAS(peer.ASConfig{
		Issuer: "https://as.example", Scopes: []string{"user"}, Seed: []byte("engine"), DCR: true, Iss: true,
		RefreshRotation: true, AutoConsent: true, AccessTokenTTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	rs, err := peer.NewRS(peer.RSConfig{Resource: "https://mcp.example/mcp", AuthorizationServers: []string{"https://as.example"}, Scopes: []string{"user"}})
	if err != nil {
		t.Fatal(err)
	}
	return &peer.World{AS: []*peer.AS{as}, RS: []*peer.RS{rs}}
}

// A program in Python logs in, calls, refreshes and logs out; the machine is
// the command, and the descriptors travel as JSON messages on a pipe.
func TestEngineFromPython(t *testing.T) {
	python := foreign(t, "python3")
	transcript := filepath.Join(t.TempDir(), "life.txt")
	c := exec.CommandContext(t.Context(), python, filepath.Join(engineData, "life.py"), transcript, os.Args[0])
	c.Env = append(os.Environ(), "STILE_TEST_IS_ENGINE=1", "PYTHONDONTWRITEBYTECODE=1", "STILE_TRACE=")
	var errs bytes.Buffer
	c.Stderr = &errs
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w := engineWorld(t)
	var last busRequest
	carried, at := 0, time.Time{}
	for r := bufio.NewScanner(out); r.Scan(); {
		last = busRequest{}
		if err := json.Unmarshal(r.Bytes(), &last); err != nil {
			t.Fatalf("%v in %s", err, r.Bytes())
		}
		if last.Done != nil {
			continue
		}
		carried, at = carried+1, last.At
		answer := []byte(`{"down":"nobody is there"}` + "\n")
		if resp, found := w.Answer(last.At, last.request()); found {
			answer = busResponse(resp)
		}
		if _, err := in.Write(answer); err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
	}
	if err := c.Wait(); err != nil || last.Done == nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	if carried < 10 || last.Done.State != "Idle" && last.Done.State != "Anonymous" {
		t.Errorf("%d exchanges, then %+v", carried, last.Done)
	}
	for _, token := range last.Done.Tokens {
		if token == "" || w.AS[0].Standing(at, token) == "live" {
			t.Error("an access token outlives the logout")
		}
	}
	if !slices.Equal(last.Done.Kept, []string{"registration"}) {
		t.Errorf("kept after the logout: %v", last.Done.Kept)
	}
	golden(t, "life.txt", read(t, transcript))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden compares with a file of testdata/engine, or writes it anew.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join(engineData, name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil { //nolint:gosec // a transcript among peers of a test
			t.Fatal(err)
		}
		return
	}
	want := read(t, path)
	if bytes.Equal(got, want) {
		return
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s differs at line %d (go test ./cmd/stile -run Engine -rewrite):\n got %s\nwant %s", name, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s has %d lines, want %d", name, len(g), len(w))
}

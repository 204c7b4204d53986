package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// TestTap: requests are forwarded and noted, the address outlives the server behind it,
// and a closed tap refuses connections.
func TestTap(t *testing.T) {
	behind := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			_, _ = fmt.Fprintf(w, `{"at":%q,"host":%q,"form":%q,"refresh_token":"r"}`, name, r.Host, r.PostForm.Encode())
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	tp := &tap{}
	origin, err := tp.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tp.close() })
	post := func(form url.Values) string {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.PostForm(origin+"/token", form)
		if err != nil {
			return err.Error()
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	for _, name := range []string{"first", "second"} {
		if err := tp.lead(behind(name)); err != nil {
			t.Fatal(err)
		}
		got := post(url.Values{"grant_type": {"refresh_token"}, "client_id": {"c"}})
		for _, want := range []string{`"at":"` + name, `"host":"` + strings.TrimPrefix(origin, "http://"), "grant_type=refresh_token"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %s has no %s", name, got, want)
			}
		}
	}
	if token, client := tp.issued(); token != "r" || client != "c" {
		t.Errorf("issued %q to %q", token, client)
	}
	if err := tp.close(); err != nil {
		t.Fatal(err)
	}
	if got := post(nil); !strings.Contains(got, "refused") {
		t.Errorf("a closed tap: %s", got)
	}
	if err := tp.reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	post(nil)
	want := []string{"POST /token refresh_token 200", "POST /token refresh_token 200", "POST /token 200"}
	if got := tp.since(0); !slices.Equal(got, want) {
		t.Errorf("noted %q", got)
	}
}

// TestVisits: each authorization request that a command prints is opened once, as soon
// as its line is complete, and a failed login is noticed.
func TestVisits(t *testing.T) {
	opened := make(chan string, 4)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		opened <- r.URL.RawQuery
		w.Header().Set("Location", "http://127.0.0.1:1/callback")
		w.WriteHeader(http.StatusSeeOther)
	}))
	t.Cleanup(s.Close)
	var heard error
	v := &visits{ctx: context.WithoutCancel(t.Context()), refused: func(err error) { heard = err }}
	for _, text := range []string{"Please open " + s.URL + "/authorize?x=1&code_chal", "lenge=abc\nand again: ", s.URL + "/authorize?x=1&code_challenge=abc\n", "Authorization failed: no\n"} {
		if _, err := io.WriteString(v, text); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := v.end()
	if err == nil || !strings.Contains(err.Error(), "no server answered at the redirect address") {
		t.Errorf("the browser ended with %v", err)
	}
	if len(opened) != 1 || <-opened != "x=1&code_challenge=abc" || len(lines) != 3 {
		t.Errorf("%d visits, %q", len(opened)+1, lines)
	}
	if heard == nil || !strings.Contains(heard.Error(), "Authorization failed: no") {
		t.Errorf("heard %v", heard)
	}
}

// TestOwnClientLivesItsLife: the stages that need no server from others pass against the
// development servers, and a wrong cost is a fault.
func TestOwnClientLivesItsLife(t *testing.T) {
	ctx := context.WithoutCancel(t.Context()) // the servers end in a cleanup
	f := &foreign{what: issuer{name: "here", scopes: []string{"user", "profile"}, registers: true}, server: &process{stderr: &said{}}}
	f.tap = &tap{}
	var err error
	if f.issuer, err = f.tap.open(ctx); err != nil {
		t.Fatal(err)
	}
	f.stops = append(f.stops, f.tap.close)
	t.Cleanup(func() {
		if err := f.stop(); err != nil {
			t.Error(err)
		}
	})
	origin, err := f.listen(ctx, func(string) (http.Handler, error) {
		c := devas.DefaultAS(f.issuer)
		c.Scopes = []string{"user", "profile"}
		return devas.NewAS(c)
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.tap.lead(origin); err != nil {
		t.Fatal(err)
	}
	if err := f.protected(ctx, false); err != nil {
		t.Fatal(err)
	}
	f.client = newOurs(f)
	if err := f.client.open(); err != nil {
		t.Fatal(err)
	}
	f.stops = append(f.stops, f.client.close)
	for _, s := range []stage{logsIn, refreshesOnce, restarts, refreshesCold, stepsUp, learnsOfDenial} {
		if r := f.stage(ctx, s); len(r.Faults) > 0 {
			t.Errorf("%s: %q", s.name, r.Faults)
		}
	}
	wrong := restarts
	wrong.logins, wrong.refreshes, wrong.registers = 1, 1, true
	if r := f.stage(ctx, wrong); len(r.Faults) != 3 {
		t.Errorf("wrong costs: %q", r.Faults)
	}
}

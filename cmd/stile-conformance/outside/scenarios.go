package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
)

// scenario is one use of a world by a client, and what is correct.
type scenario struct {
	name   string
	only   []string // the clients that it is for; empty means every client
	steps  []string
	denies bool
	// noRefresh registers without the refresh token grant.
	noRefresh bool
	// How many grants a client must have got, by code and by refresh token.
	logins, refreshes int
	// fails is part of the error that must end it early; empty means that it must not fail.
	fails string
}

// concerns says that the scenario is for a client.
func (s scenario) concerns(client string) bool {
	return len(s.only) == 0 || slices.Contains(s.only, client)
}

// login is the first scenario in every world.
var login = scenario{name: "logs in and calls get_time", steps: []string{"get_time"}, logins: 1}

// scripts are the clients that can be told what to register.
var scripts = []string{"typescript-sdk", "go-sdk", "oauth4webapi"}

var (
	stepUp       = scenario{name: "steps up to whoami, with no refresh token", only: scripts, steps: []string{"get_time", "whoami", "get_time"}, noRefresh: true, logins: 2}
	stepUpAtOnce = scenario{name: "steps up to whoami", only: []string{"go-sdk", "oauth4webapi"}, steps: []string{"get_time", "whoami", "get_time"}, logins: 2}
	denied       = scenario{name: "learns that the user denied", steps: []string{"get_time"}, denies: true, fails: "access_denied"}
	// A revoked token is replaced without a login if the client refreshes it; the
	// go-sdk's client asks the user again.
	refreshes = scenario{name: "refreshes a token that was revoked", only: []string{"typescript-sdk", "oauth4webapi"}, steps: []string{"get_time", "revoke", "get_time"}, logins: 1, refreshes: 1}
	asksAgain = scenario{name: "logs in again for a token that was revoked", only: []string{"go-sdk"}, steps: []string{"get_time", "revoke", "get_time"}, logins: 2}
)

// plain is what happens to a client if one scope is enough for everything.
var plain = []scenario{login, refreshes, asksAgain, denied}

// life is what happens to a client in worlds whose whoami needs one more scope.
var life = []scenario{
	login,
	stepUpAtOnce,
	stepUp,
	// docs/development.md says why: this SDK refreshes when it would have to ask.
	{
		name: "cannot step up while it holds a refresh token", only: []string{"typescript-sdk"}, steps: []string{"get_time", "whoami"},
		logins: 1, refreshes: 1, fails: "Server returned 403 after trying upscoping",
	},
	refreshes, asksAgain, denied,
}

// judge compares the outcome of a scenario with what is correct.
func (s scenario) judge(r *kit.Row, w *world, c client, o outcome) {
	switch {
	case s.fails == "" && o.Err != "":
		r.Fault("it ended early: %s", o.Err)
	case !strings.Contains(o.Err, s.fails):
		r.Fault("it had to end with %q, not %q", s.fails, o.Err)
	}
	want := s.steps
	if s.denies {
		want = nil
	} else if s.fails != "" {
		want = want[:len(want)-1]
	}
	var did []string
	for _, st := range o.Steps {
		did = append(did, st.Name)
		if fault := w.answered(st); fault != "" {
			r.Fault("%s: %s", st.Name, fault)
		}
	}
	if !slices.Equal(did, want) {
		r.Fault("it did %q, not %q", did, want)
	}
	if !s.denies && !slices.Equal(o.Tools, []string{"get_time", "whoami"}) {
		r.Fault("it saw the tools %q", o.Tools)
	}
	for _, x := range []struct {
		what      string
		got, want int
	}{
		{"logins", o.grants("authorization_code"), s.logins},
		{"refreshes", o.grants("refresh_token"), s.refreshes},
		{"registrations", o.registrations(), w.registrations()},
	} {
		if x.what == "registrations" && c.anew && x.want > 0 {
			x.want = max(x.want, x.got)
		}
		if x.got != x.want {
			r.Fault("%d %s, not %d", x.got, x.what, x.want)
		}
	}
	r.Said = fmt.Sprintf("%d requests", len(o.Requests))
	if s.fails != "" && len(r.Faults) == 0 {
		r.Said += ", ended as it has to: " + o.Err
	}
	r.Output = append(r.Output, o.Requests...)
	r.Output = append(r.Output, o.Noise...)
}

// answered says what is wrong with a tool's answer.
func (w *world) answered(s step) string {
	var out struct {
		Time, Zone, Subject string
		ClientID            string `json:"client_id"`
		Scopes              []string
	}
	if s.Name == "revoke" {
		return ""
	}
	if err := json.Unmarshal(s.Output, &out); err != nil {
		return fmt.Sprintf("answered %s: %v", s.Output, err)
	}
	slices.Sort(out.Scopes) // the go-sdk asks for them in any order
	switch {
	case s.Name == "get_time" && (out.Zone != "UTC" || out.Time == ""),
		s.Name == "whoami" && (out.Subject != user || out.ClientID == "" || !slices.Equal(out.Scopes, []string{"profile", "user"})):
		return fmt.Sprintf("answered %s", s.Output)
	}
	return ""
}

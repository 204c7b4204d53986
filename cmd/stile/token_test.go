package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// A token is asked for when the login has died: the first cause says why it died,
// in words and as JSON, and the exit status stays that of a login.
func TestTokenSaysWhyThereIsNone(t *testing.T) {
	for _, x := range []struct {
		fault string
		says  []string
	}{
		{"token-no-refresh", []string{"first cause", "there is no refresh token"}},
		{"refresh-invalid-grant", []string{"first cause", "refused to renew it: invalid_grant", "Refreshing, event GrantInvalid", "the authorization server"}},
		{"refresh-interaction", []string{"first cause", "refused to renew it: interaction_required"}},
	} {
		t.Run(x.fault, func(t *testing.T) {
			t.Parallel() // each waits for a token to expire
			_, server := peers(t, func(c *devas.ASConfig) {
				c.AccessTokenTTL, c.Faults = time.Second, []string{x.fault}
			}, nil)
			for _, flags := range [][]string{nil, {"--json"}} {
				c := newCLI(t)
				c.ok("login", server)
				until(t, stored(t, c, server).Current.Expires)
				r := c.exit(exitLogin, append([]string{"token", server}, flags...)...)
				if r.out != "" {
					t.Errorf("on standard output: %q", r.out)
				}
				if flags == nil {
					contains(t, r.err, append(x.says, "nobody is logged in to "+server+" any more", "log in again: stile login "+server+" --again")...)
					continue
				}
				v := decode[struct {
					Error errorView `json:"error"`
				}](t, r.err)
				if v.Error.Exit != exitLogin || !strings.Contains(v.Error.First, x.says[1]) || v.Error.Advice == "" {
					t.Errorf("%+v", v.Error)
				}
			}
		})
	}
}

// until waits for an instant of the real clock, which the command reads.
func until(t *testing.T, at time.Time) {
	t.Helper()
	select {
	case <-time.After(time.Until(at)):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// Whatever an issuer calls a dead refresh token, the error names the login that
// always works.
func TestDeadRefreshTokenNamesTheLogin(t *testing.T) {
	for _, fault := range []string{"refresh-invalid-grant", "refresh-invalid-request", "refresh-interaction"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel() // each waits for a token to expire
			_, server := peers(t, func(c *devas.ASConfig) {
				c.AccessTokenTTL, c.Faults = time.Second, []string{fault}
			}, nil)
			c := newCLI(t)
			c.ok("login", server)
			until(t, stored(t, c, server).Current.Expires)
			if r := c.run("token", server); r.code == exitOK || !strings.Contains(r.err, "stile login "+server+" --again") {
				t.Errorf("exit status %d: %s", r.code, r.err)
			}
			c.ok("login", server, "--again")
		})
	}
}

// token takes the flags that the errors of a refresh name.
func TestTokenTakesTheFlagsOfItsErrors(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.ok("login", server)
	help := c.ok("token", "--help").out
	for flag := range strings.FieldsSeq("--client-id --client-secret-file --issuer --quirk --ca-bundle --allow-private --revision --strict") {
		contains(t, help, flag)
	}
	c.ok("token", server, "--quirk", "omit-resource")
}

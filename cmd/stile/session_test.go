package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// mute are MCP servers that never answer, each in its own way.
var mute = []struct {
	name   string
	answer http.HandlerFunc
}{
	{"no status", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	{"a stream without an event", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}},
	{"a stream of comments", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for beat := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-beat.C:
				_, _ = io.WriteString(w, ": here\n\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}},
}

// A server that never answers holds up nobody for ever: the command ends by itself,
// with the status of the network, and names the flag.
func TestServerNeverAnswers(t *testing.T) {
	t.Parallel()
	for _, m := range mute {
		t.Run(m.name, func(t *testing.T) {
			s := httptest.NewServer(drained(m.answer))
			defer s.Close()
			defer s.CloseClientConnections() // what the SDK sends when it closes waits for an answer
			for _, args := range [][]string{{"tools", s.URL}, {"call", s.URL, "x"}, {"login", s.URL}} {
				r := newCLI(t).exit(exitNetwork, append(args, "--server-timeout", "100ms")...)
				contains(t, r.err, "connecting to "+s.URL, "did not answer within 100ms", "--server-timeout")
				if r.out != "" {
					t.Errorf("on standard output: %q", r.out)
				}
			}
			v := decode[struct{ Error errorView }](t, newCLI(t).exit(exitNetwork, "tools", s.URL, "--server-timeout", "100ms", "--json").err)
			if v.Error.Exit != exitNetwork || v.Error.Advice == "" {
				t.Errorf("%+v", v.Error)
			}
		})
	}
	contains(t, newCLI(t).exit(exitUsage, "tools", "http://127.0.0.1:1/mcp", "--server-timeout", "-1s").err, "--server-timeout")
}

// Control-C ends the wait at once, whatever the bound.
func TestServerNeverAnswersAndIsInterrupted(t *testing.T) {
	for _, m := range mute {
		t.Run(m.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := httptest.NewServer(drained(func(w http.ResponseWriter, r *http.Request) { cancel(); m.answer(w, r) }))
			defer s.Close()
			var errs lockedBuffer
			if code := run(ctx, []string{"tools", s.URL, "--server-timeout", "0"}, newCLI(t).app(io.Discard, &errs)); code != exitFailed {
				t.Errorf("exit status %d: %s", code, errs.String())
			}
			contains(t, errs.String(), "interrupted")
		})
	}
}

// A tool that never answers; and a user who takes longer than the server may.
func TestToolNeverAnswers(t *testing.T) {
	t.Parallel()
	_, server := peers(t, nil, func(c *devas.RSConfig) {
		next := c.MCP
		c.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), "tools/call") {
				<-r.Context().Done()
				return
			}
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			next.ServeHTTP(w, r)
		})
	})
	c := newCLI(t)
	c.browse = func(ctx context.Context, at string) error {
		time.AfterFunc(time.Second, func() { _ = followAll(ctx, at) })
		return nil
	}
	contains(t, c.exit(exitNetwork, "call", server, "get_time", "--server-timeout", "700ms").err, "calling get_time", "did not answer within 700ms")
	c.ok("tools", server) // the login that came of it is there
}

// drained reads the request first, because a server notices only then that its client leaves.
func drained(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		next(w, r)
	}
}

// A server that redirects where it should challenge: the error says where to, that no
// token goes there, and what to do.
func TestServerRedirects(t *testing.T) {
	_, real := peers(t, nil, nil)
	for _, x := range []struct {
		name, to string
		says     []string
	}{
		{"to a login page elsewhere", "https://sso.example/login?SAMLRequest=abc", []string{"redirect (HTTP status 302) to another host, https://sso.example/login", "does not follow", "no token may go there", "challenge-redirect-not-auth", "the server", "what to do", "status 401"}},
		{"to the real address", real, []string{"to another port, " + real, "use it: stile login " + real}},
		{"to a page of its own", "/login", []string{"redirect (HTTP status 302) to ", "/login, where no MCP server answered", "what to do"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, x.to, http.StatusFound) })
			mux.HandleFunc("/login", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, "<!doctype html><title>Log in</title>")
			})
			s := httptest.NewServer(mux)
			defer s.Close()
			for _, args := range [][]string{{"tools", s.URL + "/mcp"}, {"call", s.URL + "/mcp", "x"}, {"login", s.URL + "/mcp"}} {
				r := newCLI(t).exit(exitPeer, args...)
				contains(t, r.err, x.says...)
				if strings.Contains(r.err, "SAMLRequest") {
					t.Errorf("the query is shown: %s", r.err)
				}
			}
			v := decode[struct{ Error errorView }](t, newCLI(t).exit(exitPeer, "tools", s.URL+"/mcp", "--json").err)
			if v.Error.Rule != "challenge-redirect-not-auth" || v.Error.Party == "" || v.Error.Clause == "" || !strings.Contains(v.Error.Message, "redirect") {
				t.Errorf("%+v", v.Error)
			}
		})
	}
}

// A server that is not there: one line about what is wrong, and what to do.
func TestNobodyAnswers(t *testing.T) {
	r := newCLI(t).exit(exitNetwork, "tools", "http://127.0.0.1:1/mcp")
	contains(t, r.err, "nothing listens at 127.0.0.1:1: connection refused", "what to do", "fault of     the network", "house-unreachable")
	if strings.Contains(r.err, "rejected by transport") {
		t.Error(r.err)
	}
}

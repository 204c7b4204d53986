package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// elsewhere is a browser on another machine: it follows no redirect, and gives the
// address where the login ends.
func elsewhere(t *testing.T, at string) string {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(at)
	if err != nil {
		t.Error(err)
		return ""
	}
	_ = resp.Body.Close()
	return resp.Header.Get("Location")
}

// Over SSH the command prints the address, the browser is on another machine, and
// the user pastes back the address where it ended. A wrong paste is answered with
// what is wanted, and the login goes on waiting.
func TestPasteBack(t *testing.T) {
	_, server := peers(t, nil, nil)
	for _, x := range []struct {
		name string
		// mistakes gives what is pasted before the right address; final what is
		// pasted then.
		mistakes func(open string, end *url.URL) []string
		final    func(end *url.URL) string
		says     []string
	}{
		{
			name: "a code, a word, the first address, another port, half of the address",
			mistakes: func(open string, end *url.URL) []string {
				other, half := *end, *end
				other.Host = "127.0.0.1:1"
				half.RawQuery = ""
				return []string{"", end.Query().Get("code"), "yes", open, other.String(), half.String()}
			},
			final: func(end *url.URL) string { return "<" + end.String() + ">" },
			says:  []string{"this is no address", "the address of another page", "holds no answer of a login", "http://127.0.0.1:"},
		},
		{
			name:     "the query alone",
			mistakes: func(string, *url.URL) []string { return nil },
			final:    func(end *url.URL) string { return "?" + end.RawQuery },
		},
		{
			name: "the address of another login",
			mistakes: func(_ string, end *url.URL) []string {
				other := *end
				other.RawQuery = "state=of-another-login&code=x"
				return []string{other.String()}
			},
			final: func(end *url.URL) string { return end.String() },
			says:  []string{"not of this login"},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := newCLI(t)
			c.browse = func(context.Context, string) error { t.Error("a browser was opened"); return nil }
			fromCommand, toUser := io.Pipe()
			toCommand, fromUser := io.Pipe()
			c.in = toCommand
			var said lockedBuffer
			go func() {
				lines := bufio.NewScanner(io.TeeReader(fromCommand, &said))
				for lines.Scan() {
					at := strings.TrimSpace(lines.Text())
					if !strings.HasPrefix(at, "http") || !strings.Contains(at, "/authorize?") {
						continue
					}
					end, err := url.Parse(elsewhere(t, at))
					if err != nil {
						t.Error(err)
						return
					}
					pasted := append(x.mistakes(at, end), x.final(end))
					go func() { _, _ = io.WriteString(fromUser, strings.Join(pasted, "\n")+"\n") }()
				}
			}()
			var out lockedBuffer
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			code := run(ctx, []string{"login", server, "--no-browser"}, c.app(&out, toUser))
			_ = toUser.Close()
			if code != exitOK {
				t.Fatalf("exit status %d: %s%s", code, out.String(), said.String())
			}
			contains(t, out.String(), "Logged in to")
			contains(t, said.String(), append(x.says, "Copy the address")...)
		})
	}
}

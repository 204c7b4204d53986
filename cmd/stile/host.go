package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"

	"github.com/stile-oauth/stile/httpdriver"
)

// host is how the human gets to the browser and back.
func (a *app) host(f *accountFlags) httpdriver.Host {
	p := &paste{in: a.in}
	return httpdriver.Browser{RedirectURI: f.redirect, NoBrowser: f.noBrowser, Open: a.browse, Print: a.invite, Paste: p.next, Unwanted: a.unwanted}
}

// invite tells the human where to go. The address holds state: it is for him.
func (a *app) invite(v httpdriver.Visit, opened bool) {
	if a.json {
		_ = a.printJSON(a.err, struct {
			Visit   string `json:"visit"`
			Issuer  string `json:"issuer"`
			Opened  bool   `json:"opened"`
			Expires string `json:"expires"`
		}{v.URL, v.Issuer, opened, v.Deadline.Format("2006-01-02T15:04:05Z07:00")})
		return
	}
	if strings.HasPrefix(v.RedirectURI, "https://") {
		a.note("To log in at %s, open this address in a browser:\n  %s\n", v.Issuer, v.URL)
		a.note("Nothing listens here at %s: paste the address that the browser ends at here.\n", v.RedirectURI)
		return
	}
	if opened {
		a.note("Your browser was opened to log in at %s.\nIf it was not, open this address:\n  %s\n", v.Issuer, v.URL)
		return
	}
	a.note("To log in at %s, open this address in a browser:\n  %s\n", v.Issuer, v.URL)
	a.note("If the browser is on another machine, paste the address that it ends at here.\n")
}

// unwanted says why what was pasted is not what is waited for.
func (a *app) unwanted(err error) { a.notice(inWords(err)) }

// paste reads what the human pastes. One goroutine reads, however many logins
// wait: a read from a terminal cannot be taken back.
type paste struct {
	in    io.Reader
	once  sync.Once
	lines chan string
}

func (p *paste) next(ctx context.Context) (string, error) {
	p.once.Do(func() {
		p.lines = make(chan string)
		go func() {
			defer close(p.lines)
			s := bufio.NewScanner(p.in)
			for s.Scan() {
				if line := strings.TrimSpace(s.Text()); line != "" {
					p.lines <- line
				}
			}
		}()
	})
	select {
	case line, ok := <-p.lines:
		if !ok {
			return "", io.EOF
		}
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// host sends the user to a browser and gets them back.
func (a *app) host(f *accountFlags) httpdriver.Host {
	if f.listen != "" {
		return httpdriver.Web(f.listen)
	}
	p := &paste{in: a.in}
	return httpdriver.Browser{
		RedirectURI: f.redirect, NoBrowser: f.noBrowser, Open: a.browse, Paste: p.next,
		Print:    func(v httpdriver.Visit, opened bool) { a.invite(v, opened, f.registers()) },
		Unwanted: func(err error) { a.notice(inWords(err)) },
	}
}

// registers reports whether the client of a login is registered dynamically, so that
// another client can be registered. A client of a company's identity provider is
// registered there by hand.
func (f *accountFlags) registers() bool {
	return f.clientID == "" && grants[f.grant] != states.EnterpriseGrant
}

// invite tells the user where to log in. The address holds the state of the login, so
// only the user may see it. registers says that another client can be registered.
func (a *app) invite(v httpdriver.Visit, opened, registers bool) {
	if a.json {
		_ = a.printJSON(a.err, struct {
			Visit   string `json:"visit"`
			Issuer  string `json:"issuer"`
			Opened  bool   `json:"opened"`
			Expires string `json:"expires"`
		}{v.URL, v.Issuer, opened, v.Deadline.Format("2006-01-02T15:04:05Z07:00")})
		return
	}
	if opened {
		a.note("Your browser should now show the login page of %s.\nIf it does not, open this address:\n  %s\n", v.Issuer, v.URL)
	} else {
		a.note("To log in at %s, open this address in a browser:\n  %s\n", v.Issuer, v.URL)
	}
	if registers {
		a.note("If the page shows an error about the client, press Ctrl-C and run:\n  stile login %s --new-client\n", v.Account.Server)
	}
	switch {
	case strings.HasPrefix(v.RedirectURI, "https://"):
		a.note("At the end of the login, copy the address from the browser and paste it here.\nIt begins with %s\n", v.RedirectURI)
	case !opened:
		a.note("If the browser runs on another machine, the login ends at a page that it cannot\nopen. Copy the address of that page and paste it here.\n")
	}
}

// inviteToBridge is invite for a login that a host waits for. Nobody can paste an address
// there; another command takes it.
func (a *app) inviteToBridge(v httpdriver.Visit, opened bool) {
	switch {
	case a.json:
		a.invite(v, opened, false)
	case opened:
		a.note("Your browser should now show the login page of %s.\nIf it does not, open this address:\n  %s\n", v.Issuer, v.URL)
	default:
		a.note("To log in at %s, open this address in a browser on this machine:\n  %s\nIf the browser runs on another machine, the login ends at a page that it cannot\nopen. Copy the address of that page, and run this command here to paste it:\n  %s\n", v.Issuer, v.URL, pasteCommand(v.Account.Server))
	}
}

// inviteWithCode tells where to enter the code of a login that a host waits for.
func (a *app) inviteWithCode(v httpdriver.Visit, code string) {
	if a.json {
		_ = a.printJSON(a.err, struct {
			Visit   string `json:"visit"`
			Code    string `json:"user_code"`
			Issuer  string `json:"issuer"`
			Expires string `json:"expires"`
		}{v.URL, code, v.Issuer, v.Deadline.Format("2006-01-02T15:04:05Z07:00")})
		return
	}
	a.note("To log in at %s, open this address in a browser, on this or another device:\n  %s\nThe code is %s\n", v.Issuer, v.URL, code)
}

// paste reads the addresses that the user pastes. One goroutine reads for all logins
// of a command, because a read from a terminal cannot be cancelled.
type paste struct {
	in    io.Reader
	once  sync.Once
	lines chan string
}

func (p *paste) next(ctx context.Context) (string, error) {
	p.once.Do(func() {
		p.lines = make(chan string)
		go p.read()
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

func (p *paste) read() {
	defer close(p.lines)
	for s := bufio.NewScanner(p.in); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" {
			p.lines <- line
		}
	}
}

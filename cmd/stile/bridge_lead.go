package main

import (
	"errors"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/loopback"
)

// lead makes this instance the leading one, which asks the user, unless another one
// leads. It then listens at a port. The caller holds mu.
func (g *gate) lead() bool {
	if g.door != nil {
		return true
	}
	if ok, err := g.lock.TryLock(); err != nil || !ok {
		return false
	}
	ports := g.f.ports(g.server, g.memo.read().Port)
	if g.cl != nil {
		ports = ports[:1] // the driver has it
	}
	var first error
	for _, port := range ports {
		uri := g.f.comesBack(port)
		if g.cl != nil {
			uri = g.f.listen
		}
		door, err := loopback.Listen(loopback.Options{RedirectURI: uri})
		if err == nil {
			g.door = door
			if g.cl != nil {
				g.attend(door)
			}
			g.memo.change(func(k *kept) { k.Port = door.Port() })
			return true
		}
		if first == nil {
			first = err
		}
	}
	_ = g.lock.Unlock()
	g.note("The login has no port to come back to: " + inWords(first) + ". Give another port after the URL.")
	return false
}

// retreat stops leading. The caller holds mu.
func (g *gate) retreat() {
	if g.door == nil {
		return
	}
	door := g.door
	g.door = nil
	g.work.Go(func() {
		g.answering.Lock() // a user who has come back sees how the login ended
		defer g.answering.Unlock()
		_ = door.Close()
		_ = g.lock.Unlock()
	})
}

// attend receives users who come back from a login of this instance, or from one that
// an earlier instance has parked.
func (g *gate) attend(door *loopback.Receiver) {
	g.work.Go(func() {
		for {
			raw, reply, err := door.Wait(g.ctx)
			if err != nil {
				return
			}
			g.answering.Lock()
			_, err = g.cl.driver.Redirected(g.ctx, raw, httpdriver.Owner{Tenant: g.f.tenant, Subject: g.f.subject})
			reply(g.page(err))
			g.answering.Unlock()
		}
	})
}

// page is what the user sees at the end of a login.
func (g *gate) page(err error) loopback.Page {
	switch {
	case err == nil:
		return loopback.Page{OK: true, Next: g.f.successURL, Title: "You are logged in", Message: "You can close this page and go back to the program."}
	case errors.Is(err, httpdriver.ErrUnknownLogin), errors.Is(err, httpdriver.ErrForeignLogin):
		return loopback.Page{Title: "This is not a login that is waiting", Message: "It has expired, or was already finished. Nothing was changed."}
	}
	v := describe(err)
	g.note("The login did not succeed: " + v.Message)
	p := loopback.Page{Title: "The login did not succeed", Message: "Go back to the program; it says what can be done.", Detail: []string{v.Message}}
	if v.Advice != "" {
		p.Detail = append(p.Detail, v.Advice)
	}
	return p
}

package main

import (
	"errors"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/loopback"
	"github.com/stile-oauth/stile/states"
)

// lead makes this instance the leading one, which asks the user, unless another one
// leads. It then listens at a port, if a redirect comes back to it. The caller holds mu.
func (g *gate) lead() bool {
	if g.leading {
		return true
	}
	if ok, err := g.lock.TryLock(); err != nil || !ok {
		return false
	}
	if g.leading = g.listen(); !g.leading {
		_ = g.lock.Unlock()
	}
	return g.leading
}

// listen listens at a port for the redirect. The caller holds mu.
func (g *gate) listen() bool {
	if grants[g.f.grant] == states.DeviceGrant {
		return true // nobody comes back here
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
	g.note("The login has no port to come back to: " + inWords(first) + ". Give another port after the URL. See " + entryAt("bridge-port"))
	return false
}

// retreat stops leading. The caller holds mu.
func (g *gate) retreat() {
	if !g.leading {
		return
	}
	door := g.door
	g.leading, g.door = false, nil
	if door == nil {
		_ = g.lock.Unlock()
		return
	}
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
			reply(g.page(g.finishLogin(g.ctx, g.cl, raw)))
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
	v := g.a.view(err)
	g.note("The login did not succeed: " + v.inOne())
	p := loopback.Page{Title: "The login did not succeed", Message: "Go back to the program; it says what can be done.", Detail: []string{v.Message}}
	if v.Advice != "" {
		p.Detail = append(p.Detail, v.Advice)
	}
	p.Detail = append(p.Detail, "See "+v.See)
	return p
}

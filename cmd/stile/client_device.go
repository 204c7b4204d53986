package main

import (
	"cmp"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// showing is how a code reaches the user. A program that shows links gets the code with
// the link.
func (f *accountFlags) showing(a *app) func(httpdriver.Account, states.Show) {
	if f.listen != "" {
		return func(httpdriver.Account, states.Show) {}
	}
	return a.showCode
}

// showCode tells the user where to enter which code. Both come from the issuer. A QR code
// spares a user with a phone the typing.
func (a *app) showCode(_ httpdriver.Account, s states.Show) {
	a.note("Open this address in a browser, on this or another device:\n\n  %s\n\nand enter the code\n\n  %s\n\n",
		wire.Clean(s.URL, 500), wire.Clean(s.UserCode.Reveal(), 100))
	if s.Complete != "" {
		a.note("This address contains the code; check that the page shows the same code:\n\n  %s\n\n", wire.Clean(s.Complete, 700))
	}
	a.showQR(cmp.Or(s.Complete, s.URL))
}

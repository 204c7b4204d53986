package script

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// named is a secret with the name that is printed in its place.
type named struct{ value, name string }

// names gives secrets their placeholders, in the order in which they appear.
type names struct {
	list   []named
	tokens []states.Generation
}

// shortest is the least length of a text that is replaced: shorter ones could
// be part of anything.
const shortest = 8

func (n *names) learn(role string, v wire.Secret) {
	s := v.Reveal()
	if len(s) < shortest || n.of(s) != "" {
		return
	}
	count := 1
	for _, x := range n.list {
		if strings.HasPrefix(x.name, "‹"+role+"-") {
			count++
		}
	}
	n.add(s, fmt.Sprintf("‹%s-%d›", role, count))
}

// derive learns a value that was made from a secret, and names it after that secret.
func (n *names) derive(what, made string, from wire.Secret) {
	if n.of(made) == "" {
		n.add(made, "‹"+what+"-of-"+strings.Trim(n.of(from.Reveal()), "‹›")+"›")
	}
}

func (n *names) add(value, name string) {
	n.list = append(n.list, named{value, name})
	slices.SortStableFunc(n.list, func(a, b named) int { return cmp.Compare(len(b.value), len(a.value)) })
}

func (n *names) of(s string) string {
	for _, x := range n.list {
		if x.value == s {
			return x.name
		}
	}
	return ""
}

// see learns every secret that a machine holds.
func (n *names) see(m fsm.Machine) {
	d := m.Data
	if d.Config != nil {
		n.learn("initial-token", d.Config.InitialToken)
		if d.Config.Client != nil {
			n.learn("secret", d.Config.Client.Secret)
		}
		if d.Config.Provider != nil {
			n.learn("provider-secret", d.Config.Provider.Secret)
		}
	}
	n.learn("seed", d.Seed)
	if d.Assertion != nil && slices.Contains([]states.State{states.SigningToRedeem, states.Redeeming, states.SigningToRedeemAgain, states.RedeemingAgain}, m.State) {
		n.learn("id-jag", d.Assertion.Text)
	}
	if f := d.Flow; f != nil {
		if f.Verifier != "" {
			n.learn("verifier", f.Verifier)
			n.derive("challenge", wire.S256(f.Verifier.Reveal()), f.Verifier)
		}
		if f.State != "" {
			n.learn("state", f.State)
			n.derive("hash", states.StateHash(f.State), f.State)
		}
		n.client(f.Client)
		if f.Device != nil {
			n.learn("device-code", f.Device.Code)
			n.learn("user-code", f.Device.UserCode)
		}
		if cb, bad := wire.ParseCallback(f.Callback.Reveal()); bad == nil {
			n.learn("code", cb.Code)
		}
	}
	if d.Record != nil {
		n.token(d.Record.Current)
	}
	n.token(d.Obtained)
	if d.Adopted != nil {
		n.token(d.Adopted.Current)
	}
}

func (n *names) client(c wire.Client) {
	if c.Source == wire.SourceDynamic || c.Source == wire.SourceStored {
		n.learn("client", wire.Secret(c.ID))
	}
	n.learn("secret", c.Secret)
	n.learn("registration-token", c.RegistrationToken)
}

func (n *names) token(t *states.Token) {
	if t == nil {
		return
	}
	n.learn("access", t.AccessToken)
	n.learn("refresh", t.RefreshToken)
	n.client(t.Client)
	n.generation(t.Generation)
}

// generation names a token's generation: T1, T2 and so on.
func (n *names) generation(g states.Generation) string {
	if g == 0 {
		return "none"
	}
	i := slices.Index(n.tokens, g)
	if i < 0 {
		n.tokens = append(n.tokens, g)
		i = len(n.tokens) - 1
	}
	return fmt.Sprintf("T%d", i+1)
}

// hide puts the placeholders in place of the secrets.
func (n *names) hide(text string) string {
	for _, x := range n.list {
		text = strings.ReplaceAll(text, x.value, x.name)
		if q := url.QueryEscape(x.value); q != x.value {
			text = strings.ReplaceAll(text, q, x.name)
		}
	}
	return text
}

// reveal puts the secrets in place of the placeholders that a script uses.
func (n *names) reveal(text string) string {
	for _, x := range n.list {
		text = strings.ReplaceAll(text, x.name, x.value)
	}
	return text
}

package explore

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// print is the fingerprint of a situation: half a SHA-256 of its encoding.
type print [16]byte

// encoder writes a situation so that two that differ only in serial, seed,
// drawn values, or times of the same class write the same bytes. Secrets and
// generations are written as the order in which they first appear.
type encoder struct {
	b       []byte
	at      time.Time
	secrets []string
	entries []states.Generation
	tokens  []states.Generation
}

func (e *encoder) reset(at time.Time) {
	e.b, e.at = e.b[:0], at
	e.secrets, e.entries, e.tokens = e.secrets[:0], e.entries[:0], e.tokens[:0]
}

func (e *encoder) sum() print {
	s := sha256.Sum256(e.b)
	return print(s[:16])
}

func (e *encoder) byte(n byte) { e.b = append(e.b, n) }

func (e *encoder) wide(n uint16) { e.b = append(e.b, byte(n>>8), byte(n)) }

// num writes a counter, clipped, because no limit of the protocol is above the clip.
func (e *encoder) num(n int) { e.b = append(e.b, byte(min(n, clip))) }

// clip is where counters stop making a difference: it is above every limit of the
// protocol.
const clip = 12

func (e *encoder) flags(list ...bool) {
	var n byte
	for i, f := range list {
		if f {
			n |= 1 << (i % 8)
		}
		if i%8 == 7 {
			e.byte(n)
			n = 0
		}
	}
	e.byte(n)
}

func (e *encoder) text(s string) {
	e.b = append(e.b, byte(len(s)), byte(len(s)>>8))
	e.b = append(e.b, s...)
}

func (e *encoder) texts(list []string) {
	e.byte(byte(len(list)))
	for _, s := range list {
		e.text(s)
	}
}

// secret writes the order in which a secret, or a name that a server chose,
// first appeared.
func (e *encoder) secret(s string) {
	if s == "" {
		e.byte(0)
		return
	}
	i := slices.Index(e.secrets, s)
	if i < 0 {
		i = len(e.secrets)
		e.secrets = append(e.secrets, s)
	}
	e.byte(byte(i + 1))
}

func order(list *[]states.Generation, g states.Generation) byte {
	if g == 0 {
		return 0
	}
	i := slices.Index(*list, g)
	if i < 0 {
		i = len(*list)
		*list = append(*list, g)
	}
	return byte(i + 1)
}

func (e *encoder) entry(g states.Generation) { e.byte(order(&e.entries, g)) }
func (e *encoder) token(g states.Generation) { e.byte(order(&e.tokens, g)) }

// classes are the bounds between classes of times. They follow from the limits of the
// protocol: backoff and polling, exchange, lease, login, freshness, ledger.
var classes = []time.Duration{
	-24 * time.Hour, -time.Hour, -10 * time.Minute, 0, time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second,
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, time.Hour,
}

// timeClass is the class of a time relative to now.
func timeClass(t, now time.Time) byte {
	if t.IsZero() {
		return 0
	}
	d := t.Sub(now)
	for i, c := range classes {
		if d <= c {
			return byte(i + 1)
		}
	}
	return byte(len(classes) + 1)
}

func (e *encoder) time(t time.Time) { e.byte(timeClass(t, e.at)) }

func (e *encoder) device(v *states.Device) {
	if v == nil {
		return
	}
	e.flags(true)
	e.secret(v.Code.Reveal())
	e.secret(v.UserCode.Reveal())
	e.text(v.URL)
	e.text(v.Complete)
	e.text(v.Interval.String())
	e.time(v.Next)
}

func (e *encoder) machine(m *fsm.Machine) {
	d := &m.Data
	e.text(string(m.State))
	e.entry(d.Entry)
	e.credential(d.Record)
	e.time(d.FreshUntil)
	e.time(d.RenewAfter)
	e.flags(d.Accepted, d.NoRenew, d.LoginAsked, d.NewClient, d.Cancelled, d.NotBefore.IsZero(), d.Lease.Fence != 0, d.IdentityRefused)
	e.token(d.Rejected)
	e.secret(d.RefusedClient)
	e.challenge(d.Challenge)
	e.texts(d.Wanted)
	e.flow(d.Flow)
	e.time(d.Lease.Until)
	e.secret(d.Spent.Reveal())
	if d.Flow != nil {
		e.device(d.Flow.Device)
	}
	e.flags(d.Forget, d.Managed != nil, d.Flow != nil && d.Flow.AtDevice)
	if f := d.Managed; f != nil {
		e.text(f.Issuer)
		e.client(&f.Client)
		e.text(f.Redirects)
		e.entry(f.Entry)
	}
	if a := d.Assertion; a != nil {
		e.time(a.At)
		e.flags(true, a.Text != "")
	} else {
		e.flags(false, false)
	}
	if p := d.Proof; p != nil {
		e.time(p.At)
		e.flags(true, p.Text != "", p.Nonced, p.Dated, p.Nonce != "")
	}
	if n := d.Nonce; n != nil {
		e.flags(true, true)
		e.text(n.Issuer)
		e.secret(n.Value)
	}
	if d.ClockOffset != 0 {
		e.flags(true, true, true)
	}
	e.grant(d.Obtained)
	e.num(d.Rounds)
	e.num(d.Losses)
	e.num(d.MetadataAddress)
	e.time(d.WaitUntil)
	e.credential(d.Adopted)
	e.num(len(d.Retiring))
	for i := range d.Retiring {
		e.grant(&d.Retiring[i])
	}
	e.num(d.Tries)
	e.time(d.WakeAt)
	e.num(d.StepUps)
	e.fault(d.Fault)
}

func (e *encoder) fault(f *states.Fault) {
	if f == nil {
		e.byte(0)
		return
	}
	e.byte(1)
	e.text(string(f.Party))
	e.text(string(f.Event))
	e.problem(&f.Problem)
	e.flags(f.Transient)
}

func (e *encoder) problem(p *wire.Problem) {
	if p == nil {
		e.byte(0)
		return
	}
	e.text(string(p.Rule))
	e.flags(p.Refuse, p.Plain)
	if p.OAuth != nil {
		e.text(string(p.OAuth.Code))
	}
}

func (e *encoder) challenge(p *states.Challenge) {
	if p == nil {
		e.byte(0)
		return
	}
	e.byte(byte(p.Status % 251))
	e.token(p.Generation)
	e.flags(p.Found, p.HasScope, p.Named)
	e.problem(p.Unusable)
	e.text(string(p.Error))
	e.text(p.Metadata)
	e.texts(p.Scopes)
}

package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// An endpoint that is not there may have moved: the metadata of the issuer is
// read once more, and only a document that names the very same issuer counts
// (docs/decision-tables.md#t8a; rules asm-cache-bounded, issuer-refresh-bound). Nothing is
// sent to an address that the issuer does not name itself.

// notThere reports whether a response says that its address serves nothing.
func notThere(r wire.Response) bool {
	return r.Status == 404 || r.Status == 405 || r.Status == 410
}

// rereadIssuer lists the addresses of the issuer of this login, once in a login. If there
// was no metadata (the default endpoints of 2025-03-26), there is none to read again.
func (k *step) rereadIssuer() bool {
	f := k.flow()
	if f.MetadataReadAgain || k.Cancelled || f.Server.Defaults {
		return false
	}
	list := k.Config.ASMAddresses(f.Server.Issuer, f.Legacy)
	if len(list) == 0 {
		return false
	}
	f.Candidates, f.Candidate, f.MetadataReadAgain = list, 0, true
	k.Tries = 0
	return true
}

// samePolicy judges metadata that is read again: by all its rules, and only for the recorded
// issuer, character for character.
func (k *step) samePolicy(issuer, resource string, r states.Revision) wire.ASMPolicy {
	return wire.ASMPolicy{
		Issuer: issuer, Strict: true, RequirePKCE: r.AtLeast(states.R3), AssumeS256: k.assumeS256(issuer),
		Resource: resource, URL: wire.URLPolicy{AllowLoopbackHTTP: k.Config.Loopback},
	}
}

// reread judges an answer when metadata is read again. done says that the reading is over;
// then asm is what the issuer says now, or nil if it says nothing usable. Otherwise the event
// asks again: the same address, or the next one, to which next turns if there is one.
func (k *step) reread(p wire.ASMPolicy, next func() bool) (asm *wire.ASM, on Event, done bool) {
	const again = "the issuer's metadata was read once more: "
	switch in := k.in.(type) {
	case states.Responded:
		switch statusClass(in.Response) {
		case wire.ClassServer, wire.ClassThrottled:
			if k.again(retriesGet, &in.Response) {
				return nil, ASMTrouble, false
			}
			k.note(wire.Finding{Rule: rules.ASM5xxNotAbsent, Detail: again + statusText(in.Response)})
		default:
			m, found, bad := wire.ParseASM(in.Response, p)
			if bad == nil {
				k.note(found...)
				k.Tries = 0
				return &m, Illegal, true
			}
			if !remembersLess(bad) {
				k.note(wire.Finding{Rule: bad.Rule, Detail: again + bad.Detail})
			}
			if bad.Refuse {
				return nil, Illegal, true
			}
		}
	case states.Unreachable:
		bad, refused := unanswered(in)
		if !refused && in.Class != states.Late && k.again(retriesGet, nil) {
			return nil, ASMTrouble, false
		}
		k.note(wire.Finding{Rule: bad.Rule, Detail: again + bad.Detail})
		if refused {
			return nil, Illegal, true
		}
	default:
		return nil, Illegal, false
	}
	k.Tries = 0
	if next() {
		return nil, ASMMissing, false
	}
	return nil, Illegal, true
}

// rereadInLogin is reread for the login under way, which can be cancelled in the meantime.
func (k *step) rereadInLogin() (asm *wire.ASM, on Event, done bool) {
	if _, ok := k.in.(states.Cancelled); ok {
		return nil, k.cancelled(Cancelled), false
	}
	f := k.flow()
	asm, on, done = k.reread(k.samePolicy(f.Server.Issuer, f.Resource, f.Revision), func() bool {
		f.Candidate++
		return f.Candidate < len(f.Candidates)
	})
	if done {
		f.Candidates, f.Candidate = nil, 0
	}
	return asm, on, done
}

func (k *step) moved(what, from, to string) {
	k.note(wire.Finding{Rule: rules.IssuerRefreshBound, Detail: "under the same issuer the " + what + " moved from " +
		wire.Clean(from, 200) + " to " + wire.Clean(to, 200)})
}

package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// What the answer of a token endpoint means to every room that asks for a token without a
// user: in a login, and again under the lease.

// issuedOwn makes the new credential. A refresh token is not used: a new token is requested
// instead (RFC 6749 §4.4.3).
func (k *step) issuedOwn(tok wire.Token) Event {
	tok = k.withoutRefresh(tok)
	on := k.issued(tok)
	k.Obtained.Grant, k.Obtained.RefreshToken = states.OwnGrant, ""
	return on
}

func (k *step) withoutRefresh(tok wire.Token) wire.Token {
	if tok.RefreshToken != "" {
		rule, whose := rules.ExtCCRenew, "a token in the client's own name"
		if k.Config.Grant == states.EnterpriseGrant {
			rule, whose = rules.ExtEMANoRefresh, "a token for an ID-JAG"
		}
		k.note(wire.Finding{Rule: rule, Detail: "a refresh token came with " + whose + "; it is not used"})
		tok.RefreshToken = ""
	}
	return tok
}

// troubled reports whether an answer only says that the issuer cannot answer now.
func (k *step) troubled(r wire.Response, bad *wire.Problem) (bool, wire.Problem) {
	switch statusClass(r) {
	case wire.ClassThrottled:
		return true, *bad
	case wire.ClassServer:
		return true, wire.Problem{Rule: rules.TokenResp200, Detail: statusText(r)}
	}
	if bad.OAuth != nil && (bad.OAuth.Code == wire.CodeServerError || bad.OAuth.Code == wire.CodeTemporarilyUnavailable) {
		return true, *bad
	}
	return false, wire.Problem{}
}

// noTokenInLogin takes the answers of a token endpoint that say nothing about what was
// presented; retry is the event of another try. It is Illegal for the others.
func (k *step) noTokenInLogin(r wire.Response, bad *wire.Problem, retry Event) Event {
	trouble, detail := k.troubled(r, bad)
	switch {
	case trouble && !k.Cancelled && k.again(retriesPost, &r):
		return retry
	case trouble:
		return k.inTrouble(RequestUnreachable, states.PartyPeer, detail)
	case bad.OAuth == nil:
		return k.fail(TokenRefused, states.PartyPeer, *bad)
	}
	return Illegal
}

// unansweredInLogin takes what else may come in place of the answer of a token endpoint:
// nobody answered, or the program was interrupted. retry is the event of another try, again
// that of the same step made anew.
func (k *step) unansweredInLogin(retry, again Event) Event {
	switch in := k.in.(type) {
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.fail(RequestDenied, partyOf(p), p)
		case !k.Cancelled && k.again(retriesPost, nil):
			return retry
		}
		return k.inTrouble(RequestUnreachable, partyInTrouble(p), p)
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return again
	}
	return Illegal
}

// noTokenAgain is noTokenInLogin for a renewal.
func (k *step) noTokenAgain(r wire.Response, bad *wire.Problem, retry Event) Event {
	trouble, detail := k.troubled(r, bad)
	switch {
	case trouble && k.again(retriesPost, &r):
		return retry
	case trouble:
		k.putOff(r)
		return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, detail))
	case bad.OAuth == nil:
		return k.refusedForGood(RenewalDenied, states.PartyPeer, bad)
	}
	return Illegal
}

// unansweredAgain is unansweredInLogin for a renewal.
func (k *step) unansweredAgain(retry, again Event) Event {
	switch in := k.in.(type) {
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.keepIt(RefreshRefused, partyOf(p), p)
		case in.Class != states.Late && k.again(retriesPost, nil):
			return retry
		}
		return k.transient(k.keepIt(RefreshUnreachable, partyInTrouble(p), p))
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return again
	}
	return Illegal
}

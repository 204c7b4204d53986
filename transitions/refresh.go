package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func refreshing(k *step) Event {
	switch in := k.in.(type) {
	case states.Responded:
		tok, found, bad := wire.ParseToken(in.Response, k.tokenPolicy(k.Token().Server.Issuer))
		k.note(found...)
		if bad == nil {
			return k.refreshed(tok)
		}
		return k.refreshRefused(in.Response, bad)
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.keepIt(RefreshRefused, partyOf(p), p)
		case in.Class == states.Lost:
			return k.answerLost(p)
		case in.Class == states.Unsent && k.again(retriesGet, nil):
			return RefreshTrouble
		}
		return k.passing(k.keepIt(RefreshUnreachable, partyInTrouble(p), p))
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return k.answerLost(wire.Problem{Rule: rules.RefreshAmbiguousOnce, Detail: "the program was interrupted while refreshing"})
	}
	return Illegal
}

// answerLost: the token may have been spent. The record shows the intent, and
// reading it decides (rule refresh-ambiguous-once).
func (k *step) answerLost(p wire.Problem) Event {
	k.note(wire.Finding{Rule: rules.RefreshAmbiguousOnce, Detail: "the answer to a refresh was lost: " + p.Detail})
	return AnswerLost
}

func (k *step) refreshed(tok wire.Token) Event {
	old := k.Token()
	t := k.newToken(tok, old.Requested)
	if !tok.HasScope {
		t.Granted = old.Granted
	}
	t.Server, t.Client, t.Resource = old.Server, old.Client, old.Resource
	t.Metadata, t.Listed, t.Revision, t.RedirectURI = old.Metadata, old.Listed, old.Revision, old.RedirectURI
	t.Rotates = old.Rotates || t.RefreshToken != "" && t.RefreshToken != old.RefreshToken
	if t.RefreshToken == "" {
		t.RefreshToken = old.RefreshToken // RFC 6749 §6: a new one is optional
	}
	t.Climbed = states.Ladder{Refreshed: old.Generation == k.Rejected, LoggedIn: k.climbed().LoggedIn}
	if lost := wire.Missing(t.Granted, old.Granted); len(lost) > 0 {
		k.note(wire.Finding{Rule: rules.TokenRespScopeNarrowed, Detail: "refreshed without " + wire.Clean(wire.JoinScope(lost), 200)})
	}
	k.Obtained, k.FreshUntil, k.Accepted = &t, t.Expires, false
	return TokenRefreshed
}

// keepIt ends the refresh without having spent the token: nothing of the
// credential changes but the intent, which is taken back.
func (k *step) keepIt(on Event, party states.Party, p wire.Problem) Event {
	k.fail(on, party, p)
	r := *k.Record
	r.Intent = nil
	if was := k.Record.Intent; was != nil && was.Attempt > 1 {
		i := *was
		i.Attempt--
		i.Until = k.at // nobody is at work on it now
		r.Intent = &i
	}
	k.Record, k.Spent = &r, ""
	return on
}

// putOff honours a Retry-After that is longer than a refresh can wait (rule
// net-retry-after).
func (k *step) putOff(r wire.Response) {
	if after, ok := wire.RetryAfter(r, k.at); ok {
		k.pause(after)
	}
}

// count keeps count of refusals that are no OAuth error.
func (k *step) count() {
	r, t := *k.Record, *k.Record.Current
	if t.Refusals == 0 {
		t.RefusedSince = k.at
	}
	t.Refusals++
	r.Current, k.Record = &t, &r
}

func (k *step) refreshRefused(r wire.Response, bad *wire.Problem) Event {
	switch statusClass(r) {
	case wire.ClassThrottled:
		if k.again(retriesPost, &r) {
			return RefreshTrouble
		}
		k.putOff(r)
		return k.passing(k.keepIt(RefreshUnreachable, states.PartyPeer, *bad))
	case wire.ClassServer:
		most := retriesPost
		if k.Token().Rotates {
			most = 1
		}
		if k.again(most, &r) {
			return RefreshTrouble
		}
		k.putOff(r)
		return k.passing(k.keepIt(RefreshUnreachable, states.PartyPeer, wire.Problem{Rule: rules.TokenResp200, Detail: statusText(r)}))
	case wire.ClassRedirect:
		return k.keepIt(RefreshRefused, states.PartyPeer, wire.Problem{Rule: rules.NetRedirectPost, Detail: statusText(r), Refuse: true})
	}
	bad = basicRefusal(r, bad)
	if bad.OAuth != nil {
		return k.refreshError(bad)
	}
	if r.Status >= 200 && r.Status < 300 {
		// A success that cannot be read: the token may have been spent.
		return k.answerLost(*bad)
	}
	if notThere(r) && k.rereadForRefresh() {
		return k.fail(EndpointGone, states.PartyPeer, *bad)
	}
	return k.counted(bad)
}

// counted ends the refresh after a refusal that says nothing definite: the
// credential stays, the refusal is counted, and the same may succeed later.
func (k *step) counted(bad *wire.Problem) Event {
	k.count()
	return k.passing(k.keepIt(RefreshRefused, states.PartyPeer, *bad))
}

// refreshError goes by the error code (docs/decision-tables.md#t8b, column Refreshing).
func (k *step) refreshError(bad *wire.Problem) Event {
	t := k.Token()
	switch bad.OAuth.Code {
	case "invalid_grant":
		k.fail(GrantInvalid, states.PartyPeer, *bad)
		return GrantInvalid
	case "invalid_client":
		if other, ok := wire.OtherMethod(t.Client, t.Server.AuthMethods); ok && k.Tries == 0 {
			r, c := *k.Record, *t
			c.Client = other
			r.Current, k.Record, k.Tries = &c, &r, 1
			return MethodRetried
		}
		k.NoRenew = true
		if dynamic(t.Client) {
			k.RefusedClient = t.Client.ID
			return k.keepIt(ClientUnknown, states.PartyPeer, *bad)
		}
		return k.keepIt(ClientRefused, partyOfClient(t.Client), *bad)
	case "server_error", "temporarily_unavailable":
		if k.again(retriesPost, nil) {
			return RefreshTrouble
		}
		return k.passing(k.keepIt(RefreshUnreachable, states.PartyPeer, *bad))
	}
	if !slices.Contains(definite, bad.OAuth.Code) && !slices.Contains(needsLogin, bad.OAuth.Code) {
		return k.counted(bad)
	}
	k.NoRenew = true
	return k.keepIt(RefreshRefused, states.PartyPeer, *bad)
}

// definite are the codes that the same request would meet again: it is not
// repeated with this token.
var definite = []string{"invalid_request", "invalid_scope", "invalid_target", "access_denied"}

// needsLogin are the codes after which only a login helps.
var needsLogin = []string{
	"invalid_client", "unauthorized_client", "unsupported_grant_type",
	"interaction_required", "login_required", "consent_required", "account_selection_required",
}

// rereadForRefresh is rereadIssuer for the issuer of the held token, once for
// each intent that is marked.
func (k *step) rereadForRefresh() bool {
	t := k.Token()
	if k.Reread > 0 || t.Server.Defaults || len(k.Config.ASMAddresses(t.Server.Issuer, t.Revision == states.R1)) == 0 {
		return false
	}
	k.Reread, k.Tries = 1, 0
	return true
}

// rereadingToRefresh: the refresh token was not taken, since nothing is there;
// it is sent once more where the same issuer says that its token endpoint is
// now. The intent in the record stands for this sending too.
func rereadingToRefresh(k *step) Event {
	t := k.Token()
	asm, on, done := k.reread(k.samePolicy(t.Server.Issuer, t.Resource, t.Revision), func() bool {
		if k.Reread >= len(k.Config.ASMAddresses(t.Server.Issuer, t.Revision == states.R1)) {
			return false
		}
		k.Reread++
		return true
	})
	if !done {
		return on
	}
	if was := t.Server.TokenEndpoint; asm != nil && asm.TokenEndpoint != was {
		k.moved("token endpoint", was, asm.TokenEndpoint)
		r, c := *k.Record, *t
		c.Server = *asm
		r.Current, k.Record, k.Fault = &c, &r, nil
		return EndpointMoved
	}
	p := k.Fault.Problem
	return k.counted(&p)
}

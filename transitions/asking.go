package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// answer gives the host's answer, or the default when the host gave none in
// time; ok is false when the input is no answer.
func (k *step) answer(def string) (value string, values []string, ok bool) {
	switch in := k.in.(type) {
	case states.Answered:
		if in.Value == "" && len(in.Values) == 0 {
			return def, nil, true
		}
		return in.Value, in.Values, true
	case states.Ticked:
		if !k.at.Before(k.Flow.Deadline) {
			// The next question has its own time limit. Otherwise nothing that follows could be
			// asked again.
			k.flow().Deadline = k.at.Add(k.Config.UserWait() + states.ParkedGrace)
			return def, nil, true
		}
	}
	return "", nil, false
}

func approvingResource(k *step) Event {
	if _, ok := k.in.(states.Cancelled); ok {
		return k.cancelled(Cancelled)
	}
	switch v, _, _ := k.answer("yes"); v {
	case "yes":
		return k.ask(states.AskIssuer)
	case "no":
		return k.fail(ResourceDeclined, states.PartyHost, wire.Problem{
			Rule: rules.IssuerTrustFirstUse, Detail: "the resource was declined",
		})
	}
	return Illegal
}

func choosingIssuer(k *step) Event {
	if _, ok := k.in.(states.Cancelled); ok {
		return k.cancelled(Cancelled)
	}
	v, _, _ := k.answer(k.Flow.Issuers[0])
	if !slices.Contains(k.Flow.Issuers, v) {
		return Illegal
	}
	f := k.flow()
	f.Issuers = []string{v}
	return k.ask(states.AskScopes)
}

func choosingScopes(k *step) Event {
	if _, ok := k.in.(states.Cancelled); ok {
		return k.cancelled(Cancelled)
	}
	_, values, ok := k.answer("default")
	if !ok {
		return Illegal
	}
	f := k.flow()
	if len(values) > 0 {
		if dropped := wire.Missing(values, f.Scopes); len(dropped) > 0 {
			k.note(wire.Finding{Rule: rules.TokenRespScopeNarrowed, Detail: "the host asks for less: " + wire.Clean(wire.JoinScope(dropped), 200)})
		}
		f.Scopes = values
	}
	if f.Server.Issuer != "" {
		return ScopesChosenAgain
	}
	k.probeIssuer()
	return ScopesChosen
}

// ask goes through what the host may want to decide, from q on, in this order: resource,
// issuer, scopes. Then discovery continues.
func (k *step) ask(q states.Question) Event {
	c := k.Config
	switch q {
	case states.AskResource:
		if c.HostDecides(states.AskResource) {
			return ResourceToApprove
		}
		fallthrough
	case states.AskIssuer:
		if c.HostDecides(states.AskIssuer) && len(k.Flow.Issuers) > 1 {
			return IssuersToChoose
		}
		fallthrough
	case states.AskScopes:
		if c.HostDecides(states.AskScopes) {
			return ScopesToChoose
		}
	default: // the others need nothing here
	}
	k.probeIssuer()
	switch k.state {
	case states.ApprovingResource:
		return ResourceApproved
	case states.ChoosingIssuer:
		return IssuerChosen
	default: // the others need nothing here
	}
	return PRMFound
}

package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Metadata of a resource, an issuer or an identity provider is searched for at several
// addresses in turn.

// A document is metadata of the resource or of an issuer, which is searched for at several
// addresses in turn. The state says which of the two it is. Functions in this struct would
// put the facts of every step on the heap.
type document struct {
	noAnswer rules.ID // the rule that a 5xx or a 429 meets
	again    Event    // the same address is asked again
	refused  Event    // the address must not be asked
}

// probed reads the result of asking one address for a document.
func (k *step) probed(d document) Event {
	switch in := k.in.(type) {
	case states.Responded:
		switch statusClass(in.Response) {
		case wire.ClassServer, wire.ClassThrottled:
			return k.noUsableAnswer(d, wire.Problem{Rule: d.noAnswer, Detail: statusText(in.Response)}, &in.Response)
		}
		return k.judgeDocument(in.Response)
	case states.Unreachable:
		p, refused := unanswered(in)
		if refused {
			return k.fail(d.refused, partyOf(p), p)
		}
		return k.noUsableAnswer(d, p, nil)
	case states.Cancelled:
		return k.cancelled(Cancelled)
	}
	return Illegal
}

// judgeDocument says what an answer means. nextAddress turns to the next address, or ends
// the search.
func (k *step) judgeDocument(r wire.Response) Event {
	switch k.state {
	case states.DiscoveringPRM:
		return k.judgePRM(r)
	case states.DiscoveringProvider:
		return k.judgeProvider(r)
	default:
		return k.judgeASM(r)
	}
}

func (k *step) nextAddress() Event {
	switch k.state {
	case states.DiscoveringPRM:
		return k.nextPRM()
	case states.DiscoveringProvider:
		return k.nextProvider()
	default:
		return k.nextASM()
	}
}

// noUsableAnswer: no usable answer came. That never means "not there": other addresses may
// still be tried, but the rows of 2025-03-26 may not (rule asm-5xx-not-absent).
func (k *step) noUsableAnswer(d document, p wire.Problem, r *wire.Response) Event {
	if k.again(k.retries(), r) {
		return d.again
	}
	f := k.flow()
	f.Trouble = true
	if f.Remembered == nil || remembersLess(f.Remembered) {
		f.Remembered = &p
	}
	return k.nextAddress()
}

// retries is how often a metadata document is asked for again. Only the first address is
// asked again: otherwise servers that list many issuers, or never answer, would delay a
// login for minutes (rule net-backoff-bounded).
func (k *step) retries() int {
	if f := k.Flow; f.Candidate > 0 || f.Issuer > 0 {
		return 0
	}
	return retriesGet
}

// remember keeps the first finding that says more than "not there": it is cited
// when the search ends without a document.
func (k *step) remember(bad *wire.Problem) {
	if f := k.flow(); f.Remembered == nil || remembersLess(f.Remembered) && !remembersLess(bad) {
		f.Remembered = bad
	}
}

// remembersLess reports whether a problem says only that nothing was there.
func remembersLess(p *wire.Problem) bool {
	switch p.Rule {
	case rules.PRMServed, rules.PRMPublic, rules.PRMStatus200,
		rules.ASMServed, rules.ASM4xxContinues, rules.ASMStatus200:
		return true
	}
	return false
}

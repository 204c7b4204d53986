package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// proofs gives the requests that carry a proof of possession. The judgement ends if there
// is none.
func (j *judgement) proofs() []*Exchange {
	if !j.began() {
		return nil
	}
	var out []*Exchange
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; len(x.sent("DPoP")) > 0 {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		j.end(NotApplicable, "the client sends no proofs of possession")
	}
	return out
}

// proving judges clients that send proofs.
func proving(judge func(*judgement)) func(*judgement) {
	return func(j *judgement) {
		if len(j.proofs()) > 0 {
			judge(j)
		}
	}
}

// proofFaults are what a trap sees in the text of proofs, and the rule that it breaks.
var proofFaults = []struct {
	what string
	rule rules.ID
}{
	{SeenProofType, rules.ExtDPoPProofForm}, {SeenProofAlg, rules.ExtDPoPProofForm}, {SeenProofPrivate, rules.ExtDPoPProofForm},
	{SeenProofClaims, rules.ExtDPoPProofForm}, {SeenProofToken, rules.ExtDPoPProofForm}, {SeenProofTarget, rules.ExtDPoPHTU},
	{SeenProofAgain, rules.ExtDPoPFresh}, {SeenProofTime, rules.ExtDPoPFresh}, {SeenProofKey, rules.ExtDPoPRefreshKey},
}

func judgeProofForms(j *judgement) {
	all := j.proofs()
	if len(all) == 0 {
		return
	}
	for _, f := range proofFaults {
		if j.e.saw(f.what) {
			found := j.fail(all[0], f.what)
			found.Layer, found.Rules = Client, []rules.ID{f.rule}
		}
	}
	bound := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		n := len(x.sent("DPoP"))
		says, rule := "", rules.ID("")
		switch {
		case n > 1:
			says, rule = "a request carries two proofs", rules.ExtDPoPOneHeader
		case n == 0 && (x.Leg == LegToken || x.Leg == LegRefresh):
			says, rule = "a token is asked for without a proof, although the client sends proofs", rules.ExtDPoPTokenProof
		case bound && n == 0 && x.Leg == LegMCP && len(x.sent("Authorization")) > 0:
			says, rule = "a bound token is used without a proof", rules.ExtDPoPScheme
		case bound && x.Leg == LegMCP && strings.HasPrefix(strings.ToLower(strings.Join(x.sent("Authorization"), "")), "bearer "):
			says, rule = "a bound token is sent as Bearer", rules.ExtDPoPScheme
		}
		if says != "" {
			f := j.fail(x, says)
			f.Layer, f.Rules = Client, []rules.ID{rule}
		}
		bound = bound || gives(x) && strings.EqualFold(x.says("token_type"), "DPoP")
	}
}

// atMostProofs: a request is repeated once for a nonce. Every code and refresh token may be
// sent twice, and some calls to the resource may be made by the client's own will.
func atMostProofs(legs ...Leg) func(*judgement) {
	return func(j *judgement) {
		const most = 24 // three logins with four calls each, all repeated once
		asked := slices.DeleteFunc(j.e.legs(legs...), func(x *Exchange) bool { return len(x.sent("DPoP")) == 0 })
		if len(asked) == 0 {
			j.end(CouldNotRun, "no proof came here"+j.e.lastWords())
			return
		}
		count, limit := map[string]int{}, 2
		for _, x := range asked {
			form := requestForm(x)
			key, _ := form.Get("code")
			if refresh, has := form.Get("refresh_token"); has {
				key = refresh
			}
			if x.Leg == LegMCP {
				key, limit = "", most
			}
			if count[key]++; count[key] > limit {
				j.fail(x, "the client repeats a request again and again for another nonce").differ(fmt.Sprintf("%d at most", limit), "more").Layer = Client
				return
			}
		}
	}
}

func judgeProofAlgs(j *judgement) {
	if !j.began() {
		return
	}
	if j.e.saw(SeenProofAlg) {
		x := j.e.first(LegToken)
		j.fail(x, SeenProofAlg).Layer = Client
		return
	}
	if j.e.first(LegToken) == nil {
		j.end(CouldNotRun, "the client asked for no token"+j.e.lastWords())
	}
}

// device gives the requests for codes and the polls of the device grant. The judgement ends
// if there are none.
func (j *judgement) device() (asked, polls []*Exchange) {
	if !j.began() {
		return nil, nil
	}
	at := map[string]bool{}
	for _, m := range j.e.reading().asm {
		u, _, _ := m.obj.String("device_authorization_endpoint")
		at[u] = u != ""
	}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if at[x.Request.URL] {
			asked = append(asked, x)
		}
		if grant, _ := requestForm(x).Get("grant_type"); grant == "urn:ietf:params:oauth:grant-type:device_code" {
			polls = append(polls, x)
		}
	}
	if len(asked) == 0 {
		j.end(NotApplicable, "the client does not use the device grant")
	}
	return asked, polls
}

func judgePace(j *judgement) {
	asked, polls := j.device()
	if len(asked) == 0 {
		return
	}
	if len(polls) < 3 {
		j.end(CouldNotRun, "the client stopped polling"+j.e.lastWords())
	}
	interval := deviceInterval
	for i, x := range polls {
		since := asked[0]
		if i > 0 {
			since = polls[i-1]
			if since.says("error") == "slow_down" {
				interval += 5 * time.Second
			}
		}
		waited := x.At - since.At
		// The first poll may come at once: RFC 8628 speaks of the time between polls.
		if i > 0 && waited < interval*9/10 {
			f := j.fail(x, "the client polls sooner than it was told").differ(interval.String(), waited.Round(10*time.Millisecond).String())
			if f.Layer = Client; interval > deviceInterval {
				f.Rules = []rules.ID{rules.ExtDeviceSlowDown}
			}
			return
		}
	}
}

func judgeDeviceEnd(j *judgement) {
	asked, polls := j.device()
	switch {
	case len(asked) == 0:
	case len(polls) == 0:
		j.end(CouldNotRun, "the client did not poll"+j.e.lastWords())
	case len(polls) > 1 && len(asked) == 1:
		j.fail(polls[1], "the client polls again after the end").differ("1", fmt.Sprint(len(polls))).Layer = Client
	case len(asked) > 1:
		j.fail(asked[1], "the client begins anew by itself after the end").differ("1", fmt.Sprint(len(asked))).Layer = Client
	}
}

func judgeDevicePage(j *judgement) {
	if asked, _ := j.device(); len(asked) == 0 {
		return
	}
	for _, run := range j.e.Runs {
		for _, u := range run.Opened {
			if strings.HasPrefix(strings.ToLower(u), "javascript:") {
				j.fail(nil, "the client opens a javascript: address").differ("nothing", u).Layer = Client
			}
		}
		if run.Escapes {
			j.fail(nil, "the client's output holds terminal escapes that a server wrote").Layer = Client
		}
	}
}

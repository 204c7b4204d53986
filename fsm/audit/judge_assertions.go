package audit

import (
	"fmt"
	"slices"

	"github.com/stile-oauth/stile/states/wire"
)

// judgeBrought expects that each of the named assertions is refused, where a good one
// gives a token.
func judgeBrought(prefix string, names []string) func(*judgement) {
	return func(j *judgement) {
		right := j.e.probe(prefix + "right")
		switch {
		case prefix == probeJAG && (j.e.Account == nil || j.e.Account.IdP == "" || j.e.Account.CCClient == ""):
			j.end(CouldNotRun, "no identity provider that the issuer trusts was given with its key, or no client (--idp, --cc-client)")
			return
		case prefix == probeWorkload && (j.e.Account == nil || j.e.Account.Workload == ""):
			j.end(CouldNotRun, "no issuer of workloads that the issuer trusts was given with its key (--workload-issuer)")
			return
		case right == nil || right.Response == nil:
			j.end(CouldNotRun, unasked(right))
			return
		case !gives(right):
			why := fmt.Sprint(right.status())
			if e := wire.ParseOAuthError(*right.Response); e != nil {
				why += " " + e.String()
			}
			j.end(CouldNotRun, "a good assertion is refused as well: "+why)
			return
		}
		some := false
		for _, name := range names {
			x := j.e.probe(prefix + name)
			if x == nil || x.Response == nil {
				continue
			}
			some = true
			says := brings(name)
			e := wire.ParseOAuthError(*x.Response)
			switch {
			case gives(x):
				j.fail(x, says+" gives a token").differ("400 invalid_grant", "200")
			case x.status() == 429 || x.status() == 503:
			case x.status() != 400 || e == nil || e.Code != "invalid_grant" && (name != "resource" || e.Code != "invalid_target"):
				got := fmt.Sprint(x.status())
				if e != nil {
					got += " " + string(e.Code)
				}
				j.fail(x, says+" is not refused with 400 invalid_grant").differ("400 invalid_grant", got).Severity = Low
			}
		}
		if !some {
			j.end(CouldNotRun, "nothing wrong was brought")
		}
	}
}

// brings says what is wrong with an assertion.
func brings(name string) string {
	if i := slices.IndexFunc(wrongAssertions, func(w wrongAssertion) bool { return w.name == name }); i >= 0 {
		return wrongAssertions[i].says
	}
	return "an assertion that was used before"
}

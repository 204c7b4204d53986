package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// proving ends a check about proofs where there is nothing to try.
func (j *judgement) proving() bool {
	algs := j.e.proofLists()
	switch {
	case j.e.Account == nil:
		j.end(CouldNotRun, "nobody logged in (--login)")
	case len(j.e.reading().asm) == 0:
		j.answer(proofToken)
	case len(algs) == 0:
		j.end(NotApplicable, "the issuer lists no algorithms for proofs")
	case !slices.Contains(algs, proofAlg):
		j.end(CouldNotRun, "the issuer does not list "+proofAlg+", which the audit signs with")
	default:
		return true
	}
	return false
}

// offClock says by how much the clock of a server differs from that of the audit, if
// proofs cannot be good because of it.
func (x *Exchange) offClock() string {
	date := x.got("Date")
	if len(date) != 1 || x.Clock.IsZero() {
		return ""
	}
	there, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", date[0])
	if d := there.Sub(x.Clock); err == nil && d.Abs() >= wire.ProofWindow-time.Minute {
		return d.Round(time.Second).String()
	}
	return ""
}

// refusedProof judges the refusal of a good proof. It reports whether the refusal was
// about the proof.
func (j *judgement) refusedProof(x *Exchange, where string, nonce, form rules.ID) bool {
	switch code := x.proofError(); {
	case code == "use_dpop_nonce" && strings.HasSuffix(x.Probe, retried):
		j.fail(x, where+" asks for another nonce after the one that it gave").Rules = []rules.ID{rules.ExtDPoPNonceCap, nonce}
	case code == "use_dpop_nonce":
		j.fail(x, where+" asks for a nonce and gives none").differ("DPoP-Nonce", "").Rules = []rules.ID{nonce}
	case code == "invalid_dpop_proof" && x.offClock() != "":
		f := j.fail(x, where+" refuses a proof, and its clock differs from that of the audit").differ("0s", x.offClock())
		f.Rules, f.Confidence = []rules.ID{rules.ExtDPoPClock, form}, Likely
	case code == "invalid_dpop_proof":
		f := j.fail(x, where+" refuses a proof that is good; behind a proxy, htu may be compared with the address inside").differ("a token, or an answer", code)
		f.Rules, f.Confidence = []rules.ID{form, rules.ExtDPoPHTU}, Likely
	default:
		return false
	}
	return true
}

func judgeBoundToken(j *judgement) {
	if !j.proving() || j.answer(proofToken) == nil {
		return
	}
	x := j.e.last(proofToken)
	if x.Response == nil {
		j.answer(x.Probe)
		return
	}
	if !gives(x) {
		if !j.refusedProof(x, "the token endpoint", rules.ExtDPoPASNonce, rules.ExtDPoPTokenProof) {
			j.end(CouldNotRun, fmt.Sprintf("the code was answered %d", x.status()))
		}
		return
	}
	if kind, _ := j.e.member(x.Probe, "token_type"); !strings.EqualFold(kind, "DPoP") {
		f := j.fail(x, "the issuer lists algorithms for proofs, and gives a token that is not bound to the key of the proof").differ("DPoP", kind)
		f.Rules = []rules.ID{rules.ExtDPoPType}
	}
}

// boundToken ends a check about the use of a bound token if there is none.
func (j *judgement) boundToken() bool {
	if !j.proving() || j.answer(proofToken) == nil {
		return false
	}
	x := j.e.last(proofToken)
	if kind, _ := j.e.member(x.Probe, "token_type"); !gives(x) || !strings.EqualFold(kind, "DPoP") {
		j.end(CouldNotRun, "the issuer gave no bound token (ext.dpop-token)")
		return false
	}
	return true
}

// takesProofs reports whether the MCP server says that it knows proofs, or shows it.
func (e *Evidence) takesProofs() bool {
	for _, m := range e.reading().prm {
		if algs, _, _ := m.obj.Strings("dpop_signing_alg_values_supported"); len(algs) > 0 {
			return true
		}
	}
	x := e.lastProof()
	return e.demandsProofs() || x != nil && x.Response != nil && (letIn(x) || x.proofError() != "")
}

// demandsProofs reports whether the MCP server says that it takes bound tokens alone.
func (e *Evidence) demandsProofs() bool {
	return slices.ContainsFunc(e.reading().prm, func(m document) bool {
		required, _, _ := m.obj.Bool("dpop_bound_access_tokens_required")
		return required
	})
}

// noProofs is said of a server that does not know proofs.
const noProofs = "the server takes no proofs, and nothing of it says that it does"

func judgeProofs(j *judgement) {
	if !j.boundToken() || j.answer(proofCall) == nil {
		return
	}
	x := j.e.lastProof()
	switch {
	case x.Response == nil:
		j.answer(x.Probe)
		return
	case letIn(x): // now the others say something
	case !j.e.takesProofs():
		j.end(NotApplicable, noProofs)
		return
	case j.refusedProof(x, "the server", rules.ExtDPoPRSNonce, rules.ExtDPoPRSValidate):
		return
	default:
		j.end(CouldNotRun, fmt.Sprintf("the bound token with a good proof is answered %d", x.status()))
		return
	}
	if bare := j.answer(proofBad + "absent"); bare == nil {
		return
	} else if letIn(bare) {
		j.fail(bare, "a bound token is let in without any proof").differ("401", fmt.Sprint(bare.status())).Rules = []rules.ID{rules.ExtDPoPRSValidate}
		return
	}
	for _, d := range defects {
		bad := j.e.probe(proofBad + d.name)
		if bad == nil || bad.Response == nil {
			continue
		}
		switch s := bad.status(); {
		case letIn(bad):
			f := j.fail(bad, "a request is let in with a proof "+d.says).differ("401", fmt.Sprint(s))
			if f.Rules = []rules.ID{d.rule}; d.severity != "" {
				f.Severity = d.severity
			}
		case s == 429 || s == 503 || s == 400 && d.name == "twice":
		case s != 401:
			f := j.fail(bad, "a proof "+d.says+" is not answered 401").differ("401", fmt.Sprint(s))
			f.Rules, f.Severity = []rules.ID{rules.ExtDPoPRS401}, Low
		case bad.proofError() == "":
			f := j.fail(bad, "the refusal of a proof has no DPoP challenge with an error").differ(`DPoP error="invalid_dpop_proof"`, strings.Join(bad.got("WWW-Authenticate"), ", "))
			f.Rules, f.Severity = []rules.ID{rules.ExtDPoPRS401}, Low
		}
	}
}

func judgeDowngrade(j *judgement) {
	if !j.boundToken() || j.answer(proofCall) == nil {
		return
	}
	if x := j.e.probe(proofless + ".call"); x != nil && x.Response != nil && letIn(x) {
		f := j.fail(x, "the metadata says that every token has to be bound to a key, and one that is not is let in").differ("401", fmt.Sprint(x.status()))
		f.Rules, f.Severity, f.Layer = []rules.ID{rules.PRMDPoPRequired}, Low, MCPServer
	}
	if !j.e.takesProofs() {
		j.end(NotApplicable, noProofs)
		return
	}
	if x := j.answer(proofDown); x != nil && letIn(x) {
		j.fail(x, "a token that is bound to a key is let in as a bearer token").differ("401", fmt.Sprint(x.status())).Layer = MCPServer
		return
	}
	if x := j.e.lastProof(); !letIn(x) {
		j.end(CouldNotRun, fmt.Sprintf("the bound token with a good proof is answered %d as well (ext.dpop-rs)", x.status()))
	}
}

func judgeProofKey(j *judgement) {
	if !j.boundToken() {
		return
	}
	if j.e.Account.ClientID != "" && len(j.e.last(proofToken).sent("Authorization"))+len(requestSecret(j.e.last(proofToken))) > 0 {
		j.end(NotApplicable, "the client has a secret, and its refresh tokens need no key")
		return
	}
	if j.e.probe(probeProof+"refresh.bare") == nil {
		if _, ok := j.e.member(j.e.last(proofToken).Probe, "refresh_token"); !ok {
			j.end(NotApplicable, "no refresh token is issued")
			return
		}
	}
	for _, way := range [][2]string{{"refresh.bare", "a bound refresh token is spent without a proof"}, {"refresh.other", "a bound refresh token is spent with a proof by another key"}} {
		x := j.e.last(probeProof + way[0])
		if x == nil || x.Response == nil {
			break
		}
		if gives(x) {
			j.fail(x, way[1]).differ("400 invalid_grant", "200").Layer = AuthServer
			return
		}
	}
	if x := j.answer(probeProof + "refresh.right"); x != nil && !gives(j.e.last(probeProof+"refresh.right")) {
		j.end(CouldNotRun, "the refresh token does not work with the right key either")
	}
}

// requestSecret is the secret that a token request has in its form.
func requestSecret(x *Exchange) string {
	s, _ := requestForm(x).Get("client_secret")
	return s
}

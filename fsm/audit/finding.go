package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Outcome is how a check ended.
type Outcome string

// The outcomes. Only Pass and Fail say something about the server; a check that
// could not run is never counted as passed.
const (
	Pass          Outcome = "pass"
	Fail          Outcome = "fail"
	Warn          Outcome = "warn" // it failed, and a policy accepts that
	Fact          Outcome = "info"
	NotApplicable Outcome = "not-applicable" // the server makes no such claim
	CouldNotRun   Outcome = "could-not-run"  // the evidence does not show it; Why says what is missing
	NotSelected   Outcome = "not-selected"
)

// Confidence says how many explanations the evidence leaves open.
type Confidence string

// The confidences.
const (
	Proved Confidence = "proved" // the bytes show it
	Likely Confidence = "likely" // one other explanation remains
	Guess  Confidence = "guess"
)

// Layer says whose fault a finding is.
type Layer string

// The layers.
const (
	MCPServer  Layer = "mcp-server"
	AuthServer Layer = "auth-server"
	Client     Layer = "client"
	Operator   Layer = "operator"
)

// Finding is one thing that is wrong, with the evidence for it.
type Finding struct {
	Check      string     `json:"check"`
	Rules      []rules.ID `json:"rules"`
	Severity   Severity   `json:"severity"`
	Confidence Confidence `json:"confidence"`
	Threat     Threat     `json:"threat"`
	Layer      Layer      `json:"layer"`
	Says       string     `json:"says"`           // what is wrong, one sentence
	Want       string     `json:"want,omitempty"` // the two strings that differ
	Got        string     `json:"got,omitempty"`
	Exchange   int        `json:"exchange"`        // which exchange shows it, from 1; 0 means none
	Shown      string     `json:"shown,omitempty"` // its method and URL
	// Also lists further exchanges that show the same.
	Also        []int  `json:"also,omitempty"`
	Affected    string `json:"affected,omitempty"` // which clients refuse and which go on
	Fix         string `json:"fix,omitempty"`      // what the operator does
	Fingerprint string `json:"fingerprint"`        // the same for the same finding in another run
	// Accepted is set when a policy accepts the finding, which then does not count.
	Accepted *Acceptance `json:"accepted,omitempty"`
}

// Verdict is the result of a check.
type Verdict struct {
	Check    string    `json:"check"`
	Outcome  Outcome   `json:"outcome"`
	Why      string    `json:"why,omitempty"` // the reason, if it is not a plain pass or fail
	Findings []Finding `json:"findings,omitempty"`
}

// Report is the result of an audit.
type Report struct {
	Target   string    `json:"target,omitempty"`
	Source   Source    `json:"source"`
	Notes    []string  `json:"notes,omitempty"`
	Verdicts []Verdict `json:"verdicts"` // in the table's order
	// Leftovers are what the audit created and what still exists.
	Leftovers []Leftover `json:"leftovers,omitempty"`
}

// Judge lets every check judge the evidence.
func Judge(e *Evidence, checks []Check) Report {
	r := Report{Target: wire.Clean(e.Target, 500), Source: e.Source, Notes: e.Notes}
	for _, c := range checks {
		j := judgement{check: c, e: e, v: Verdict{Check: c.ID, Outcome: Pass}}
		c.judge(&j)
		j.unproved()
		if len(e.Exchanges) == 0 && j.v.Outcome == Pass {
			j.end(CouldNotRun, "there is nothing to judge")
		}
		for i := range j.v.Findings {
			if f := &j.v.Findings[i]; f.Affected == "" && f.Layer != Client {
				f.Affected = affects(f.Rules[0])
			}
		}
		j.v.Findings = merge(j.v.Findings, r.Target)
		r.Verdicts = append(r.Verdicts, j.v)
	}
	r.Leftovers = e.Leftovers()
	return r
}

// merge combines the findings that say the same about several exchanges.
func merge(list []Finding, target string) []Finding {
	var out []Finding
	at := map[string]int{}
	for _, f := range list {
		f.mark(target)
		key := f.Fingerprint
		if i, seen := at[key]; seen {
			out[i].Also = append(out[i].Also, f.Exchange)
			continue
		}
		at[key] = len(out)
		out = append(out, f)
	}
	return out
}

// Findings lists the findings of the report that no policy accepts, worst first,
// then in the table's order.
func (r Report) Findings() []Finding {
	return r.list(func(f Finding) bool { return f.Accepted == nil })
}

func (r Report) list(wanted func(Finding) bool) []Finding {
	var out []Finding
	for _, v := range r.Verdicts {
		for _, f := range v.Findings {
			if wanted(f) {
				out = append(out, f)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return b.Severity.Rank() - a.Severity.Rank() })
	return out
}

// Worst is the highest severity of the findings; false if there are none.
func (r Report) Worst() (Severity, bool) {
	all := r.Findings()
	if len(all) == 0 {
		return "", false
	}
	return all[0].Severity, true
}

// Count counts the checks with this outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, v := range r.Verdicts {
		if v.Outcome == o {
			n++
		}
	}
	return n
}

// judgement is one check at work.
type judgement struct {
	check Check
	e     *Evidence
	v     Verdict
}

// fail records a finding and returns it, so that the caller can complete it.
func (j *judgement) fail(x *Exchange, says string) *Finding {
	f := Finding{
		Check: j.check.ID, Rules: j.check.Rules, Severity: j.check.Severity, Confidence: Proved,
		Threat: j.check.Threat, Layer: layers[j.check.Family()], Says: wire.Clean(says, 400), Fix: j.check.Fix,
	}
	if x != nil {
		f.Exchange, f.Shown = j.e.number(x), wire.Clean(x.title(), 300)
		if f.Layer == "" {
			f.Layer = layerOf[x.Leg]
		}
	}
	j.v.Findings = append(j.v.Findings, f)
	j.v.Outcome = Fail
	return &j.v.Findings[len(j.v.Findings)-1]
}

// differ adds the two strings that differ.
func (f *Finding) differ(want, got string) *Finding {
	f.Want, f.Got = wire.Clean(want, 300), wire.Clean(got, 300)
	return f
}

var ports = regexp.MustCompile(`(127\.0\.0\.1|localhost|\[::1\]):\d+`)

// mark computes the fingerprint from what stays the same from run to run.
func (f *Finding) mark(target string) {
	want, got, says := f.Want, f.Got, f.Says
	if strings.HasPrefix(f.Check, "cl.") { // trap servers get different ports each time
		want, got, says = ports.ReplaceAllString(want, "$1"), ports.ReplaceAllString(got, "$1"), ports.ReplaceAllString(says, "$1")
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{f.Check, target, string(f.Rules[0]), says, want, got}, "\x00")))
	f.Fingerprint = hex.EncodeToString(sum[:8])
}

// end sets an outcome that is neither pass nor fail, unless something failed.
func (j *judgement) end(o Outcome, why string) {
	if j.v.Outcome != Fail {
		j.v.Outcome, j.v.Why = o, wire.Clean(why, 400)
	}
}

// number gives the position of an exchange, from 1.
func (e *Evidence) number(x *Exchange) int {
	for i := range e.Exchanges {
		if &e.Exchanges[i] == x {
			return i + 1
		}
	}
	return 0
}

// layers names who is at fault for a whole family; for other families the leg decides.
var layers = map[string]Layer{"ch": MCPServer, "prm": MCPServer, "asm": AuthServer, "az": AuthServer, "tok": AuthServer, "int": AuthServer, "reg": AuthServer, "cimd": AuthServer, "dev": AuthServer, "rev": AuthServer}

var layerOf = map[Leg]Layer{
	LegMCP: MCPServer, LegPRM: MCPServer, LegASM: AuthServer, LegJWKS: AuthServer, LegRegister: AuthServer,
	LegAuthorize: AuthServer, LegToken: AuthServer, LegRefresh: AuthServer, LegRevoke: AuthServer, LegIntrospect: AuthServer,
	LegCallback: Client, LegOther: Operator,
}

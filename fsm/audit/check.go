package audit

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// Severity is how much damage the fault behind a finding can do.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "crit" // token or account of another party
	High     Severity = "high" // exploitable with one more step, or a class of clients locked out
	Medium   Severity = "med"  // hardening, or partial interoperability
	Low      Severity = "low"  // form
	Info     Severity = "info" // a fact
)

// severities are in order, worst first.
var severities = []Severity{Critical, High, Medium, Low, Info}

// Rank orders severities: 0 is Info, 4 is Critical.
func (s Severity) Rank() int { return len(severities) - 1 - slices.Index(severities, s) }

// ParseSeverity reads a severity as a user writes it.
func ParseSeverity(s string) (Severity, bool) {
	i := slices.Index(severities, Severity(s))
	return Severity(s), i >= 0
}

// Safety says what a check does to the server that it is run against, and so what
// the server's operator must have agreed to.
type Safety string

// The safety levels.
const (
	Passive     Safety = "passive"     // reads published documents, sends what any client sends
	Active      Safety = "active"      // sends wrong parameters and tokens; leaves log lines
	Residue     Safety = "residue"     // leaves a registration or a pending login
	Login       Safety = "login"       // uses one consented login as a client does
	Destructive Safety = "destructive" // ends the grant that it is given
	Offline     Safety = "offline"     // reads a recording
	ClientTrap  Safety = "client"      // runs a client in front of trap servers
)

// Threat is what an attacker gains if a check fails.
type Threat string

// The threats.
const (
	Mixup         Threat = "mix-up"
	CodeInjection Threat = "code injection"
	CSRF          Threat = "cross-site request forgery"
	Audience      Threat = "token for another resource"
	Replay        Threat = "replay"
	Phishing      Threat = "phishing by redirect or client"
	SSRF          Threat = "server-side request forgery"
	Leak          Threat = "leak of a secret"
	Takeover      Threat = "takeover of a session or credential"
	DoS           Threat = "denial of service"
	Interop       Threat = "interoperability"
)

// Check is one row of the table: what is done, what passes, and the two pure
// functions, plan and judge.
type Check struct {
	// ID is stable, with the family before the dot: "ch.present".
	ID string `json:"id"`
	// Rules are the rules that a failure breaks; the first is the main one.
	Rules []rules.ID `json:"rules"`
	// Since is the first MCP revision that the check holds for; "" means every revision.
	Since    string   `json:"since,omitempty"`
	Severity Severity `json:"severity"`
	Safety   Safety   `json:"safety"`
	Threat   Threat   `json:"threat"`
	Does     string   `json:"does"`   // one sentence: what is sent or read
	Passes   string   `json:"passes"` // one sentence: what the evidence shows when all is well
	Why      string   `json:"why"`    // why it matters
	Fix      string   `json:"fix"`    // what the operator does about it

	plan  func(*Evidence) []Probe
	judge func(*judgement)
}

// Family is the part of the id before the dot.
func (c Check) Family() string {
	family, _, _ := strings.Cut(c.ID, ".")
	return family
}

// Families names the chapters of the table, in order.
var Families = []struct{ Name, Title string }{
	{"ch", "Challenge"},
	{"prm", "Protected resource metadata"},
	{"asm", "Authorization server metadata"},
	{"az", "Authorization endpoint"},
	{"tok", "Token endpoint"},
	{"int", "Introspection endpoint"},
	{"reg", "Registration"},
	{"cimd", "Client ID metadata documents"},
	{"dev", "Device grant"},
	{"lg", "One login"},
	{"aud", "Use of the token"},
	{"exp", "Expiry"},
	{"scope", "Scopes and step-up"},
	{"ref", "Refresh"},
	{"rev", "Revocation"},
	{"ext", "Extensions"},
	{"net", "Network, TLS, redirects"},
	{"tr", "Recordings"},
	{"cl", "Clients"},
}

// Options say which checks are run.
type Options struct {
	Only   []string // ids or families; empty means all
	Skip   []string // ids or families
	Active bool     // also Active checks
	// Register also selects the checks that register a client or leave a login
	// pending. Registrations are deleted at the end if that is possible.
	Register bool
	// Login also selects the checks that use a login with consent; Destructive
	// also selects those that end such a login of their own.
	Login, Destructive bool
	// Issuer selects the checks for an authorization server alone: those that need no
	// resource.
	Issuer bool
	// Client selects, among the checks that need Register, those for which a client
	// from the caller is enough, without a registration.
	Client bool
	// Recording selects the checks for a trace or a HAR: every check that judges what
	// is there, and those that only a recording can answer.
	Recording bool
}

// Select gives the checks that the options ask for, in the table's order.
func Select(o Options) []Check {
	var out []Check
	for _, c := range Table() {
		if len(o.Only) > 0 && !named(c, o.Only) || named(c, o.Skip) || !o.allows(c) || o.Issuer && needsResource(c) {
			continue
		}
		out = append(out, c)
	}
	return tidy(out, o.Skip)
}

// tidy adds the check that deletes registrations if another check makes any. It
// comes last.
func tidy(list []Check, skip []string) []Check {
	last := cleanupChecks[0]
	if named(last, skip) || slices.ContainsFunc(list, func(c Check) bool { return c.ID == last.ID }) {
		return list
	}
	if slices.ContainsFunc(list, func(c Check) bool {
		return c.plan != nil && slices.Contains([]Safety{Residue, Login, Destructive}, c.Safety)
	}) {
		return append(list, last)
	}
	return list
}

func (o Options) allows(c Check) bool {
	switch c.Safety {
	case Passive:
		return true
	case Offline:
		return o.Recording
	case Active:
		return o.Active && !o.Recording
	case Residue:
		ours := o.Client && !slices.Contains([]string{"reg", "dev"}, c.Family())
		return (o.Register || o.Login || o.Active && ours) && !o.Recording
	case Login:
		return o.Login && !o.Recording || o.Recording && c.ID == "ref.after-days"
	case Destructive:
		return o.Login && o.Destructive && !o.Recording
	default: // the others need nothing here
	}
	return false
}

// needsResource reports whether a check asks an MCP server, which means that it
// says nothing about an authorization server alone.
func needsResource(c Check) bool {
	return slices.Contains([]string{"ch", "prm", "aud", "exp", "scope", "tr", "cl"}, c.Family()) || slices.Contains(resourceOnly, c.ID)
}

// resourceOnly are the checks of other families that need a resource.
var resourceOnly = []string{"asm.scopes", "asm.legacy", "ref.fresh-alive", "lg.code-reuse-revokes", "rev.at", "ext.dpop-rs", "ext.dpop-down"}

func named(c Check, list []string) bool {
	return slices.Contains(list, c.ID) || slices.Contains(list, c.Family())
}

// Lookup gives the check with this id.
func Lookup(id string) (Check, bool) {
	for _, c := range Table() {
		if c.ID == id {
			return c, true
		}
	}
	return Check{}, false
}

// Table lists every check, by family. The slice is the caller's.
func Table() []Check {
	out := slices.Concat(challengeChecks, prmChecks, asmChecks, activeChecks, residueChecks, documentChecks, lifecycleChecks, useChecks, consentChecks, extensionChecks, proofChecks, credentialChecks, assertionChecks, netChecks, lastChecks, cleanupChecks, recordingChecks, answerChecks)
	for _, t := range Traps() {
		out = append(out, t.Check)
	}
	return out
}

package audit

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// Source says where evidence comes from.
type Source string

// The sources.
const (
	LiveServer Source = "server" // an audit asked an MCP server and the issuers that it names
	LiveIssuer Source = "issuer" // an audit asked an authorization server alone; the target is its issuer
	FromTrace  Source = "trace"  // a trace of the machine
	FromHAR    Source = "har"    // a recording of a browser or proxy
)

// Leg is the part of the protocol that an exchange belongs to.
type Leg string

// The legs.
const (
	LegMCP        Leg = "mcp"
	LegPRM        Leg = "prm" // protected resource metadata
	LegASM        Leg = "asm" // authorization server metadata
	LegJWKS       Leg = "jwks"
	LegRegister   Leg = "register"
	LegAuthorize  Leg = "authorize"
	LegCallback   Leg = "callback"
	LegToken      Leg = "token"
	LegRefresh    Leg = "refresh"
	LegRevoke     Leg = "revoke"
	LegIntrospect Leg = "introspect"
	LegCanary     Leg = "canary" // a request to the audit's own listener
	LegNames      Leg = "names"  // a name is looked up, and no request is sent
	LegOther      Leg = "other"
)

// Evidence is an ordered list of exchanges and what is known about them. It is a
// plain value: after it is kept and read again, it gives the same report.
type Evidence struct {
	Target    string     `json:"target,omitempty"` // the MCP server's URL
	Source    Source     `json:"source"`
	Exchanges []Exchange `json:"exchanges"`
	// Checks are the checks that the requests were sent for.
	Checks []string `json:"checks,omitempty"`
	// Notes say what the evidence is known to lack, such as "this browser
	// leaves out Authorization headers".
	Notes []string `json:"notes,omitempty"`
	// Live counts the values of a recording that were usable secrets before they
	// were replaced.
	Live int `json:"live,omitzero"`
	// NoAuthorization says that the recording holds no Authorization header at all;
	// the program that wrote it may have left them out.
	NoAuthorization bool `json:"no_authorization,omitzero"`

	// Stored says that the recorded client began with a stored credential or registration:
	// it knew endpoints whose metadata the recording does not hold.
	Stored bool `json:"stored,omitzero"`

	// For a client in front of trap servers: which trap it was, what each origin is,
	// and how the runs ended.
	Trap  string            `json:"trap,omitempty"`
	Roles map[string]string `json:"roles,omitempty"`
	Runs  []Run             `json:"runs,omitempty"`
	// Seen is what the trap noted about secrets, whose text is not kept.
	Seen []string `json:"seen,omitempty"`

	// Origin is the server's address behind its proxies, if the operator named it.
	Origin string `json:"origin,omitempty"`

	// Canary is the address of the audit's own listener, if there is one.
	Canary string `json:"canary,omitempty"`
	// Key signs what is forged; without a key nothing is signed.
	Key Key `json:"-"`
	// Stranger signs what a server has to refuse because of the key alone.
	Stranger Key `json:"-"`
	// CCKey is the key of Account.CCClient, if it has one; IdPKey and WorkloadKey are
	// those of Account.IdP and Account.Workload.
	CCKey, IdPKey, WorkloadKey Key `json:"-"`

	// Account is what an audit with a login uses. Its secrets are never kept.
	Account *Account `json:"account,omitempty"`

	ends bool     // the client exits by itself after a successful login
	read *reading // what was decoded, kept until the next Add
}

// Exchange is one request and its outcome.
type Exchange struct {
	// Probe is the label of the probe that was sent; "" in a recording.
	Probe string `json:"probe,omitempty"`
	Leg   Leg    `json:"leg"`
	// Issuer is the identifier that an address of authorization server
	// metadata was built from.
	Issuer string `json:"issuer,omitempty"`
	// Run is the run of the client in which the request came, from 1.
	Run int `json:"run,omitzero"`
	// Sent is the address that a visit began with.
	Sent string `json:"sent,omitempty"`
	// Waits says that a visit ended at a page that waits for the user. Page says that
	// the page was read, and Lacks what it should show and does not.
	Waits bool     `json:"waits,omitzero"`
	Page  bool     `json:"page,omitzero"`
	Lacks []string `json:"lacks,omitempty"`
	// Form says that the answer is a page with a form; the page itself is not kept.
	Form bool `json:"form,omitzero"`
	// Addresses are the addresses that a name was resolved to.
	Addresses []string `json:"addresses,omitempty"`
	// Claims are the claims of the issued access token, if it is a JWT.
	Claims *Claims `json:"claims,omitempty"`
	// At is when the request was sent, counted from the first request.
	At time.Duration `json:"at"`
	// Took is how long the answer took; 0 if that is not known.
	Took     time.Duration  `json:"took,omitzero"`
	Request  wire.Request   `json:"request"`
	Response *wire.Response `json:"response,omitempty"`
	// Failure says why there is no answer.
	Failure string `json:"failure,omitempty"`
	TLS     *TLS   `json:"tls,omitempty"`
	// Clock is the wall clock when the answer came; zero if that is not known.
	Clock time.Time `json:"clock,omitzero"`
}

// TLS is what is known about the connection that an answer came on.
type TLS struct {
	Version  string    `json:"version"` // "1.2", "1.3"
	NotAfter time.Time `json:"not_after"`
}

// Probe is a request that a check needs an answer to.
type Probe struct {
	Label   string // its name: a probe that two checks want is sent once
	Leg     Leg
	Issuer  string
	Request wire.Request
	// Visit says that the user's browser goes to the address. The exchange that
	// answers it has the address that the browser came back to.
	Visit bool
	// Manner is what the user does there, and Look what the page should show.
	Manner Manner
	Look   []string
	// Twice says that the request is sent twice at the same time. The label of the
	// second exchange ends in Second.
	Twice bool
	// Timed makes the request at the moment when it is sent, if it depends on the
	// time: a proof, an assertion. Request is then what it is made from.
	Timed func(now time.Time) wire.Request
	// NotBefore is the least time after the first request at which it is sent.
	NotBefore time.Duration
	// Braked says that an answer of 429 is what the check looks for, so it is no reason
	// to wait.
	Braked bool
}

// Second ends the label of the second of two requests that were sent at once.
const Second = "'"

// Add appends the answer of a probe, or an exchange of a recording.
func (e *Evidence) Add(x Exchange) {
	if x.Leg == LegToken || x.Leg == LegRefresh {
		x.Claims = claimsOf(x.Response)
	}
	x.Form = x.Leg == LegAuthorize && x.Response != nil && x.mediaType() == "text/html" && strings.Contains(strings.ToLower(string(x.Response.Body)), "<form")
	if e.read == nil || len(e.Exchanges) == cap(e.Exchanges) {
		e.Exchanges = append(slices.Grow(e.Exchanges, len(e.Exchanges)+64), x)
		e.read = nil // what was read points into the old list
		return
	}
	e.Exchanges = append(e.Exchanges, x)
	e.read.add(&e.Exchanges[len(e.Exchanges)-1])
}

// Next gives the next probe that one of the checks wants and that the evidence
// does not hold yet; false if there is none. The order is that of the table.
func Next(e *Evidence, checks []Check) (Probe, bool) {
	done := map[uintptr]bool{} // checks share plans
	for _, c := range checks {
		if c.plan == nil {
			continue
		}
		key := reflect.ValueOf(c.plan).Pointer()
		if done[key] {
			continue
		}
		for _, p := range c.plan(e) {
			if e.asks(p) && e.probe(p.Label) == nil {
				return e.proved(p), true
			}
		}
		done[key] = true
	}
	return Probe{}, false
}

// Plan lists the probes that are known to be wanted before anything has been
// answered. Answers can lead to further probes.
func Plan(e *Evidence, checks []Check) []Probe {
	var out []Probe
	seen := map[string]bool{}
	for _, c := range checks {
		if c.plan == nil {
			continue
		}
		for _, p := range c.plan(e) {
			if e.asks(p) && !seen[p.Label] {
				seen[p.Label] = true
				out = append(out, p)
			}
		}
	}
	return out
}

// live reports whether an audit sent the requests, and so could send whatever it
// wanted.
func (e *Evidence) live() bool { return e.Source == LiveServer || e.Source == LiveIssuer }

// asks reports whether there is a server that a probe can go to. An audit of an
// authorization server alone has no resource.
func (e *Evidence) asks(p Probe) bool {
	return e.Source != LiveIssuer || p.Leg != LegMCP && p.Leg != LegPRM
}

// probe gives the exchange of a probe.
func (e *Evidence) probe(label string) *Exchange {
	return e.reading().probes[label]
}

// status is the answer's status; 0 if there was no answer.
func (x *Exchange) status() int {
	if x.Response == nil {
		return 0
	}
	return x.Response.Status
}

// sent gives the values of a request header.
func (x *Exchange) sent(name string) []string { return x.Request.Header.Header(name) }

// got gives the values of a response header.
func (x *Exchange) got(name string) []string {
	if x.Response == nil {
		return nil
	}
	return x.Response.Header.Header(name)
}

// says gives a member of the answer, if that is JSON.
func (x *Exchange) says(name string) string {
	if x.Response == nil {
		return ""
	}
	obj, err := wire.ParseObject(x.Response.Body)
	if err != nil {
		return ""
	}
	v, _, _ := obj.String(name)
	return v
}

// mediaType is the answer's media type in lower case, without parameters.
func (x *Exchange) mediaType() string {
	t, _, _ := strings.Cut(strings.Join(x.got("Content-Type"), ","), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// title names the exchange in a report.
func (x *Exchange) title() string { return x.Request.Method + " " + x.Request.URL }

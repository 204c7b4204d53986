package audit

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// netChecks are about how the servers are reached.
var netChecks = []Check{
	{ID: "net.https", Rules: []rules.ID{rules.NetTLSVerify, rules.PRMTLS, rules.ASMTLS, rules.BearerTLSChain}, Severity: High, Safety: Passive, Threat: Leak,
		Does:   "Looks at the TLS version and the certificate of every connection.",
		Passes: "TLS 1.2 or later, a certificate that verifies and is valid for 14 days more.",
		Why:    "Clients refuse a chain that does not verify; an expired one locks everybody out.",
		Fix:    "Renew certificates by themselves, and send the intermediate ones.",
		plan:   planASM, judge: judgeHTTPS},
	{ID: "net.http-twin", Rules: []rules.ID{rules.BearerHTTPS, rules.TokenReqHTTPS}, Severity: High, Safety: Passive, Threat: Leak,
		Does:   "Asks the server's host over plain http.",
		Passes: "Nothing listens there, or it redirects to https.",
		Why:    "A client that is configured with http sends its token in the clear.",
		Fix:    "Close port 80 or redirect all of it.",
		plan:   planTwin, judge: judgeTwin},
	{ID: "net.well-known-redirect", Rules: []rules.ID{rules.NetRedirectGet}, Severity: Medium, Safety: Passive, Threat: SSRF,
		Does:   "Reads the answers of metadata addresses.",
		Passes: "None redirects, or only within its origin.",
		Why:    "Clients follow no redirect to another origin, and some follow none.",
		Fix:    "Serve the document where the client asks.",
		plan:   planASM, judge: judgeMetadataRedirect},
	{ID: "net.private-dns", Rules: []rules.ID{rules.NetIPPolicy, rules.NetEmbeddedV4, rules.NetMetadataService}, Severity: High, Safety: Passive, Threat: SSRF,
		Does:   "Looks up the names of the hosts that the metadata names.",
		Passes: "All lead to public addresses.",
		Why:    "A client that judges addresses when it connects refuses them; one that does not can be led into its own network.",
		Fix:    "Publish the names that clients outside can reach.",
		plan:   planNames, judge: judgeNames},
	{ID: "net.header-strip", Rules: []rules.ID{rules.ChallengeWwwAuthenticatePresent}, Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Asks the server behind its proxies the first question too, at the address of --origin, and compares.",
		Passes: "Status and WWW-Authenticate are there in both answers.",
		Why:    "A client cannot see what a proxy took away.",
		Fix:    "Let the proxy pass WWW-Authenticate and 401 on.",
		plan:   planBehind, judge: judgeBehind},
	{ID: "net.clock", Rules: []rules.ID{rules.RSExpiry, rules.ExtDPoPRSValidate}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Compares the Date header with the clock of this machine.",
		Passes: "They are less than a minute apart.",
		Why:    "Expiry of tokens, assertions and proofs is judged by both clocks.",
		Fix:    "Synchronise the server's clock.",
		plan:   planFirst, judge: judgeClock},
	{ID: "net.size-time", Rules: []rules.ID{rules.NetSizeLimit, rules.NetTimeout}, Severity: Low, Safety: Passive, Threat: DoS,
		Does:   "Measures each metadata document.",
		Passes: "It is shorter than 64 KiB and comes within 5 s.",
		Why:    "Clients bound both, and a user waits for it.",
		Fix:    "Shorten the document; serve it from a cache.",
		plan:   planASM, judge: judgeSizeTime},
	{ID: "net.cookies", Rules: []rules.ID{rules.NetNoCookies, rules.TokenReqNoCookies}, Severity: Low, Safety: Passive, Threat: CSRF,
		Does:   "Looks for Set-Cookie on metadata and on refusals.",
		Passes: "There is none.",
		Why:    "Clients keep no cookies; a session that is needed later is lost.",
		Fix:    "Do not start a session for these paths.",
		plan:   planASM, judge: judgeCookies},
	{ID: "net.rate", Rules: []rules.ID{rules.NetRetryAfter}, Severity: Low, Safety: Passive, Threat: DoS,
		Does:   "Looks for answers with status 429.",
		Passes: "Each says in Retry-After when to come back.",
		Why:    "A client that is not told comes back at once.",
		Fix:    "Send Retry-After.",
		plan:   planASM, judge: judgeRate},
}

func judgeHTTPS(j *judgement) {
	seen := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		secure := strings.HasPrefix(x.Request.URL, "https:")
		if secure && strings.Contains(x.Failure, "tls") {
			seen = true
			j.fail(x, "the certificate does not verify: "+x.Failure).Affected = "every client"
		}
		if x.TLS == nil {
			continue
		}
		seen = true
		if x.TLS.Version == "1.0" || x.TLS.Version == "1.1" {
			j.fail(x, "the connection has a TLS version that clients refuse").differ("1.2", x.TLS.Version)
		}
		if !x.Clock.IsZero() && x.TLS.NotAfter.Sub(x.Clock) < 14*24*time.Hour {
			f := j.fail(x, "the certificate ends within 14 days").differ("", x.TLS.NotAfter.UTC().Format("2006-01-02"))
			f.Severity = Low
		}
		if j.v.Outcome == Fail {
			return
		}
	}
	switch {
	case seen:
	case j.e.Target != "" && wire.IsLoopbackHTTP(j.e.Target):
		j.end(NotApplicable, "the server is plain http on loopback")
	default:
		j.end(CouldNotRun, "nothing is known of the connections")
	}
}

// planTwin asks the same host over plain http. A server whose own address is plain
// http has no twin.
func planTwin(e *Evidence) []Probe {
	u, err := url.Parse(e.Target)
	if err != nil || u.Scheme != "https" {
		return nil
	}
	return []Probe{{Label: "net.twin", Leg: LegOther, Request: wire.Request{Method: "GET", URL: "http://" + u.Hostname() + u.EscapedPath()}}}
}

func judgeTwin(j *judgement) {
	if !strings.HasPrefix(j.e.Target, "https:") {
		j.end(NotApplicable, "the server is not https")
		return
	}
	x := j.e.probe("net.twin")
	switch {
	case x == nil:
		j.end(CouldNotRun, "the plain http address was not asked")
	case x.Response == nil: // closed
	case x.status() >= 300 && x.status() < 400 && strings.HasPrefix(strings.Join(x.got("Location"), ""), "https:"):
	case x.status() == 200 || x.status() == 401:
		j.fail(x, "the server answers over plain http").differ("nothing, or a redirect to https", fmt.Sprint(x.status())).Layer = MCPServer
	}
}

func judgeMetadataRedirect(j *judgement) {
	asked := j.e.legs(LegPRM, LegASM)
	if len(asked) == 0 {
		j.end(CouldNotRun, j.unanswered(LegPRM, "no metadata was asked for"))
	}
	for _, x := range asked {
		if s := x.status(); s >= 300 && s < 400 {
			to := strings.Join(x.got("Location"), " ")
			f := j.fail(x, "a metadata address redirects").differ("a document or 404", fmt.Sprintf("%d to %s", s, to))
			if wire.Origin(to) == wire.Origin(x.Request.URL) || strings.HasPrefix(to, "/") {
				f.Severity = Low
			}
		}
	}
}

func judgeClock(j *judgement) {
	seen := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		date := x.got("Date")
		if x.Clock.IsZero() || len(date) != 1 {
			continue
		}
		at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", date[0])
		if err != nil {
			continue
		}
		seen = true
		if apart := at.Sub(x.Clock).Abs(); apart > time.Minute {
			j.fail(x, "the server's clock is off").differ("less than 1m0s", apart.Round(time.Second).String()).Confidence = Likely
			return
		}
	}
	if !seen {
		j.end(CouldNotRun, "no answer has a Date that can be compared")
	}
}

func judgeSizeTime(j *judgement) {
	asked := j.e.legs(LegPRM, LegASM)
	if len(asked) == 0 {
		j.end(CouldNotRun, j.unanswered(LegPRM, "no metadata was asked for"))
	}
	for _, x := range asked {
		if n := len(x.Response.Body); n > 64<<10 || x.Response.Oversized {
			j.fail(x, "a metadata document is longer than 64 KiB").Rules = []rules.ID{rules.NetSizeLimit}
		}
		if x.Took > 5*time.Second {
			j.fail(x, "a metadata document took longer than 5 s").differ("5s", x.Took.Round(100*time.Millisecond).String()).Rules = []rules.ID{rules.NetTimeout}
		}
	}
}

func judgeCookies(j *judgement) {
	if j.e.Source == FromTrace {
		j.end(CouldNotRun, fewFields)
		return
	}
	asked := j.e.legs(LegPRM, LegASM, LegJWKS, LegToken, LegRefresh, LegRegister)
	if len(asked) == 0 {
		j.end(CouldNotRun, "no metadata and no token was asked for")
	}
	var told []string
	for _, x := range asked {
		if len(x.got("Set-Cookie")) > 0 && !slices.Contains(told, x.Request.URL) {
			told = append(told, x.Request.URL)
			j.fail(x, "an answer to a client without a browser sets a cookie")
		}
	}
}

func judgeRate(j *judgement) {
	seen := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.status() != 429 {
			continue
		}
		seen = true
		if len(x.got("Retry-After")) == 0 {
			j.fail(x, "429 without Retry-After")
		}
	}
	if !seen {
		j.end(NotApplicable, "no request was throttled")
	}
}

// judgeInternal looks for addresses that can only be reached from inside a network.
func judgeInternal(j *judgement) {
	if j.e.Target == "" || internal(hostOf(j.e.Target)) {
		j.end(NotApplicable, "the server itself is not public")
		return
	}
	look := func(x *Exchange, member, s string) {
		if h := hostOf(s); h != "" && internal(h) {
			f := j.fail(x, member+" names a host that cannot be reached from outside").differ("a public host", s)
			f.Rules = []rules.ID{rules.NetIPPolicy}
			if strings.HasSuffix(member, "_endpoint") {
				f.Rules = append(f.Rules, rules.AuthzReqURLHostPolicy)
			}
		} else if strings.HasPrefix(s, "http:") {
			j.fail(x, member+" is plain http").differ("https", s).Rules = []rules.ID{rules.URLHTTPS}
		}
	}
	docs := slices.Concat(j.e.reading().prm, j.e.reading().asm)
	if len(docs) == 0 {
		j.end(CouldNotRun, "there is no metadata to read")
	}
	for _, m := range docs {
		for _, name := range append([]string{"resource", "issuer", "jwks_uri"}, endpointNames...) {
			if s, _, ok := m.obj.String(name); ok {
				look(m.x, name, s)
			}
		}
		list, _, _ := m.obj.Strings("authorization_servers")
		for _, s := range list {
			look(m.x, "authorization_servers", s)
		}
	}
}

package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// recordingChecks are about what a client did, as far as a recording shows it.
var recordingChecks = []Check{
	{ID: "tr.coverage", Rules: []rules.ID{rules.LogFirstCause}, Severity: Info, Safety: Offline, Threat: Interop,
		Does:   "Lists which legs of the protocol the recording holds.",
		Passes: "All of them are there.",
		Why:    "What is not recorded cannot be judged.",
		Fix:    "Record the client's own requests too, with a proxy or with stile --trace.",
		judge:  judgeCoverage},
	{ID: "tr.secrets", Rules: []rules.ID{rules.LogNoSecrets, rules.LogRedactDefault}, Severity: High, Safety: Offline, Threat: Leak,
		Does:   "Counts the codes, tokens, verifiers, secrets and cookies that were live in the file.",
		Passes: "There are none.",
		Why:    "Whoever gets the file can use them.",
		Fix:    "Share the redacted evidence and not the file; revoke what is still valid.",
		judge:  judgeLiveSecrets},
	{ID: "tr.url-token", Rules: []rules.ID{rules.BearerNotQuery, rules.TokenReqNoQuery, rules.AuthzReqNoSecret}, Severity: Critical, Safety: Offline, Threat: Leak,
		Does:   "Looks for tokens and client secrets in addresses and referrers.",
		Passes: "There is none.",
		Why:    "Addresses are written to logs and histories.",
		Fix:    "Send tokens in the Authorization header and secrets in the body or by Basic.",
		judge:  judgeURLToken},
	{ID: "tr.http", Rules: []rules.ID{rules.URLHTTPS, rules.BearerHTTPS}, Severity: High, Safety: Offline, Threat: Leak,
		Does:   "Looks for plain http to another machine.",
		Passes: "Every request is https, or to loopback.",
		Why:    "Everybody on the way reads and changes it.",
		Fix:    "Use https.",
		judge:  judgePlainHTTP},
	{ID: "tr.pkce", Rules: []rules.ID{rules.AuthzReqPKCES256, rules.TokenReqCodeVerifier, rules.AuthzReqVerifierFresh}, Severity: Critical, Safety: Offline, Threat: CodeInjection,
		Does:   "Compares the challenge of each authorization request with the verifier of the exchange.",
		Passes: "Each request has an S256 challenge of its own, and the exchange the verifier of it.",
		Why:    "Without it a stolen code can be redeemed.",
		Fix:    "Draw a new verifier for every authorization request and send its S256 challenge.",
		judge:  judgePKCE},
	{ID: "tr.state", Rules: []rules.ID{rules.AuthzReqState, rules.AuthzReqStateRandom, rules.AuthzReqStateNoData}, Severity: High, Safety: Offline, Threat: CSRF,
		Does:   "Reads state of each authorization request.",
		Passes: "It is there, long enough to be random, and another one each time.",
		Why:    "Otherwise a foreign answer can be slipped in.",
		Fix:    "Draw 128 bits or more for every request.",
		judge:  judgeState},
	{ID: "tr.iss", Rules: []rules.ID{rules.IssuerResponseCompare, rules.IssuerResponseRequired, rules.IssuerBeforeToken}, Severity: Critical, Safety: Offline, Threat: Mixup,
		Does:   "Compares iss of each callback with the issuer, and looks whether the code was sent all the same.",
		Passes: "No code was exchanged after an answer of another issuer, or without iss where it is promised.",
		Why:    "The code would go to an attacker's token endpoint.",
		Fix:    "Compare iss, character by character, before anything else of the answer is used.",
		judge:  judgeIss},
	{ID: "tr.resource", Rules: []rules.ID{rules.TokenReqResourceSame, rules.RefreshResource, rules.AuthzReqResourcePublished, rules.AuthzReqResourceAlways}, Severity: High, Safety: Offline, Threat: Audience,
		Does:   "Compares resource in authorization request, exchange and refresh with what the server publishes.",
		Passes: "It is there each time and the same.",
		Why:    "Otherwise the token is good for another server, or for every one.",
		Fix:    "Send the resource of the server's metadata with every request.",
		judge:  judgeResource},
	{ID: "tr.redirect", Rules: []rules.ID{rules.TokenReqRedirectURI, rules.RegRedirectRegistered}, Severity: High, Safety: Offline, Threat: Phishing,
		Does:   "Compares redirect_uri of authorization request, exchange and registration with the callback's address.",
		Passes: "They are the same.",
		Why:    "A code that lands elsewhere is in other hands.",
		Fix:    "Keep the redirect URI of the request and send it with the exchange.",
		judge:  judgeRedirect},
	{ID: "tr.code-twice", Rules: []rules.ID{rules.TokenReqCodeOnce}, Severity: High, Safety: Offline, Threat: Replay,
		Does:   "Looks for codes that were sent twice.",
		Passes: "Each is sent once, or again only after an answer that left it unspent.",
		Why:    "A server that sees a code again revokes what it gave for it.",
		Fix:    "Start a new authorization request in place of a second exchange.",
		judge:  judgeCodeTwice},
	{ID: "tr.rt-twice", Rules: []rules.ID{rules.RefreshTransaction, rules.RefreshAmbiguousOnce}, Severity: High, Safety: Offline, Threat: Replay,
		Does:   "Looks for refresh tokens that were sent again after a success.",
		Passes: "After an answer with a new one the old one is not sent any more.",
		Why:    "Reuse is how servers notice theft: they end the whole family.",
		Fix:    "Serialise refreshes across processes, and save before anybody uses the result.",
		judge:  judgeRefreshTwice},
	{ID: "tr.rt-after-dead", Rules: []rules.ID{rules.RefreshInvalidGrantTerminal}, Severity: High, Safety: Offline, Threat: DoS,
		Does:   "Looks for refresh tokens that were sent again after invalid_grant.",
		Passes: "None is.",
		Why:    "It never succeeds, and some servers count it as an attack.",
		Fix:    "Drop the refresh token at invalid_grant and log in again.",
		judge:  judgeRefreshDead},
	{ID: "tr.loops", Rules: []rules.ID{rules.ChallengeFreshTokenLoop, rules.StepupRetryLimit, rules.RegReuse}, Severity: High, Safety: Offline, Threat: DoS,
		Does:   "Counts logins, step-ups and registrations that repeat.",
		Passes: "No more than three of one kind.",
		Why:    "A loop of logins keeps the user in the browser for ever.",
		Fix:    "Stop after the first 401 that answers a new token.",
		judge:  judgeLoops},
	{ID: "tr.expired-use", Rules: []rules.ID{rules.BearerNoExpired}, Severity: Low, Safety: Offline, Threat: Interop,
		Does:   "Looks for tokens that were sent after their expires_in.",
		Passes: "None is.",
		Why:    "It costs a refusal each time.",
		Fix:    "Renew ahead of the expiry.",
		judge:  judgeExpiredUse},
	{ID: "tr.host-leak", Rules: []rules.ID{rules.BearerNotElsewhere, rules.ClientauthSecretIssuerOnly, rules.IssuerNoCrossUse}, Severity: Critical, Safety: Offline, Threat: Leak,
		Does:   "Looks for one token or secret at two origins.",
		Passes: "Each goes to one resource, or one issuer.",
		Why:    "The second host can use it at the first.",
		Fix:    "Bind every credential to its issuer and every token to its resource.",
		judge:  judgeHostLeak},
	{ID: "tr.redirect-follow", Rules: []rules.ID{rules.BearerNoRedirectForward, rules.NetRedirectPost}, Severity: Critical, Safety: Offline, Threat: Leak,
		Does:   "Looks for requests that repeat a token or a body at the target of a redirect.",
		Passes: "There are none.",
		Why:    "A redirect is how a server hands the credential on.",
		Fix:    "Follow no redirect of a POST, and none with Authorization.",
		judge:  judgeRedirectFollow},
	{ID: "tr.cookies", Rules: []rules.ID{rules.TokenReqNoCookies, rules.NetNoCookies}, Severity: Low, Safety: Offline, Threat: CSRF,
		Does:   "Looks for cookies on metadata and token requests.",
		Passes: "There are none.",
		Why:    "They tie a client's requests to a user's browser session.",
		Fix:    "Use no cookie jar.",
		judge:  judgeSentCookies},
	{ID: "tr.scope", Rules: []rules.ID{rules.AuthzReqScopeChallenge, rules.TokenRespScopeNarrowed, rules.StepupUnion}, Severity: Medium, Safety: Offline, Threat: Interop,
		Does:   "Compares the scopes that were challenged, asked for and granted.",
		Passes: "What the challenge names was asked for, and a narrower grant shows.",
		Why:    "A client that asks for something else is refused again.",
		Fix:    "Ask for the challenge's scopes, together with those already held.",
		judge:  judgeScopes},
	{ID: "tr.order", Rules: []rules.ID{rules.ASMClientBoth, rules.ASMLegacyDefaultEndpoints}, Severity: Medium, Safety: Offline, Threat: Mixup,
		Does:   "Looks at what came before the first registration and the first authorization request.",
		Passes: "The metadata of the issuer did.",
		Why:    "A client that guesses endpoints sends secrets to whoever runs the host.",
		Fix:    "Discover the issuer first; default endpoints are for servers of 2025-03-26 alone.",
		judge:  judgeOrder},
	{ID: "tr.first-cause", Rules: []rules.ID{rules.LogFirstCause}, Severity: Info, Safety: Offline, Threat: Interop,
		Does:   "Names the earliest exchange that failed.",
		Passes: "None did.",
		Why:    "What fails later usually follows from it.",
		Fix:    "Look there first.",
		judge:  judgeFirstCause},
}

func judgeCoverage(j *judgement) {
	var lacks []string
	for _, l := range []Leg{LegMCP, LegPRM, LegASM, LegRegister, LegAuthorize, LegCallback, LegToken, LegRefresh} {
		if !slices.ContainsFunc(j.e.Exchanges, func(x Exchange) bool { return x.Leg == l }) {
			lacks = append(lacks, string(l))
		}
	}
	if len(lacks) > 0 {
		j.end(Fact, "not in the recording: "+strings.Join(lacks, ", "))
	}
}

func judgeLiveSecrets(j *judgement) {
	switch {
	case j.e.Source != FromHAR:
		j.end(NotApplicable, "traces are written without secrets")
	case j.e.Live > 0:
		f := j.fail(nil, fmt.Sprintf("%d values that open something were in the file; they are replaced in this report", j.e.Live))
		f.Layer = Operator
	}
}

func judgeURLToken(j *judgement) {
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		for _, at := range append([]string{x.Request.URL}, x.sent("Referer")...) {
			for _, f := range query(at) {
				if slices.Contains([]string{"access_token", "refresh_token", "client_secret", "id_token"}, f.Name) && f.Value != "" {
					j.fail(x, f.Name+" is in an address").Layer = Client
				}
			}
		}
	}
}

func judgePlainHTTP(j *judgement) {
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if strings.HasPrefix(x.Request.URL, "http:") && !wire.IsLoopbackHTTP(x.Request.URL) && x.Leg != LegOther {
			j.fail(x, "a request of the protocol goes over plain http").Layer = Client
		}
	}
}

// login is one authorization request with what followed it.
type login struct {
	authorize, callback, token *Exchange
}

// logins pairs authorization requests with callbacks by state, and with
// exchanges by code.
func (j *judgement) logins() []login {
	var out []login
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegAuthorize:
			out = append(out, login{authorize: x})
		case LegCallback:
			state, _ := query(x.Request.URL).Get("state")
			for k := len(out) - 1; k >= 0; k-- {
				if sent, _ := query(out[k].authorize.Request.URL).Get("state"); sent == state && out[k].callback == nil {
					out[k].callback = x
					break
				}
			}
		case LegToken:
			code, _ := requestForm(x).Get("code")
			for k := len(out) - 1; k >= 0; k-- {
				if out[k].callback == nil || out[k].token != nil {
					continue
				}
				if got, _ := query(out[k].callback.Request.URL).Get("code"); got == code && code != "" {
					out[k].token = x
					break
				}
			}
		}
	}
	return out
}

// someLogins gives logins; none ends the check as one that could not run.
func (j *judgement) someLogins() []login {
	list := j.logins()
	if len(list) == 0 {
		j.end(CouldNotRun, "the recording holds no authorization request")
	}
	return list
}

func judgePKCE(j *judgement) {
	seen := map[string]bool{}
	for _, l := range j.someLogins() {
		q := query(l.authorize.Request.URL)
		challenge, has := q.Get("code_challenge")
		method, _ := q.Get("code_challenge_method")
		switch {
		case !has || challenge == "":
			j.fail(l.authorize, "an authorization request without code_challenge").Layer = Client
		case method != "S256":
			j.fail(l.authorize, "the code challenge is not S256").differ("S256", method).Layer = Client
		case seen[challenge]:
			f := j.fail(l.authorize, "two authorization requests have the same code challenge")
			f.Layer, f.Rules = Client, []rules.ID{rules.AuthzReqVerifierFresh}
		}
		seen[challenge] = true
		if l.token == nil {
			continue
		}
		verifier, has := requestForm(l.token).Get("code_verifier")
		of, whole := strings.CutPrefix(verifier, "verifier-of-")
		switch {
		case !has:
			f := j.fail(l.token, "the code is exchanged without its verifier")
			f.Layer, f.Rules = Client, []rules.ID{rules.TokenReqCodeVerifier}
		case whole && of != challenge, !whole && wire.S256(verifier) != challenge && !strings.HasPrefix(verifier, stand):
			f := j.fail(l.token, "the verifier is not the one of the code challenge")
			f.Layer, f.Rules = Client, []rules.ID{rules.TokenReqCodeVerifier}
		}
	}
}

// minState is the least length of a state that can hold 128 bits in base64url.
const minState = 22

func judgeState(j *judgement) {
	seen := map[string]bool{}
	for _, l := range j.someLogins() {
		state, has := query(l.authorize.Request.URL).Get("state")
		n := len(state)
		if rest, ok := strings.CutPrefix(state, stand); ok {
			length, _, _ := strings.Cut(rest, "-")
			n, _ = strconv.Atoi(length)
		}
		switch {
		case !has || state == "":
			j.fail(l.authorize, "an authorization request without state").Layer = Client
		case seen[state]:
			f := j.fail(l.authorize, "two authorization requests have the same state")
			f.Layer, f.Rules = Client, []rules.ID{rules.AuthzReqStateRandom}
		case n < minState && j.e.Source != FromTrace:
			f := j.fail(l.authorize, "state is too short to be random").differ(fmt.Sprintf("%d characters", minState), fmt.Sprintf("%d characters", n))
			f.Layer, f.Rules, f.Confidence, f.Severity = Client, []rules.ID{rules.AuthzReqStateRandom}, Likely, Medium
		}
		seen[state] = true
	}
}

func judgeIss(j *judgement) {
	judged := false
	for _, l := range j.logins() {
		if l.callback == nil {
			continue
		}
		var asm *document
		for i, m := range j.e.reading().asm {
			if issuer, _, _ := m.obj.String("issuer"); l.authorize.Issuer == issuer || endpointOf(m, l.authorize.Request.URL) {
				asm = &j.e.reading().asm[i]
			}
		}
		if asm == nil {
			continue
		}
		judged = true
		issuer, _, _ := asm.obj.String("issuer")
		promised, _, _ := asm.obj.Bool("authorization_response_iss_parameter_supported")
		iss, has := query(l.callback.Request.URL).Get("iss")
		switch {
		case has && iss != issuer && l.token != nil:
			j.fail(l.token, "the code of an answer with another iss is exchanged").differ(issuer, iss).Layer = Client
		case has && iss != issuer:
			f := j.fail(l.callback, "the answer's iss is not the issuer").differ(issuer, iss)
			f.Layer, f.Severity = AuthServer, High
		case !has && promised && l.token != nil:
			f := j.fail(l.token, "the code of an answer without iss is exchanged, although the issuer promises iss")
			f.Layer, f.Rules = Client, []rules.ID{rules.IssuerResponseRequired}
		}
	}
	if !judged {
		j.end(CouldNotRun, "the recording holds no callback together with its issuer's metadata")
	}
}

// endpointOf reports whether an authorization request went to the endpoint that
// the document names.
func endpointOf(m document, url string) bool {
	at, _, _ := m.obj.String("authorization_endpoint")
	base, _, _ := strings.Cut(url, "?")
	want, _, _ := strings.Cut(at, "?")
	return at != "" && base == want
}

func judgeResource(j *judgement) {
	published := ""
	for _, m := range j.e.reading().prm {
		if published == "" {
			published, _, _ = m.obj.String("resource")
		}
	}
	if published == "" && len(j.e.legs(LegPRM)) > 0 {
		j.end(NotApplicable, "the server publishes no resource: it is one of MCP 2025-03-26")
		return
	}
	compare := func(x *Exchange, got string, has bool, rule rules.ID, what string) {
		switch {
		case !has:
			f := j.fail(x, what+" without resource")
			f.Layer, f.Rules = Client, []rules.ID{rule}
		case published != "" && got != published:
			f := j.fail(x, what+" is for another resource than the server publishes").differ(published, got)
			f.Layer, f.Rules = Client, []rules.ID{rule}
		}
	}
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegAuthorize:
			v, has := query(x.Request.URL).Get("resource")
			compare(x, v, has, rules.AuthzReqResourceAlways, "an authorization request")
		case LegToken:
			v, has := requestForm(x).Get("resource")
			compare(x, v, has, rules.TokenReqResourceSame, "an exchange")
		case LegRefresh:
			v, has := requestForm(x).Get("resource")
			compare(x, v, has, rules.RefreshResource, "a refresh")
		default:
			continue
		}
		n++
	}
	if n == 0 {
		j.end(CouldNotRun, "the recording holds neither authorization nor token requests")
	}
}

func judgeRedirect(j *judgement) {
	for _, l := range j.someLogins() {
		want, _ := query(l.authorize.Request.URL).Get("redirect_uri")
		if l.token != nil {
			got, has := requestForm(l.token).Get("redirect_uri")
			if !has && want != "" || has && got != want {
				j.fail(l.token, "the exchange has another redirect_uri than the authorization request").differ(want, got).Layer = Client
			}
		}
		if l.callback != nil && want != "" {
			at, _, _ := strings.Cut(l.callback.Request.URL, "?")
			base, _, _ := strings.Cut(want, "?")
			if at != base {
				j.fail(l.callback, "the answer came to another address than redirect_uri").differ(base, at).Layer = AuthServer
			}
		}
	}
}

// unspent reports whether an answer leaves a code or refresh token as it was:
// the client was refused, or the server was in trouble before it looked.
func unspent(x *Exchange) bool {
	if x.Response == nil {
		return false
	}
	if x.status() == 429 || x.status() == 503 {
		return true
	}
	e := wire.ParseOAuthError(*x.Response)
	return e != nil && (e.Code == "invalid_client" || e.Code == "use_dpop_nonce" || e.Code == "temporarily_unavailable")
}

func judgeCodeTwice(j *judgement) {
	last := map[string]*Exchange{}
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg != LegToken {
			continue
		}
		code, has := requestForm(x).Get("code")
		if !has {
			continue
		}
		n++
		if before := last[code]; before != nil && !unspent(before) {
			j.fail(x, "a code is sent a second time").Layer = Client
		}
		last[code] = x
	}
	if n == 0 {
		j.end(CouldNotRun, "the recording holds no exchange of a code")
	}
}

// refreshes calls each for every refresh, with the one before it that sent the
// same refresh token.
func (j *judgement) refreshes(each func(x, before *Exchange)) {
	last := map[string]*Exchange{}
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg != LegRefresh {
			continue
		}
		n++
		token, _ := requestForm(x).Get("refresh_token")
		each(x, last[token])
		last[token] = x
	}
	if n == 0 {
		j.end(CouldNotRun, "the recording holds no refresh")
	}
}

func judgeRefreshTwice(j *judgement) {
	j.refreshes(func(x, before *Exchange) {
		if before == nil || before.status() != 200 {
			return
		}
		obj, err := wire.ParseObject(before.Response.Body)
		if err != nil {
			return
		}
		next, _, _ := obj.String("refresh_token")
		sent, _ := requestForm(x).Get("refresh_token")
		if next != "" && next != sent {
			j.fail(x, "a refresh token is sent again after it was exchanged for another, "+(x.At-before.At).Round(time.Millisecond).String()+" later").Layer = Client
		}
	})
}

func judgeRefreshDead(j *judgement) {
	j.refreshes(func(x, before *Exchange) {
		if before == nil || before.Response == nil {
			return
		}
		if e := wire.ParseOAuthError(*before.Response); e != nil && e.Code == "invalid_grant" {
			j.fail(x, "a refresh token is sent again after invalid_grant").Layer = Client
		}
	})
}

// many is how often one thing may be repeated before it is called a loop.
const many = 3

func judgeLoops(j *judgement) {
	scopes := map[string]int{}
	registrations := map[string]int{}
	var last *Exchange
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegAuthorize:
			scope, _ := query(x.Request.URL).Get("scope")
			scopes[scope]++
			if scopes[scope] == many+1 {
				j.fail(x, "the same scopes are asked for more than three times").Layer = Client
			}
		case LegRegister:
			registrations[x.Request.URL]++
			if registrations[x.Request.URL] == many+1 {
				f := j.fail(x, "the client registers more than three times")
				f.Layer, f.Rules = Client, []rules.ID{rules.RegReuse}
			}
		}
		last = x
	}
	if last == nil {
		j.end(CouldNotRun, "the recording is empty")
	}
}

func judgeExpiredUse(j *judgement) {
	if j.e.NoAuthorization || j.e.Source == FromTrace {
		j.end(CouldNotRun, "the recording does not show which token a request carried")
		return
	}
	ends := map[string]time.Duration{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if (x.Leg == LegToken || x.Leg == LegRefresh) && x.status() == 200 {
			obj, err := wire.ParseObject(x.Response.Body)
			if err != nil {
				continue
			}
			token, _, _ := obj.String("access_token")
			if raw, has := obj.Raw("expires_in"); has && token != "" {
				if n, err := strconv.Atoi(strings.Trim(string(raw), `"`)); err == nil {
					ends[token] = x.At + x.Took + time.Duration(n)*time.Second
				}
			}
		}
		for _, a := range x.sent("Authorization") {
			_, token, _ := strings.Cut(a, " ")
			if end, known := ends[token]; known && x.At > end {
				j.fail(x, "a token is sent "+(x.At-end).Round(time.Second).String()+" after it expired").Layer = Client
			}
		}
	}
}

func judgeHostLeak(j *judgement) {
	at := map[string]string{}
	see := func(x *Exchange, kind, value string) {
		if value == "" || len(value) < 8 {
			return
		}
		origin := wire.Origin(x.Request.URL)
		if first, seen := at[kind+value]; seen && first != origin {
			j.fail(x, kind+" that was sent to "+first+" is sent to another origin").differ(first, origin).Layer = Client
		} else if !seen {
			at[kind+value] = origin
		}
	}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		for _, a := range x.sent("Authorization") {
			scheme, token, _ := strings.Cut(a, " ")
			if j.e.Source == FromTrace && token == stand+"generation" {
				continue
			}
			see(x, "a "+scheme+" credential", token)
		}
		form := requestForm(x)
		for name, kind := range map[string]string{"client_secret": "a client secret", "refresh_token": "a refresh token", "code": "a code"} {
			v, _ := form.Get(name)
			see(x, kind, v)
		}
	}
}

func judgeRedirectFollow(j *judgement) {
	for i := 1; i < len(j.e.Exchanges); i++ {
		before, x := &j.e.Exchanges[i-1], &j.e.Exchanges[i]
		if s := before.status(); s < 300 || s > 399 || before.Leg == LegAuthorize {
			continue
		}
		to := strings.Join(before.got("Location"), "")
		if to != x.Request.URL {
			continue
		}
		token := len(before.sent("Authorization")) > 0 && slices.Equal(before.sent("Authorization"), x.sent("Authorization"))
		crossed := wire.Origin(before.Request.URL) != wire.Origin(x.Request.URL)
		body := before.Request.Method == "POST" && x.Request.Method == "POST" && len(before.Request.Body)+len(before.Request.Form) > 0
		switch {
		case token && crossed:
			j.fail(x, "a token is sent on to the target of a redirect").Layer = Client
		case body:
			f := j.fail(x, "the body of a POST is sent on to the target of a redirect")
			f.Layer, f.Rules = Client, []rules.ID{rules.NetRedirectPost}
		}
	}
}

func judgeSentCookies(j *judgement) {
	for _, x := range j.e.legs(LegPRM, LegASM, LegToken, LegRefresh, LegRegister) {
		if len(x.sent("Cookie")) > 0 {
			j.fail(x, "a request of the client itself carries a cookie").Layer = Client
		}
	}
}

func judgeScopes(j *judgement) {
	var challenged []string
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegMCP:
			if x.Response == nil || x.status() != 401 && x.status() != 403 {
				continue
			}
			all, _ := wire.ParseChallenges(x.Response.Header)
			for _, a := range all {
				if v, ok := a.Get("scope"); ok && (a.Scheme == "bearer" || a.Scheme == "dpop") {
					challenged = wire.ParseScope(v)
				}
			}
		case LegAuthorize:
			n++
			v, _ := query(x.Request.URL).Get("scope")
			if lacks := wire.Missing(wire.ParseScope(v), challenged); len(lacks) > 0 {
				j.fail(x, "an authorization request leaves out scopes that the challenge names").differ(strings.Join(challenged, " "), v).Layer = Client
			}
		}
	}
	if n == 0 {
		j.end(CouldNotRun, "the recording holds no authorization request")
	}
}

func judgeOrder(j *judgement) {
	metadata := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegASM:
			metadata = true
		case LegRegister, LegAuthorize:
			if !metadata && j.e.Source == FromTrace {
				f := j.fail(x, "the client goes to an endpoint before it read any metadata")
				f.Layer, f.Confidence = Client, Likely
				return
			}
		}
	}
	if !metadata && j.v.Outcome == Pass {
		j.end(CouldNotRun, "the recording holds no metadata of an authorization server")
	}
}

func judgeFirstCause(j *judgement) {
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch {
		case x.Failure != "":
			j.end(Fact, "the first exchange that failed: "+x.title()+": "+x.Failure)
			return
		case x.status() >= 400 && x.Leg != LegMCP && x.Leg != LegPRM && x.Leg != LegASM:
			j.end(Fact, fmt.Sprintf("the first exchange that was refused: %s: %d", x.title(), x.status()))
			return
		}
	}
}

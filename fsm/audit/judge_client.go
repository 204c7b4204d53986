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

// judgeMetadataClean looks for credentials in requests where they do not belong.
func judgeMetadataClean(j *judgement) {
	asked := j.e.legs(LegPRM, LegASM)
	if len(asked) == 0 {
		j.end(CouldNotRun, "the client read no metadata")
	}
	for _, x := range asked {
		if len(x.sent("Authorization")) > 0 {
			j.fail(x, "a metadata request carries a credential").Layer = Client
		}
	}
}

func judgePrinted(j *judgement) {
	if !j.e.authorized() {
		j.end(CouldNotRun, "the client never had a token")
		return
	}
	for _, run := range j.e.Runs {
		for _, kind := range run.Printed {
			f := j.fail(nil, "the client's output shows "+kind)
			f.Layer = Client
		}
	}
	for _, what := range j.e.Seen {
		if kind, ok := strings.CutPrefix(what, SeenArguments); ok {
			j.fail(nil, kind+" stands in the arguments of a process, which everybody on the machine can read").Layer = Client
		}
	}
}

// judgeRegistration reads the first registration.
func judgeRegistration(j *judgement) {
	j.unannouncedDocument()
	x := j.e.first(LegRegister)
	if x == nil {
		if j.e.first(LegAuthorize) != nil {
			j.end(NotApplicable, "the client does not register")
		} else {
			j.end(CouldNotRun, "the client did not register"+j.e.lastWords())
		}
		return
	}
	if kind := strings.Join(x.sent("Content-Type"), ""); !strings.HasPrefix(strings.ToLower(kind), "application/json") {
		f := j.fail(x, "the registration is not sent as JSON").differ("application/json", kind)
		f.Layer, f.Rules = Client, []rules.ID{rules.DCRPostJSON}
	}
	obj, err := wire.ParseObject(x.Request.Body)
	if err != nil {
		f := j.fail(x, "the registration is no JSON object")
		f.Layer, f.Rules = Client, []rules.ID{rules.DCRPostJSON}
		return
	}
	redirects, _, _ := obj.Strings("redirect_uris")
	loop := slices.ContainsFunc(redirects, wire.IsLoopbackHTTP)
	kind, _, _ := obj.String("application_type")
	if loop && kind != "native" {
		f := j.fail(x, "a client with a loopback redirect does not register as native").differ("native", kind)
		f.Layer, f.Rules, f.Severity = Client, []rules.ID{rules.DCRApplicationType}, Low
	}
	for _, r := range redirects {
		if !wire.IsLoopbackHTTP(r) && !strings.HasPrefix(r, "https:") {
			j.fail(x, "a redirect URI is neither loopback nor https").differ("http://127.0.0.1/…", r).Layer = Client
		}
	}
	if _, ok := obj.Raw("token_endpoint_auth_method"); !ok {
		f := j.fail(x, "the registration does not say how the client authenticates")
		f.Layer, f.Rules, f.Severity = Client, []rules.ID{rules.DCRAuthMethodAsked}, Low
	}
}

// unannouncedDocument looks for a client whose id is the address of a document although
// the issuer does not say that it reads such documents.
func (j *judgement) unannouncedDocument() {
	for _, m := range j.e.reading().asm {
		if reads, _, _ := m.obj.Bool("client_id_metadata_document_supported"); reads {
			return
		}
	}
	x := j.e.first(LegAuthorize)
	if x == nil {
		return
	}
	if id, _ := query(x.Request.URL).Get("client_id"); strings.HasPrefix(id, "https:") {
		f := j.fail(x, "the client names itself by an address, and the issuer does not say that it reads such documents").differ("a registration", id)
		f.Layer, f.Rules = Client, []rules.ID{rules.CIMDCheckFlag}
	}
}

func judgeRegistrations(j *judgement) {
	n := j.e.count(LegRegister, 0)
	switch {
	case !j.keeps():
	case j.e.first(LegMCP) == nil:
		j.end(CouldNotRun, "the client sent no request"+j.e.lastWords())
	case n == 0:
		j.end(NotApplicable, "the client does not register")
	case n > 1:
		j.fail(j.e.first(LegRegister), "the client registers at every start").differ("1", fmt.Sprint(n)).Layer = Client
	}
}

func judgeForeignToken(j *judgement) {
	if !j.began() {
		return
	}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg == LegToken && j.e.role(x) != RoleIssuer {
			j.end(Fact, "the code goes to a token endpoint at another host than the issuer's, which its metadata names")
		}
	}
}

func judgePreset(j *judgement) {
	if !j.began() {
		return
	}
	x := j.e.first(LegAuthorize)
	if x == nil {
		return
	}
	seen := map[string]int{}
	for _, f := range query(x.Request.URL) {
		if seen[f.Name]++; seen[f.Name] == 2 {
			j.fail(x, "the authorization request has "+f.Name+" twice").Layer = Client
		}
	}
}

func judgeReregistration(j *judgement) {
	if !j.began() {
		return
	}
	if j.e.first(LegToken) == nil {
		j.end(CouldNotRun, "the client exchanged no code"+j.e.lastWords())
		return
	}
	if n := j.e.count(LegRegister, 0); n > 2 {
		j.fail(j.e.first(LegRegister), "the client registers again and again").differ("2 at most", fmt.Sprint(n)).Layer = Client
	}
	if n := j.e.count(LegAuthorize, 0); n > 3 {
		j.fail(j.e.first(LegAuthorize), "the client asks for a login again and again").differ("3 at most", fmt.Sprint(n)).Layer = Client
	}
}

// loggedInFirst reports whether the first run ended with a token and a refresh
// token. Without them nothing can be said about a refresh.
func (j *judgement) loggedInFirst() bool {
	for _, run := range j.e.Runs {
		if run.Start > 0 && !run.LogsOut && j.e.count(LegMCP, run.Start) == 0 {
			j.end(CouldNotRun, fmt.Sprintf("the client sent no request at its start %d", run.Start)+j.e.lastWords())
			return false
		}
	}
	if !j.e.authorized() {
		j.end(CouldNotRun, "the client never logged in"+j.e.lastWords())
		return false
	}
	return true
}

func judgeRefreshHappens(j *judgement) {
	if !j.loggedInFirst() || !j.keeps() {
		return
	}
	x := j.e.first(LegRefresh)
	if x == nil {
		f := j.fail(j.e.first(LegMCP), "the client does not use its refresh token after the access token has expired")
		f.Layer = Client
		if j.e.count(LegAuthorize, 3) > 0 {
			f.Got = "a new login"
		}
		return
	}
	switch resource, has := requestForm(x).Get("resource"); {
	case !has:
		f := j.fail(x, "a refresh without resource")
		f.Layer, f.Rules = Client, []rules.ID{rules.RefreshResource}
	case resource != j.e.Target:
		f := j.fail(x, "a refresh is for another resource than the server publishes").differ(j.e.Target, resource)
		f.Layer, f.Rules = Client, []rules.ID{rules.RefreshResource}
	}
	if n := j.e.count(LegAuthorize, 3); n > 0 {
		j.fail(x, "the client asks the user although a refresh succeeded").Layer = Client
	}
}

// judgeRefreshKept expects a refresh, and no login, in each run but the first.
func judgeRefreshKept(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	if j.e.count(LegRefresh, 2) == 0 { // refresh-happens says why
		j.end(CouldNotRun, "the client does not refresh at its second start")
		return
	}
	for run := 2; run <= len(j.e.Runs); run++ {
		if j.e.count(LegRefresh, run) == 0 {
			j.fail(j.e.first(LegMCP), "the client does not refresh at its second or third start").Layer = Client
			return
		}
		if j.e.count(LegAuthorize, run) > 0 {
			j.fail(j.e.first(LegRefresh), "the client asks the user although it has a refresh token").Layer = Client
			return
		}
	}
}

// judgeTransient: a refresh had a transient failure. The client does not log in, and
// asks the token endpoint again, at once or at the next start.
func judgeTransient(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	x := j.e.first(LegRefresh)
	if x == nil {
		j.end(CouldNotRun, "the client does not refresh")
		return
	}
	for run := 2; run <= len(j.e.Runs); run++ {
		if j.e.count(LegAuthorize, run) > 0 {
			j.fail(x, "a transient failure makes the client ask the user").Layer = Client
			return
		}
	}
	j.hurried()
	if j.e.count(LegRefresh, 0) < 2 {
		j.fail(x, "after a transient failure the client does not try its refresh token again").Layer = Client
	}
}

// judgeMoved: after the resource names another issuer, nothing from the old issuer is
// sent to the new one.
func judgeMoved(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	clients := map[string]bool{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		other := j.e.role(x) == RoleOther
		id := ""
		switch x.Leg {
		case LegToken, LegRefresh:
			id, _ = requestForm(x).Get("client_id")
		case LegAuthorize:
			id, _ = query(x.Request.URL).Get("client_id")
		default:
			continue
		}
		if !other && id != "" {
			clients[id] = true
			continue
		}
		if !other {
			continue
		}
		if x.Leg == LegRefresh {
			j.fail(x, "a refresh token goes to an issuer that did not give it").Layer = Client
		}
		if clients[id] && !strings.HasPrefix(id, "https:") {
			f := j.fail(x, "a client id goes to an issuer that did not give it")
			f.Layer, f.Severity = Client, High
		}
	}
}

// hurried looks for a refresh that comes sooner than the Retry-After of the previous
// answer allows.
func (j *judgement) hurried() {
	all := j.e.legs(LegRefresh)
	for i := 1; i < len(all); i++ {
		before, x := all[i-1], all[i]
		wait, err := strconv.Atoi(strings.Join(before.got("Retry-After"), ""))
		if err != nil || x.Run != before.Run {
			continue
		}
		waited := x.At - before.At - before.Took
		if asked := time.Duration(wait) * time.Second; waited < asked*9/10 {
			f := j.fail(x, "the client does not wait as long as Retry-After asks")
			f.Layer, f.Rules, f.Severity = Client, []rules.ID{rules.NetRetryAfter}, Low
			return
		}
	}
}

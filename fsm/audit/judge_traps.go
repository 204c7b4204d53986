package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// judgeEscapes looks for a server's terminal escapes in the client's output.
func judgeEscapes(j *judgement) {
	for _, run := range j.e.Runs {
		if run.Escapes {
			j.fail(nil, "the client's output holds terminal escapes that a server wrote").Layer = Client
			return
		}
	}
	if j.e.first(LegPRM) == nil {
		j.end(CouldNotRun, "the client read no metadata"+j.e.lastWords())
	}
}

// loads are the beginnings of what makes a page fetch from elsewhere by itself.
var loads = []string{"<script", "<img", "<link", "<iframe", "<embed", "<object", "<video", "<audio"}

// judgePageContent reads the page that ends a login.
func judgePageContent(j *judgement) {
	pages := j.e.legs(LegCallback)
	if len(pages) == 0 {
		j.end(CouldNotRun, "no answer came back to the client"+j.e.lastWords())
		return
	}
	for _, x := range pages {
		if x.Response == nil {
			continue
		}
		body := string(x.Response.Body)
		if code, _ := query(x.Request.URL).Get("code"); len(code) >= 8 && strings.Contains(body, code) {
			j.fail(x, "the client's page shows the code").Layer = Client
		}
		low := strings.ToLower(body)
		for _, tag := range loads {
			for _, part := range strings.Split(low, tag)[1:] {
				inside, _, _ := strings.Cut(part, ">")
				if strings.Contains(inside, "://") || strings.Contains(inside, `="//`) {
					j.fail(x, "the client's page loads something from elsewhere").differ("nothing", tag[1:]+strings.TrimRight(inside, " /")).Layer = Client
				}
			}
		}
	}
}

func judgeRedirectLoop(j *judgement) {
	if !j.began() {
		return
	}
	asked := j.e.legs(LegASM)
	if len(asked) == 0 {
		j.end(CouldNotRun, "the client asked for no metadata of the issuer"+j.e.lastWords())
		return
	}
	const most = 100 // three addresses, each with the twenty hops that some libraries follow
	if len(asked) > most {
		j.fail(asked[0], "the client follows a redirect to itself without end").differ(fmt.Sprintf("%d at most", most), fmt.Sprint(len(asked))).Layer = Client
	}
}

func judgeEndless(leg Leg) func(*judgement) {
	return func(j *judgement) { j.readsAll(leg) }
}

func (j *judgement) readsAll(leg Leg) {
	if !j.began() {
		return
	}
	asked := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg == leg {
			asked++
		}
		if x.Failure == EndlessRead {
			j.fail(x, "the client reads a document without bound").differ("about a mebibyte", fmt.Sprintf("%d MiB", EndlessBody>>20)).Layer = Client
			return
		}
	}
	if asked == 0 {
		j.end(CouldNotRun, "the client sent no request of the kind "+string(leg)+j.e.lastWords())
	}
}

// judgeNoLogin: the MCP server's answer is no reason to log in. A client that logs in
// before it asks the MCP server shows nothing here.
func judgeNoLogin(j *judgement) {
	if !j.began() {
		return
	}
	first := j.e.first(LegMCP)
	if x := j.e.first(LegPRM); x != nil && j.e.number(x) < j.e.number(first) {
		j.end(NotApplicable, "the client logs in before it asks the MCP server")
		return
	}
	for _, leg := range []Leg{LegAuthorize, LegRegister} {
		if x := j.e.first(leg); x != nil {
			j.fail(x, fmt.Sprintf("the client begins a login after status %d", first.status())).differ("401", fmt.Sprint(first.status())).Layer = Client
			return
		}
	}
}

func judgeRegisterStorm(j *judgement) {
	if n := j.e.count(LegRegister, 0); n > maxAttempts {
		j.fail(j.e.first(LegRegister), "the client registers again and again while the issuer is in trouble").differ(fmt.Sprintf("%d at most", maxAttempts), fmt.Sprint(n)).Layer = Client
	}
}

func judgeExpires(j *judgement) {
	if !j.began() {
		return
	}
	if j.e.first(LegToken) == nil {
		j.end(CouldNotRun, "the client exchanged no code"+j.e.lastWords())
		return
	}
	if n := j.e.count(LegAuthorize, 0); n > 2 {
		j.fail(j.e.first(LegAuthorize), "the client asks for a login again and again").differ("2 at most", fmt.Sprint(n)).Layer = Client
	}
	const most = 20 // one before each request is correct for a token that expires at once
	if n := j.e.count(LegRefresh, 0); n > most {
		j.fail(j.e.first(LegRefresh), "the client refreshes again and again").differ(fmt.Sprintf("%d at most", most), fmt.Sprint(n)).Layer = Client
	}
}

// judgeInRun: the token expired after it was used.
func judgeInRun(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	var refused *Exchange
	used := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg != LegMCP || len(x.sent("Authorization")) == 0 {
			continue
		}
		if used && x.status() == 401 && refused == nil {
			refused = x
		}
		used = used || x.status() < 300
	}
	switch {
	case refused == nil:
		j.end(NotApplicable, "the client sends no request after the token has expired")
	case j.e.first(LegRefresh) != nil:
		if j.e.count(LegAuthorize, 0) > 1 {
			j.fail(refused, "the client asks the user although a refresh succeeded").Layer = Client
		}
	case j.e.count(LegAuthorize, 0) > 1:
		j.fail(refused, "the client asks the user after its token has expired, and does not refresh").differ("a refresh", "a new login").Layer = Client
	default:
		f := j.fail(refused, "the client has a refresh token, and gives up when its token expires while it runs").differ("a refresh", "")
		f.Layer, f.Severity, f.Confidence = Client, Low, Likely
	}
	j.sentTwice()
}

// sentTwice is judgeRefreshTwice for traps in which there may be no refresh.
func (j *judgement) sentTwice() {
	if j.e.first(LegRefresh) == nil {
		return
	}
	before := len(j.v.Findings)
	judgeRefreshTwice(j)
	for i := before; i < len(j.v.Findings); i++ {
		j.v.Findings[i].Severity, j.v.Findings[i].Threat, j.v.Findings[i].Rules = Critical, Replay, []rules.ID{rules.Refresh401One, rules.RefreshTransaction}
	}
}

// judgeLost: the issuer carried out a refresh, and the answer was lost.
func judgeLost(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	var lost *Exchange
	sent, asked := 0, false
	token := ""
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch {
		case x.Leg == LegRefresh && lost == nil && x.Failure == AnswerLost:
			lost, sent = x, 1
			token, _ = requestForm(x).Get("refresh_token")
		case x.Leg == LegRefresh && lost != nil:
			if got, _ := requestForm(x).Get("refresh_token"); got == token {
				sent++
			}
		case x.Leg == LegAuthorize && lost != nil && sent == 1 && !asked:
			asked = true
			j.fail(x, "a lost answer makes the client ask the user, without another try").Layer = Client
		}
	}
	if lost == nil {
		j.end(CouldNotRun, "the client does not refresh")
		return
	}
	if sent > maxAttempts {
		j.fail(lost, "the client sends a refresh token whose answer was lost again and again").differ(fmt.Sprintf("%d at most", maxAttempts), fmt.Sprint(sent)).Layer = Client
	}
	for i := range slices.Backward(j.e.Exchanges) {
		x := &j.e.Exchanges[i]
		if x.Leg == LegMCP && x.Run == len(j.e.Runs) && len(x.sent("Authorization")) > 0 && x.status() >= 200 && x.status() < 300 {
			return
		}
	}
	j.fail(lost, "the client does not get through any more after an answer was lost").Layer = Client
}

// keeps reports whether the client keeps anything from one start to the next: if it
// does, the second start, in which the token is valid, needs no login.
func (j *judgement) keeps() bool {
	if j.e.count(LegAuthorize, 2) > 0 {
		j.end(CouldNotRun, "the client keeps nothing from one start to the next")
		return false
	}
	return true
}

func judgeRegisterParallel(j *judgement) {
	if !j.loggedInFirst() || !j.keeps() {
		return
	}
	switch n := j.e.count(LegRegister, 1); {
	case n == 0:
		j.end(NotApplicable, "the client does not register")
	case n > 1:
		j.fail(j.e.first(LegRegister), "clients that start together on one store register each for itself").differ("1", fmt.Sprint(n)).Layer = Client
	}
}

// judgeCrossPath: the second server has the origin of the first.
func judgeCrossPath(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	first := map[string]bool{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		sent := strings.Join(x.sent("Authorization"), " ")
		switch {
		case x.Leg != LegMCP || sent == "":
		case x.Request.URL == j.e.Target:
			first[sent] = true
		case first[sent]:
			j.fail(x, "the token of one MCP server goes to another of the same origin").Layer = Client
			return
		}
	}
}

func judgeSecretExpired(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	expires := map[string]time.Duration{} // of the secrets that the first start was given
	for _, x := range j.e.legs(LegRegister) {
		if x.Response == nil || x.Run > 1 {
			continue
		}
		if obj, err := wire.ParseObject(x.Response.Body); err == nil {
			id, _, _ := obj.String("client_id")
			expires[id] = x.At + x.Took + secretLife + time.Second
		}
	}
	if len(expires) == 0 {
		j.end(NotApplicable, "the client does not register")
		return
	}
	for _, x := range j.e.legs(LegToken, LegRefresh) {
		id, _ := requestForm(x).Get("client_id")
		if end, known := expires[id]; known && x.Run > 1 && x.At > end { // the first start may be slow
			j.fail(x, "the client sends a secret that has expired").Layer = Client
			return
		}
	}
}

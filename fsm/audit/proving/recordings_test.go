package proving

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// recordings are the deviations that a recording of a client shows, by check: in what
// the client sends or in the answers that it gets.
var recordings = map[string]deviation{
	"tr.coverage":        {wrong: []edit{{"main.refreshed", gone}}},
	"tr.secrets":         {},
	"tr.url-token":       {wrong: []edit{{"main.call", goes("https://mcp.example/mcp?access_token=stile-audit-access")}}},
	"tr.http":            {wrong: []edit{{"main.token", goes("http://as.example/token")}}},
	"tr.pkce":            {wrong: []edit{{"main.token", form("code_verifier", "")}}},
	"tr.state":           {wrong: []edit{{"main.visit.asked", param("state", "")}}},
	"tr.iss":             {wrong: []edit{{"main.visit", param("iss", "https://evil.example")}}},
	"tr.resource":        {wrong: []edit{{"main.refreshed", form("resource", "https://other.example/mcp")}}},
	"tr.redirect":        {wrong: []edit{{"main.token", form("redirect_uri", "http://127.0.0.1:4711/other")}}},
	"tr.code-twice":      {wrong: []edit{{"main.token", again}}},
	"tr.rt-twice":        {wrong: []edit{{"main.refreshed", again}}},
	"tr.rt-after-dead":   {wrong: []edit{{"main.refreshed", answers(400, `{"error":"invalid_grant"}`)}, {"main.refreshed", again}}},
	"tr.loops":           {wrong: []edit{{"main.visit.asked", again}, {"main.visit.asked", again}, {"main.visit.asked", again}}},
	"tr.expired-use":     {wrong: []edit{{"main.call", func(x *audit.Exchange) { x.At += 3 * time.Hour }}}},
	"tr.host-leak":       {wrong: []edit{{"main.refreshed", again}, {"main.refreshed.again", goes("https://evil.example/token")}}},
	"tr.redirect-follow": {wrong: []edit{{"main.token", answers(307, "")}, {"main.token", says("Location", "https://evil.example/token")}, {"main.token", again}, {"main.token.again", goes("https://evil.example/token")}}},
	"tr.cookies":         {wrong: []edit{{"main.token", carries("Cookie", "session=stile-audit")}}},
	"tr.scope":           {wrong: []edit{{"main.visit.asked", param("scope", "other")}}},
	"tr.order":           {source: audit.FromTrace, wrong: []edit{{"asm.*", gone}}},
	"ref.after-days":     {both: []edit{{"main.refreshed", func(x *audit.Exchange) { x.At += 49 * time.Hour }}}, wrong: []edit{{"main.refreshed", answers(400, `{"error":"invalid_grant"}`)}}},
	"tr.first-cause":     {wrong: []edit{{"main.refreshed", answers(503, "")}}},
	"tr.registered":      {wrong: []edit{{"grant.register", answers(200, `{}`)}}},
	"tr.answered":        {wrong: []edit{{"main.visit", param("state", "stile-audit-other")}}},
	"tr.issued":          {wrong: []edit{{"main.token", answers(200, `{"access_token":"stile-audit-access"}`)}}},
	"tr.refreshed":       {wrong: []edit{{"main.refreshed", answers(500, "")}}},
	"tr.revoked":         {wrong: []edit{{"main.end", answers(500, "")}}},
	"tr.let-in":          {wrong: []edit{{"main.call", answers(401, "")}}},
	"tr.forbidden":       {both: []edit{{"main.refreshed-call", answers(403, "")}, {"main.refreshed-call", says("WWW-Authenticate", `Bearer error="insufficient_scope", scope="admin"`)}}, wrong: []edit{{"main.refreshed-call", says("WWW-Authenticate", "")}}},
}

// recorded is what a proxy in front of a client would have kept while the client logs
// in, calls, refreshes and logs out.
func (d deviation) recorded(t *testing.T, wrong bool) audit.Evidence {
	t.Helper()
	checks := audit.Select(audit.Options{Only: []string{"ref.works"}, Login: true})
	e := deviation{faults: d.faults}.audited(t, checks, false)
	keep := []string{"mcp.initialize", "prm.path", "asm.0.0", "grant.register", "main.visit", "main.token", "main.call", "main.refreshed", "main.refreshed-call", "main.end"}
	var list []audit.Exchange
	for _, x := range e.Exchanges {
		if !slices.Contains(keep, x.Probe) {
			continue
		}
		if x.Probe == "main.visit" {
			asked := x
			asked.Probe, asked.Leg, asked.Request.URL, asked.Sent = "main.visit.asked", audit.LegAuthorize, x.Sent, ""
			asked.Response = &wire.Response{Status: 302, Header: wire.Fields{{Name: "Location", Value: x.Request.URL}}}
			list = append(list, asked)
			x.Sent, x.Response = "", &wire.Response{Status: 200}
		}
		list = append(list, x)
	}
	edits := d.both
	source := audit.FromHAR
	if wrong {
		edits = slices.Concat(d.both, d.wrong)
	}
	if d.source != "" {
		source = d.source
	}
	for _, c := range edits {
		for i := 0; i < len(list); i++ {
			if !c.meets(list[i].Probe) {
				continue
			}
			before := list[i].Probe
			alter(&list[i], c.do)
			switch {
			case list[i].Probe == "":
				list = slices.Delete(list, i, i+1)
				i--
			case list[i].Probe != before: // this one is to be repeated
				twin := list[i]
				list[i].Probe = before
				list = slices.Insert(list, i+1, twin)
				i++
			}
		}
	}
	out := audit.Evidence{Target: target, Source: source, Exchanges: list}
	for i := range out.Exchanges {
		out.Exchanges[i].Probe = ""
	}
	return out
}

func gone(x *audit.Exchange) { x.Probe = "" }

func again(x *audit.Exchange) { x.Probe += ".again" }

func goes(url string) func(*audit.Exchange) {
	return func(x *audit.Exchange) { x.Request.URL = url }
}

func carries(name, value string) func(*audit.Exchange) {
	return func(x *audit.Exchange) {
		x.Request.Header = append(slices.Clone(x.Request.Header), wire.Field{Name: name, Value: value})
	}
}

// form sets a parameter of the request's body; "" removes it.
func form(name, value string) func(*audit.Exchange) {
	return func(x *audit.Exchange) {
		x.Request.Form = slices.DeleteFunc(slices.Clone(x.Request.Form), func(f wire.Field) bool { return f.Name == name })
		if value != "" {
			x.Request.Form = append(x.Request.Form, wire.Field{Name: name, Value: value})
		}
	}
}

// param sets a parameter of the request's address; "" removes it.
func param(name, value string) func(*audit.Exchange) {
	return func(x *audit.Exchange) {
		base, query, _ := strings.Cut(x.Request.URL, "?")
		fields, _ := wire.DecodeForm(query)
		fields = slices.DeleteFunc(fields, func(f wire.Field) bool { return f.Name == name })
		if value != "" {
			fields = append(fields, wire.Field{Name: name, Value: value})
		}
		x.Request.URL = base + "?" + wire.EncodeForm(fields)
	}
}

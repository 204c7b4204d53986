package explore

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// reply is one kind of answer of a server.
type reply struct {
	name   string
	status int
	body   string // TOKEN and REFRESH stand for fresh values
	header string // one more header field
}

const (
	prmBody  = `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"],"scopes_supported":["user"]}`
	asmStart = `{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize","token_endpoint":"https://as.example/token",` +
		`"response_types_supported":["code"],"scopes_supported":["user","admin","offline_access"]`
	asmPKCE  = `,"code_challenge_methods_supported":["S256"]`
	asmRest  = `,"registration_endpoint":"https://as.example/register","revocation_endpoint":"https://as.example/revoke"`
	devBody  = `{"device_code":"DEVICE","user_code":"WDJB-MJHT","verification_uri":"https://as.example/device","expires_in":600,"interval":5}`
	asmFlags = `,"device_authorization_endpoint":"https://as.example/device_authorization","authorization_response_iss_parameter_supported":true,"client_id_metadata_document_supported":true,"dpop_signing_alg_values_supported":["EdDSA"]`
	asmBody  = asmStart + asmPKCE + asmRest + asmFlags + `}`
	regStart = `{"client_id":"client-of-this-issuer","redirect_uris":["http://127.0.0.1:4711/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"]`
	tokBody  = `{"access_token":"TOKEN","token_type":"Bearer","expires_in":3600,"refresh_token":"REFRESH","scope":"user"}`
)

// troubles come from any server at any time.
var troubles = []reply{
	{"404", 404, "", ""}, {"401", 401, "", ""}, {"403 with a page", 403, "<html>", ""}, {"302", 302, "", "Location: https://elsewhere.example/"},
	{"429", 429, "", "Retry-After: 2"}, {"429 for an hour", 429, "", "Retry-After: 3600"}, {"500", 500, "", ""}, {"503", 503, `{"error":"server_error"}`, ""},
	{"a page", 200, "<html>hello</html>", ""}, {"nothing", 200, "", ""}, {"half a document", 200, `{"a":`, ""},
	{"a name twice", 200, `{"issuer":"x","issuer":"y"}`, ""}, {"an array", 200, `[]`, ""},
}

var prmReplies = []reply{
	{"two issuers", 200, `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example","https://other.example"]}`, ""},
	{"another issuer", 200, `{"resource":"https://mcp.example/mcp","authorization_servers":["https://other.example"],"scopes_supported":["user","admin"]}`, ""},
	{"no issuer", 200, `{"resource":"https://mcp.example/mcp"}`, ""},
	{"another path as resource", 200, `{"resource":"https://mcp.example/else","authorization_servers":["https://as.example"]}`, ""},
	{"another origin as resource", 200, `{"resource":"https://evil.example/mcp","authorization_servers":["https://as.example"]}`, ""},
	{"the origin as resource", 200, `{"resource":"https://mcp.example","authorization_servers":["https://as.example"]}`, ""},
	{"an issuer over http", 200, `{"resource":"https://mcp.example/mcp","authorization_servers":["http://as.example"]}`, ""},
}

var asmReplies = []reply{
	{"no registration, no flags", 200, asmStart + asmPKCE + `}`, ""},
	{"no PKCE", 200, asmStart + asmRest + `}`, ""},
	{"plain PKCE only", 200, asmStart + asmRest + `,"code_challenge_methods_supported":["plain"]}`, ""},
	{"no metadata documents", 200, asmStart + asmPKCE + asmRest + `}`, ""},
	{"another issuer in it", 200, strings.Replace(asmBody, `"issuer":"https://as.example"`, `"issuer":"https://evil.example"`, 1), ""},
	{"the endpoint over http", 200, strings.Replace(asmBody, "https://as.example/token", "http://as.example/token", 1), ""},
	{"TLS authentication only", 200, asmStart + asmPKCE + asmRest + `,"token_endpoint_auth_methods_supported":["tls_client_auth"]}`, ""},
	{"post authentication only", 200, asmStart + asmPKCE + asmRest + `,"token_endpoint_auth_methods_supported":["client_secret_post"]}`, ""},
	{"an endpoint that presets", 200, strings.Replace(asmBody, "https://as.example/authorize", "https://as.example/authorize?client_id=theirs", 1), ""},
}

var registerReplies = []reply{
	{"a client with a secret", 201, regStart + `,"token_endpoint_auth_method":"client_secret_basic","client_secret":"SECRET","client_secret_expires_at":0}`, ""},
	{"a secret and no method", 201, regStart + `,"client_secret":"SECRET","client_secret_expires_at":0}`, ""},
	{"invalid_redirect_uri", 400, `{"error":"invalid_redirect_uri"}`, ""},
	{"no client_id", 201, `{"redirect_uris":["http://127.0.0.1:4711/callback"]}`, ""},
}

var tokenReplies = []reply{
	{"no refresh token", 200, `{"access_token":"TOKEN","token_type":"Bearer","expires_in":60,"scope":"user"}`, ""},
	{"no expiry", 200, `{"access_token":"TOKEN","token_type":"Bearer","refresh_token":"REFRESH"}`, ""},
	{"expires at once", 200, `{"access_token":"TOKEN","token_type":"Bearer","expires_in":0,"refresh_token":"REFRESH","scope":"user"}`, ""},
	{"more scope", 200, `{"access_token":"TOKEN","token_type":"Bearer","expires_in":3600,"refresh_token":"REFRESH","scope":"user admin"}`, ""},
	{"less scope", 200, `{"access_token":"TOKEN","token_type":"Bearer","expires_in":3600,"refresh_token":"REFRESH","scope":"other"}`, ""},
	{"another type", 200, `{"access_token":"TOKEN","token_type":"mac"}`, ""},
	{"an error with 200", 200, `{"error":"bad_verification_code"}`, ""},
}

// codes are the error codes of a token endpoint, and one that does not exist.
var codes = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target",
	"access_denied", "server_error", "temporarily_unavailable", "interaction_required", "of_their_own",
}

// openAnswers are all answers to the open question, the honest one first.
func openAnswers(w *world, i int) []move {
	switch q := w.actors[i].q.(type) {
	case states.Send:
		return openReplies(w, i, q)
	case states.Load:
		return openLoads(w, i, q)
	case states.Sign:
		return []move{
			{"the key signs", func(w *world) { w.sign(i, q) }},
			{"the key cannot be used", func(w *world) { w.step(i, states.Unsigned{Serial: q.Serial, Detail: "the key is locked"}) }},
		}
	case states.Assert:
		give := func(name string, in func(*world) states.Input) move {
			return move{name, func(w *world) { w.pass(i, q.NotBefore); w.step(i, in(w)) }}
		}
		if q.Provider != "" {
			return openIdentity(q, give)
		}
		return []move{
			give("the platform gives an assertion", func(w *world) states.Input { return model.Assert(q, w.at) }),
			give("the platform gives an old one", func(w *world) states.Input { return model.Assert(q, w.at.Add(-2*time.Hour)) }),
			give("the platform gives one for another", func(w *world) states.Input {
				return model.Assert(states.Assert{Serial: q.Serial, Audiences: []string{"https://evil.example"}}, w.at)
			}),
			give("the platform gives rubbish", func(*world) states.Input { return states.Signed{Serial: q.Serial, JWS: "rubbish"} }),
			give("the platform gives none", func(*world) states.Input { return states.Unsigned{Serial: q.Serial, Detail: "no file"} }),
		}
	case states.Ask:
		return openHost(i, q)
	case states.Lease:
		return []move{
			{"the lease is given", func(w *world) {
				w.store.Fences++
				w.step(i, states.Leased{Serial: q.Serial, Fence: w.store.Fences, TTL: q.TTL})
			}},
			{"another has the lease", func(w *world) { w.step(i, states.Held{Serial: q.Serial}) }},
			openFailed(i, q.Serial),
		}
	case states.Save:
		return []move{
			{"it is saved", func(w *world) {
				w.pass(i, q.NotBefore)
				w.step(i, states.Saved{Serial: q.Serial, Generation: w.next()})
			}},
			{"somebody else wrote", func(w *world) { w.step(i, states.Conflicted{Serial: q.Serial}) }},
			openFailed(i, q.Serial),
		}
	case states.Delete:
		return openRemoved(i, q.Serial, states.Deleted{Serial: q.Serial})
	case states.Claim:
		return openRemoved(i, q.Serial, states.Claimed{Serial: q.Serial})
	default: // the others need nothing here
	}
	return nil
}

func (w *world) next() states.Generation {
	w.store.Last++
	return w.store.Last
}

func openFailed(i int, serial uint64) move {
	return move{"the store fails", func(w *world) { w.step(i, states.StoreFailed{Serial: serial, Detail: "the disk is full"}) }}
}

func openRemoved(i int, serial uint64, done states.Input) []move {
	return []move{
		{"it is done", func(w *world) { w.step(i, done) }},
		{"nothing is there", func(w *world) { w.step(i, states.NotFound{Serial: serial}) }},
		{"somebody else wrote", func(w *world) { w.step(i, states.Conflicted{Serial: serial}) }},
		openFailed(i, serial),
	}
}

func openHost(i int, q states.Ask) []move {
	say := func(name string, in states.Answered) move {
		in.Serial = q.Serial
		return move{name, func(w *world) { w.step(i, in) }}
	}
	out := []move{say("the host takes the default", states.Answered{Value: q.Default})}
	switch q.Question {
	case states.AskRedirect:
		out = append(out, say("nothing listens", states.Answered{}), say("another port listens", states.Answered{Value: "http://127.0.0.1:5000/callback"}))
	case states.AskResource:
		out = append(out, say("the host declines", states.Answered{Value: "no"}))
	case states.AskIssuer:
		out = append(out, say("the host takes the last", states.Answered{Value: q.Options[len(q.Options)-1]}))
	case states.AskScopes:
		out = append(out, say("the host wants less", states.Answered{Values: []string{"user"}}))
	case states.AskClient:
		out = append(out, say("the host knows a client", states.Answered{Value: "by-hand", Secret: "the secret by hand"}))
	}
	return out
}

// openReplies are the answers to a request.
func openReplies(w *world, i int, q states.Send) []move {
	var list []reply
	switch w.actors[i].m.State {
	case states.DiscoveringPRM:
		list = append([]reply{{"the metadata", 200, prmBody, ""}}, prmReplies...)
		if w.actors[i].m.Data.Config.Revision == states.R1 {
			list[0] = reply{"404", 404, "", ""}
		}
	case states.DiscoveringASM:
		list = append([]reply{{"the metadata", 200, asmBody, ""}}, asmReplies...)
		if strings.HasPrefix(q.Request.URL, "https://mcp.example") {
			list[0] = reply{"404", 404, "", ""}
		}
		if strings.HasPrefix(q.Request.URL, "https://other.example") {
			list[0].body = strings.ReplaceAll(asmBody, "as.example", "other.example")
		}
	case states.DiscoveringProvider:
		list = append([]reply{{"the metadata", 200, asmBody, ""}}, asmReplies...)
		for n := range list {
			list[n].body = strings.ReplaceAll(list[n].body, "as.example", "idp.example")
		}
	case states.ExchangingIdentity, states.ExchangingIdentityAgain:
		list = openExchange(w, i, q)
	case states.RereadingToRegister, states.RereadingToExchange, states.RereadingToRefresh:
		moved := strings.NewReplacer("/token", "/moved/token", "/register", "/moved/register").Replace(asmBody)
		list = append([]reply{{"the metadata", 200, moved, ""}, {"the same metadata as before", 200, asmBody, ""}}, asmReplies...)
		for n := range list[:2] {
			list[n].body = strings.ReplaceAll(list[n].body, issuer, wire.Origin(q.Request.URL))
		}
	case states.StartingDevice:
		list = []reply{
			{"a code for the user", 200, devBody, ""}, {"a code that is shown elsewhere over http", 200, strings.Replace(devBody, "https://as.example/device", "http://as.example/device", 1), ""},
			{"no code for the user", 200, `{"device_code":"DEVICE","verification_uri":"https://as.example/device","expires_in":600}`, ""},
			{"invalid_client", 401, `{"error":"invalid_client"}`, ""}, {"invalid_scope", 400, `{"error":"invalid_scope"}`, ""},
		}
	case states.Registering:
		list = append([]reply{{"a client", 201, regStart + `,"token_endpoint_auth_method":"none","registration_access_token":"the-token-to-manage-it","registration_client_uri":"https://as.example/register/client-of-this-issuer"}`, ""}}, registerReplies...)
	case states.Exchanging, states.Refreshing, states.Requesting, states.Renewing, states.Presenting, states.PresentingAgain, states.Polling, states.Redeeming, states.RedeemingAgain:
		list = append([]reply{{"a token", 200, tokBody, ""}}, tokenReplies...)
		if w.actors[i].m.Data.Proves() {
			list = append([]reply{{"a token that is bound", 200, strings.Replace(tokBody, "Bearer", "DPoP", 1), ""}}, list...)
		}
		if w.actors[i].m.State == states.Polling {
			for _, c := range []string{"authorization_pending", "slow_down", "expired_token"} {
				list = append(list, reply{c, 400, `{"error":"` + c + `"}`, ""})
			}
		}
		for _, c := range codes {
			list = append(list, reply{c, 400, `{"error":"` + c + `"}`, ""})
		}
	default:
		list = []reply{{"done", 200, "", ""}, {"unsupported_token_type", 400, `{"error":"unsupported_token_type"}`, ""}}
	}
	var out []move
	for _, r := range append(list, troubles...) {
		out = append(out, move{"the server answers: " + r.name, func(w *world) { w.openReply(i, q, r) }})
	}
	for _, class := range []states.FailureClass{states.Unsent, states.Lost, states.TLS, states.Blocked, states.Late} {
		if class == states.Late && q.NotAfter.IsZero() {
			continue
		}
		out = append(out, move{"no answer: " + string(class), func(w *world) {
			w.pass(i, q.NotBefore)
			if class == states.Lost {
				w.leaves(i, q)
			}
			w.deliver(i, q, states.Unreachable{Serial: q.Serial, Class: class, Detail: string(class)})
		}})
	}
	return out
}

func (w *world) openReply(i int, q states.Send, r reply) {
	w.pass(i, q.NotBefore)
	w.leaves(i, q)
	w.coined++
	body := strings.NewReplacer("TOKEN", fmt.Sprintf("access_%08d", w.coined), "REFRESH", fmt.Sprintf("refresh_%08d", w.coined),
		"DEVICE", fmt.Sprintf("device_%08d", w.coined), "SECRET", fmt.Sprintf("client-secret-%08d", w.coined)).Replace(r.body)
	resp := jsonAnswer(r.status, body)
	if name, value, ok := strings.Cut(r.header, ": "); ok {
		resp.Header = append(resp.Header, wire.Field{Name: name, Value: value})
	}
	w.learn(q.Request, resp)
	w.deliver(i, q, states.Responded{Serial: q.Serial, Response: resp})
}

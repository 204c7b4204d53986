package explore

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The adversary's world has an honest resource server, an honest authorization server
// that keeps RFC 9207, and beside them a hostile resource server and a hostile
// authorization server that say whatever may help the attacker. The attacker also has an
// account at the honest server, and can send callbacks.

const (
	evil         = "https://evil.example"
	evilResource = "https://tools.evil.example/mcp"
	// mallorysCode is a code that the attacker obtained for their own account at the
	// honest server.
	mallorysCode = "code-of-mallory-at-the-honest-server"
	// initialToken is the honest server's initial access token for clients that register
	// there.
	initialToken = "initial-token-of-the-honest-server"
)

// hostile says whose secrets may be lost without harm.
func (w *world) hostile(home string) bool {
	return w.extra&astray != 0 || strings.Contains(home, "evil.example")
}

func adversaryRoots(sc *scene, much int) ([]*world, error) {
	sc.next = adversaryMoves
	a, r := model.Servers()
	a.Clients = []peer.PreClient{{ID: "app", Secret: "the secret of the app", RedirectURIs: []string{callback}}}
	known := model.Client("a")
	known.Client = &states.Configured{ID: "app", Secret: "the secret of the app", Issuer: issuer}
	unbound := known
	unbound.Client = &states.Configured{ID: "app", Secret: "the secret of the app"}
	vouched := model.Client("a")
	vouched.InitialToken, vouched.Issuer = initialToken, issuer
	bad := model.Client("a")
	bad.Server = evilResource
	badKnown, badVouched := known, vouched
	badKnown.Server, badVouched.Server = evilResource, evilResource
	var out []*world
	for n, c := range []states.Config{bad, badKnown, badVouched, model.Client("a"), known, unbound, vouched} {
		w, err := newWorld(sc, a, r, c)
		if err != nil {
			return nil, err
		}
		w.says, w.log.commands[0].line = adversaryWords[n].says, adversaryWords[n].config
		w.variant = uint16(n)
		w.left = budget{trouble: int8(2 * much), calls: 1}
		w.ghost.issue(secret{value: "the secret of the app", kind: "client", home: issuer})
		w.ghost.issue(secret{value: initialToken, kind: "initial", home: issuer})
		w.ghost.issue(secret{value: mallorysCode, kind: "code", home: issuer, foreign: true})
		if n < 3 {
			out = append(out, w)
			continue
		}
		// The server has been honest; now it is in the attacker's hands.
		w.login(0)
		w.actors[0].memory = memory{}
		w.ghost.trips = nil
		w.extra = fallen
		w.left[calls] = 2
		out = append(out, w)
		later := w.fork()
		later.says += ", two hours later"
		later.pass(0, model.Start.Add(2*time.Hour))
		out = append(out, later)
	}
	return out, nil
}

var adversaryWords = []struct{ says, config string }{
	{"their own server", "config server=" + evilResource},
	{"their own server, a bound client", "config server=" + evilResource + " client=app client-secret=(the secret of the app) client-issuer=" + issuer},
	{"their own server, an initial access token", "config server=" + evilResource + " initial-token=" + initialToken + " issuer=" + issuer},
	{"a server that fell", "config"},
	{"a server that fell, a bound client", "config client=app client-secret=(the secret of the app) client-issuer=" + issuer},
	{"a server that fell, an unbound client", "config client=app client-secret=(the secret of the app)"},
	{"a server that fell, an initial access token", "config initial-token=" + initialToken + " issuer=" + issuer},
}

// fallen says that the configured server is in the attacker's hands. byThem says that the
// attacker knows the state of the login under way, because the browser came by their
// server.
const (
	fallen uint8 = 1 << iota
	byThem
)

// theirs says whether the attacker answers at an address.
func (w *world) theirs(url string) bool {
	o := wire.Origin(url)
	return strings.HasSuffix(o, "evil.example") || w.extra&fallen != 0 && o == wire.Origin(resource)
}

func adversaryMoves(w *world) []move {
	a := &w.actors[0]
	var out []move
	add := func(name string, do func(*world)) { out = append(out, move{name, do}) }
	switch q := a.q.(type) {
	case states.Send:
		if w.theirs(q.Request.URL) {
			w.hostileReplies(q, add)
		} else {
			add("the honest server answers", func(w *world) { w.honest(0) })
			if a.m.State == states.Registering && a.m.Data.Config.InitialToken != "" && w.left[trouble] > 0 {
				add("the honest server demands an initial access token", func(w *world) {
					w.spend(trouble)
					w.pass(0, q.NotBefore)
					w.deliver(0, q, states.Responded{Serial: q.Serial, Response: refusal(401, "Bearer")})
				})
			}
		}
	case nil:
	default:
		add("store or host answers", func(w *world) { w.honest(0) })
	}
	if a.visit != nil {
		w.hostileVisits(add)
	}
	switch a.m.State {
	case states.Idle:
		add("begin", func(w *world) { w.step(0, states.Begun{Seed: w.seed()}) })
		add("begin a login", func(w *world) { w.step(0, states.Begun{Seed: w.seed(), Login: true}) })
	case states.Anonymous, states.Authorized, states.Failed:
		if w.left[calls] > 0 {
			for _, c := range hostileChallenges {
				add("the attacker's server challenges: "+c.name, func(w *world) { w.left[calls]--; w.step(0, openChallenge(w, 0, c.status, c.header)) })
			}
		}
	default: // the others need nothing here
	}
	if !a.wake.IsZero() && a.m.State == states.Authorized {
		add("time passes until it wakes", func(w *world) { w.pass(0, a.wake); w.step(0, states.Ticked{}) })
	}
	return out
}

var hostileChallenges = []struct {
	name   string
	status int
	header string
}{
	{"plain", 401, "Bearer"},
	{"metadata of the honest server", 401, `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`},
	{"metadata at the attacker's", 401, `Bearer error="invalid_token", resource_metadata="https://evil.example/prm"`},
	{"more scope", 403, `Bearer error="insufficient_scope", scope="user admin", resource_metadata="https://evil.example/prm"`},
}

// hostileReplies are the answers of the attacker's servers. The first of each kind costs
// no trouble; each further lie does.
func (w *world) hostileReplies(q states.Send, add adder) {
	serial := q.Serial
	say := func(name string, status int, body string) {
		add("the attacker answers: "+name, func(w *world) {
			w.pass(0, q.NotBefore)
			w.leaves(0, q)
			w.deliver(0, q, states.Responded{Serial: serial, Response: jsonAnswer(status, body)})
		})
	}
	own := w.actors[0].m.Data.Config.Resource.String()
	switch w.actors[0].m.State {
	case states.DiscoveringPRM:
		for _, r := range []string{own, resource, "https://evil.example/mcp", wire.Origin(own)} {
			for _, servers := range []string{`"` + evil + `"`, `"` + issuer + `"`, `"` + evil + `","` + issuer + `"`, `"` + issuer + `/evil"`} {
				say(fmt.Sprintf("resource %s, issuers %s", r, servers), 200, `{"resource":"`+r+`","authorization_servers":[`+servers+`],"scopes_supported":["user"]}`)
			}
		}
		say("404", 404, "")
	case states.DiscoveringASM:
		w.hostileMetadata(say)
		say("404", 404, "")
	case states.Registering:
		say("it demands an initial access token", 401, `{"error":"invalid_token"}`)
		say("it forbids registration", 403, `{"error":"access_denied"}`)
		say("a client of its own", 201, regStart+`,"token_endpoint_auth_method":"none"}`)
		say("the honest server's client", 201, strings.Replace(regStart, "client-of-this-issuer", "app", 1)+`,"token_endpoint_auth_method":"none"}`)
	case states.Exchanging, states.Refreshing, states.Requesting, states.Renewing, states.Presenting, states.PresentingAgain, states.Polling, states.Redeeming, states.RedeemingAgain:
		say("a token", 200, `{"access_token":"a-token-of-the-attacker","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh-of-the-attacker","scope":"user"}`)
		say("invalid_grant", 400, `{"error":"invalid_grant"}`)
		say("invalid_client", 400, `{"error":"invalid_client"}`)
	default:
		say("done", 200, "")
	}
}

// hostileMetadata mixes the attacker's endpoints with the honest ones in every way, under
// the attacker's name and under the honest one.
func (w *world) hostileMetadata(say func(string, int, string)) {
	sides := []string{evil, issuer}
	for n, name := range append(sides, "https://mcp.example", evil+"/") {
		for bits := range 16 {
			if n > 0 && bits != 0 && bits != 15 {
				continue // a document with another name is refused whatever else it holds
			}
			at := func(bit int) string { return sides[bits>>bit&1] }
			iss := bits>>3&1 == 1
			body := fmt.Sprintf(`{"issuer":%q,"authorization_endpoint":"%s/authorize","token_endpoint":"%s/token","registration_endpoint":"%s/register",`+
				`"revocation_endpoint":"%s/revoke","response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"authorization_response_iss_parameter_supported":%v}`,
				name, at(0), at(1), at(2), at(1), iss)
			say(fmt.Sprintf("issuer %s, authorize at %s, token at %s, register at %s, iss %v", name, at(0), at(1), at(2), iss), 200, body)
		}
	}
}

// hostileVisits sends the browser to the honest server, or to the attacker's, which may
// send it on with what it brought. It also sends callbacks that no visit led to.
func (w *world) hostileVisits(add adder) {
	v := w.actors[0].visit
	address := v.URL.Reveal()
	state, _ := query(address).Get("state")
	if w.theirs(address) {
		if w.extra&byThem == 0 {
			add("the browser comes by the attacker", func(w *world) { w.extra |= byThem })
		}
		add("the attacker sends the browser on to the honest server", func(w *world) {
			w.extra |= byThem
			_, q, _ := strings.Cut(address, "?")
			client := w.mallorysClient(q)
			if to := w.consent(issuer+"/authorize?"+client, v.RedirectURI, false); to != "" {
				w.step(0, states.Redirected{Serial: v.Serial, URL: wire.Secret(to)})
			}
		})
	} else {
		add("the user allows it at the honest server", func(w *world) { w.user(0) })
	}
	guess := "guessed-guessed-guessed-guessed-guessed-43"
	if w.left[trouble] == 0 {
		return
	}
	for _, s := range []string{guess, state} {
		if s == state && w.extra&byThem == 0 {
			continue
		}
		for _, code := range []string{mallorysCode, "code-of-the-attackers-server"} {
			for _, iss := range []string{"", issuer, evil} {
				add(fmt.Sprintf("the attacker calls back with %s, iss %q, state known: %v", code, iss, s == state), func(w *world) {
					w.left[trouble]--
					w.ghost.issue(secret{value: code, kind: "code", home: evil})
					w.step(0, states.Redirected{Serial: v.Serial, URL: back(v.RedirectURI, "code", code, "state", s, "iss", iss)})
				})
			}
		}
	}
}

// mallorysClient replaces the client that the login was begun with by the one client that
// the honest server knows.
func (w *world) mallorysClient(q string) string {
	fs, _ := wire.DecodeForm(q)
	for i := range fs {
		switch fs[i].Name {
		case "client_id":
			fs[i].Value = "app"
		case "resource":
			fs[i].Value = resource
		}
	}
	return wire.EncodeForm(fs)
}

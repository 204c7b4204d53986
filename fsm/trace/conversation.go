package trace

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// lane is one of the parties that talk to each other in a login.
type lane int

const (
	laneUser lane = iota
	laneClient
	laneResource
	laneIssuer
)

// laneNames are the headings of the lanes, in order.
var laneNames = [...]string{"User", "Client", "Server", "Issuer"}

// message is a request from one lane to another, and the answer.
type message struct {
	step     int // the step that the answer belongs to
	from, to lane
	says     string // what it is for, in words
	sent     string // the first line of what goes from from to to
	answer   string // the first line of what comes back; empty for none
	result   string // what it meant to the client
	request  *wire.Request
	response *wire.Response
	address  string    // what a browser was sent to, or came back with
	refused  []Refusal // what ended here
	tolerant []string  // what was overlooked here
}

// conversation shows a trace as messages between the user, the client, the MCP server and
// the issuer. What the client does by itself, for example with its store, is left out,
// unless the run ended there.
func conversation(t *Trace, refusals []Refusal) []message {
	var out []message
	var open uint64 // the Visit that the user is at; it stays while the client looks around
	for _, x := range exchanges(t) {
		m, ok := heardFrom(x)
		if ok {
			m.step, m.result = x.N, Says(x.Event)
			out = append(out, m)
		}
		for _, e := range x.Effects {
			if v, ok := e.(states.Visit); ok && v.Serial != open {
				open = v.Serial
				base, _, _ := strings.Cut(v.URL.Reveal(), "?")
				out = append(out, message{
					step: x.N, from: laneClient, to: laneUser, says: "The client sends the user to the issuer, in a browser.",
					sent: "open " + clean(base), address: v.URL.Reveal(),
				})
			}
		}
		for _, n := range x.Notes {
			if len(out) > 0 {
				last := &out[len(out)-1]
				last.tolerant = append(last.tolerant, clean(n.Detail))
			}
		}
		for i := range refusals {
			if refusals[i].Step == x.N {
				out = refuse(out, &refusals[i])
			}
		}
	}
	return out
}

// refuse puts a refusal at the message that it is about, or in a place of its own if it
// is about no message.
func refuse(out []message, r *Refusal) []message {
	switch states.Party(r.Party) {
	case states.PartyStore, states.PartyHost:
	default:
		if n := len(out); n > 0 {
			out[n-1].refused = append(out[n-1].refused, *r)
			return out
		}
	}
	return append(out, message{step: r.Step, from: laneClient, to: laneClient, says: "The client stops.", refused: []Refusal{*r}})
}

// asks says what the client's request in a state is for.
var asks = map[states.State]string{
	states.DiscoveringPRM:          "The client asks the server who protects it.",
	states.DiscoveringASM:          "The client reads the metadata of the issuer.",
	states.Registering:             "The client registers with the issuer.",
	states.RereadingToRegister:     "The client reads the metadata of the issuer once more.",
	states.RereadingToExchange:     "The client reads the metadata of the issuer once more.",
	states.RereadingToRefresh:      "The client reads the metadata of the issuer once more.",
	states.Exchanging:              "The client exchanges the code for a token.",
	states.Refreshing:              "The client renews the token.",
	states.StartingDevice:          "The client asks for a code for the user.",
	states.Polling:                 "The client asks whether the user has decided.",
	states.Requesting:              "The client asks for a token in its own name.",
	states.Renewing:                "The client asks for another token in its own name.",
	states.Presenting:              "The client presents the workload's assertion.",
	states.DiscoveringProvider:     "The client asks the identity provider where its endpoints are.",
	states.ExchangingIdentity:      "The client exchanges the ID token of the user for an ID-JAG.",
	states.Redeeming:               "The client presents the ID-JAG.",
	states.ExchangingIdentityAgain: "The client exchanges the ID token of the user for another ID-JAG.",
	states.RedeemingAgain:          "The client presents the ID-JAG for another token.",
	states.PresentingAgain:         "The client presents the workload's assertion for another token.",
	states.Retiring:                "The client revokes the token that the login replaced.",
	states.Disposing:               "The client revokes a token that is no longer wanted.",
	states.Revoking:                "The client revokes the tokens.",
	states.ForgettingClient:        "The client asks the issuer to forget it.",
}

// heardFrom gives the message that a step's input completes.
func heardFrom(x exchange) (message, bool) {
	m := message{from: laneClient, to: laneIssuer, request: x.request}
	if x.From == states.DiscoveringPRM {
		m.to = laneResource
	}
	if m.says = asks[x.From]; m.says == "" {
		m.says = states.Describe(x.From)
	}
	if x.request != nil {
		m.sent = requestLine(x.request)
	}
	switch in := x.Input.(type) {
	case states.Responded:
		m.response, m.answer = &in.Response, statusLine(in.Response)
	case states.Unreachable:
		m.answer = "no answer: " + clean(string(in.Class))
		if in.Detail != "" {
			m.answer += ", " + clean(in.Detail)
		}
	case states.Challenged:
		m.to, m.sent, m.response, m.answer = laneResource, "an MCP request", &in.Response, statusLine(in.Response)
		m.says = "The client sends a request without a token, and the server refuses it."
		if x.From != states.Anonymous {
			m.says = "The client sends a request with its token, and the server refuses it."
		}
	case states.Accepted:
		m.to, m.sent, m.answer, m.says = laneResource, "an MCP request", "accepted", "The client sends a request with its token, and the server accepts it."
	case states.Redirected:
		base, _, _ := strings.Cut(in.URL.Reveal(), "?")
		m = message{from: laneIssuer, to: laneClient, says: "The issuer sends the user back to the client.", sent: "redirect to " + clean(base), address: in.URL.Reveal()}
		if u, err := url.Parse(in.URL.Reveal()); err == nil {
			if e := u.Query().Get("error"); e != "" {
				m.sent += ", with the error " + clean(e)
			}
		}
	case states.LoggedOut:
		m = message{from: laneUser, to: laneClient, says: "The user logs out.", sent: "log out"}
	case states.Cancelled:
		m = message{from: laneUser, to: laneClient, says: "The user ends the login.", sent: "cancel"}
	default:
		return message{}, false
	}
	return m, true
}

// requestLine is what a request asks for, without its query.
func requestLine(r *wire.Request) string {
	base, _, _ := strings.Cut(r.URL, "?")
	s := r.Method + " " + base
	if g, ok := r.Form.Get("grant_type"); ok {
		s += " (" + g + ")"
	}
	return clean(s)
}

// statusLine is the status of a response and its error, if it is one.
func statusLine(r wire.Response) string {
	s := "status " + strconv.Itoa(r.Status)
	if o, _ := wire.ParseObject(r.Body); r.Status >= 400 {
		if e, _, _ := o.String("error"); e != "" {
			s += ": " + clean(e)
		}
	}
	return s
}

package audit

import (
	"strconv"

	"github.com/stile-oauth/stile/states/wire"
)

// registered lists the registrations that were accepted, with what manages them
// (RFC 7592 §3).
func (e *Evidence) registered() []Leftover {
	var out []Leftover
	for i := range e.Exchanges {
		x := &e.Exchanges[i]
		if x.Leg != LegRegister || x.Probe == "" {
			continue
		}
		id, ok := e.member(x.Probe, "client_id")
		if !ok {
			continue
		}
		l := Leftover{Probe: x.Probe, ClientID: id, Endpoint: x.Request.URL}
		l.ManageURI, _ = e.member(x.Probe, "registration_client_uri")
		l.token, _ = e.member(x.Probe, "registration_access_token")
		if l.ManageURI != "" && (!e.mayFetch(l.ManageURI) || wire.Origin(l.ManageURI) != wire.Origin(l.Endpoint)) {
			l.ManageURI = "" // somebody else's host is not asked
		}
		out = append(out, l)
	}
	return out
}

// planCleanup deletes every registration of the audit, looks at the first one
// before, and tries its token once more afterwards.
func planCleanup(e *Evidence) []Probe {
	var out []Probe
	for i, l := range e.registered() {
		if l.ManageURI == "" || l.token == "" {
			continue
		}
		ask := func(name, method string) {
			out = append(out, Probe{Label: probeCleanup + l.Probe + name, Leg: LegOther, Request: bearer(wire.Request{Method: method, URL: l.ManageURI, Header: wire.Fields{{Name: "Accept", Value: "application/json"}}}, l.token)})
		}
		if i == 0 {
			ask(".read", "GET")
		}
		ask(".delete", "DELETE")
		if i == 0 {
			ask(".again", "GET")
		}
	}
	return out
}

const probeCleanup = "cleanup."

// Leftover is a registration that an audit made and that is still there.
type Leftover struct {
	Probe     string `json:"probe"`
	ClientID  string `json:"client_id"`
	Endpoint  string `json:"registration_endpoint"`
	ManageURI string `json:"registration_client_uri,omitempty"`
	Why       string `json:"why"`

	token string
}

// leftovers lists the registrations that were not deleted.
func (e *Evidence) leftovers() []Leftover {
	var out []Leftover
	for _, l := range e.registered() {
		x := e.probe(probeCleanup + l.Probe + ".delete")
		switch {
		case x != nil && (x.status() == 204 || x.status() == 200 || x.status() == 404):
			continue
		case x != nil && x.Response != nil:
			l.Why = "its deletion was answered " + strconv.Itoa(x.status())
		case x != nil:
			l.Why = "its deletion was not answered: " + x.Failure
		case l.ManageURI == "" || l.token == "":
			l.Why = "the server gives no address to delete it at (RFC 7592)"
		default:
			l.Why = "the audit ended before"
		}
		l.ClientID, l.Endpoint, l.ManageURI = wire.Clean(l.ClientID, 300), wire.Clean(l.Endpoint, 300), wire.Clean(l.ManageURI, 300)
		out = append(out, l)
	}
	return out
}

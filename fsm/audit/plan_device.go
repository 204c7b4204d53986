package audit

import "github.com/stile-oauth/stile/states/wire"

// planDevice starts the device grant and polls once.
func planDevice(e *Evidence) []Probe {
	out, ok := planRegistered(e)
	if !ok {
		return out
	}
	endpoint := e.address("device_authorization_endpoint")
	if endpoint == "" || e.Account.ClientID != "" {
		return out
	}
	c := e.native()
	c.Grants = append(c.Grants, deviceGrant)
	out = append(out, e.registers(probeDevice+"register", c))
	id, ok := e.member(probeDevice+"register", "client_id")
	if !ok {
		return out
	}
	form := wire.Fields{{Name: "client_id", Value: id}}
	if s := e.scope(); s != "" {
		form = append(form, wire.Field{Name: "scope", Value: s})
	}
	if r := e.resource(); r != "" {
		form = append(form, wire.Field{Name: "resource", Value: r})
	}
	out = append(out, Probe{Label: probeDevice + "start", Leg: LegOther, Request: wire.Request{Method: "POST", URL: endpoint, Header: formFields, Form: form}})
	if code, ok := e.member(probeDevice+"start", "device_code"); ok {
		out = append(out, Probe{Label: probeDevice + "poll", Leg: LegOther, Request: wire.Request{Method: "POST", URL: e.address("token_endpoint"), Header: formFields,
			Form: wire.Fields{{Name: "grant_type", Value: deviceGrant}, {Name: "device_code", Value: code}, {Name: "client_id", Value: id}}}})
		out = append(out, e.pollsMore()...)
	}
	return out
}

// pollsMore polls at once again, and as another client, if nobody has decided yet.
func (e *Evidence) pollsMore() []Probe {
	x := e.probe(probeDevice + "poll")
	if x == nil || !x.pending() {
		return nil
	}
	quick := Probe{Label: probeDevice + "quick", Leg: LegOther, Request: x.Request}
	foreign := Probe{Label: probeDevice + "foreign", Leg: LegOther, Request: x.Request}
	foreign.Request.Form = put(x.Request.Form, "client_id", e.clientID())
	return []Probe{quick, foreign}
}

// pending reports whether a poll is answered that nobody has decided yet.
func (x *Exchange) pending() bool {
	if x.Response == nil {
		return false
	}
	e := wire.ParseOAuthError(*x.Response)
	return e != nil && (e.Code == "authorization_pending" || e.Code == "slow_down")
}

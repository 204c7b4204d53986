package proving

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// edit changes the answers to probes: at is a label, or the common beginning of several
// labels, followed by a star.
type edit struct {
	at string
	do func(*audit.Exchange)
}

func (d edit) meets(label string) bool {
	begin, several := strings.CutSuffix(d.at, "*")
	return label == begin || several && strings.HasPrefix(label, begin)
}

// deviation is a server or a client in which a check finds something. If the peer has a
// fault of the same kind, there is no deviation for it here.
type deviation struct {
	faults []string     // faults of the peer, for both
	both   []edit       // what makes the check apply, and is correct
	wrong  []edit       // what the check finds
	asks   []string     // what is then fetched from the audit's listener, by path
	server string       // a target other than the world's
	source audit.Source // of a recording; a HAR if empty
}

// audited runs one check, or all the checks of servers, against the world of a
// deviation; wrong says whether the world deviates.
func (d deviation) audited(t *testing.T, checks []audit.Check, wrong bool) audit.Evidence {
	t.Helper()
	w, err := World(d.faults...)
	if err != nil {
		t.Fatal(err)
	}
	edits := d.both
	if wrong {
		edits = slices.Concat(d.both, d.wrong)
	}
	server := target
	if d.server != "" {
		server = d.server
	}
	e, err := collect(server, checks, func(at time.Time, p audit.Probe, x *audit.Exchange) []string {
		fetched := answer(w, at, p, x)
		for _, c := range edits {
			if c.meets(x.Probe) {
				alter(x, c.do)
			}
		}
		return fetched
	})
	if err != nil {
		t.Fatal(err)
	}
	if wrong {
		for _, path := range d.asks {
			e.Add(audit.Exchange{Probe: "canary.1", Leg: audit.LegCanary, Request: wire.Request{Method: "GET", URL: listener + path}})
		}
	}
	return e
}

// alter changes one answer, and no other answer that shares memory with it.
func alter(x *audit.Exchange, do func(*audit.Exchange)) {
	resp := wire.Response{}
	if x.Response != nil {
		resp = *x.Response
		resp.Header = slices.Clone(resp.Header)
	}
	x.Response = &resp
	do(x)
}

// answers replaces the answer; a body that begins with { is JSON.
func answers(status int, body string) func(*audit.Exchange) {
	return func(x *audit.Exchange) {
		x.Failure = ""
		*x.Response = wire.Response{Status: status, Body: []byte(body)}
		if strings.HasPrefix(body, "{") {
			x.Response.Header = wire.Fields{{Name: "Content-Type", Value: "application/json"}, {Name: "Cache-Control", Value: "no-store"}}
		}
	}
}

// says sets a header field of the answer; "" removes it.
func says(name, value string) func(*audit.Exchange) {
	return func(x *audit.Exchange) {
		x.Response.Header = slices.DeleteFunc(x.Response.Header, func(f wire.Field) bool { return strings.EqualFold(f.Name, name) })
		if value != "" {
			x.Response.Header = append(x.Response.Header, wire.Field{Name: name, Value: value})
		}
	}
}

// has sets a member of the answer's JSON object; nil removes it. A body that is not an
// object stays as it is.
func has(name string, value any) func(*audit.Exchange) {
	return func(x *audit.Exchange) {
		obj := map[string]any{}
		if x.Response.Status >= 300 || json.Unmarshal(x.Response.Body, &obj) != nil {
			return
		}
		if obj[name] = value; value == nil {
			delete(obj, name)
		}
		x.Response.Body, _ = json.Marshal(obj) // this was just parsed from JSON
	}
}

// token is an answer with tokens that open nothing.
const token = `{"access_token":"stile-audit-access","token_type":"Bearer","expires_in":60,"refresh_token":"stile-audit-refresh","scope":"user"}`

// without leaves out of the evidence what the check does not need to reach the same
// outcome.
func without(e audit.Evidence, c audit.Check) audit.Evidence {
	want := verdict(e, c)
	for i := len(e.Exchanges) - 1; i >= 0; i-- {
		less := e
		less.Exchanges = slices.Delete(slices.Clone(e.Exchanges), i, i+1)
		less = fresh(less)
		if v := verdict(less, c); v.Outcome == want.Outcome && len(v.Findings) == len(want.Findings) && v.Why == want.Why {
			e = less
		}
	}
	return e
}

// fresh is the evidence as it would be read from a file.
func fresh(e audit.Evidence) audit.Evidence {
	return audit.Evidence{Target: e.Target, Source: e.Source, Exchanges: e.Exchanges, Checks: e.Checks, Notes: e.Notes, Live: e.Live,
		NoAuthorization: e.NoAuthorization, Account: e.Account, Origin: e.Origin, Canary: e.Canary}
}

func verdict(e audit.Evidence, c audit.Check) audit.Verdict {
	return audit.Judge(&e, []audit.Check{c}).Verdicts[0]
}

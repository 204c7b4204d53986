package peer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Fault is one way in which a peer misbehaves, by name. It changes one thing.
type Fault struct {
	Name string
	// Endpoint is where it shows: metadata, register, authorize, token, revoke,
	// introspect, jwks, device of the authorization server; prm, mcp of the resource
	// server.
	Endpoint string
	// Rule is the rule of docs/rules.md that is broken; for a deviation that a
	// rule allows, the rule that says how a client deals with it.
	Rule rules.ID
	// Says is what it does, in a few words.
	Says string

	// apply changes a finished reply and says whether it did; nil where a
	// decision asks for the fault by name.
	apply func(*reply, scene) bool
}

// scene is what a transforming fault may look at.
type scene struct {
	base   string // endpoints' prefix; the origin for a resource server
	issuer string // issuer identifier, or resource identifier
	req    wire.Request
}

type side bool

const (
	sideAS side = true
	sideRS side = false
)

// Faults returns the whole table, in order: authorization server first.
func Faults() []Fault {
	return slices.Concat(metadataFaults, registerFaults, authorizeFaults, tokenFaults, moveFaults, otherFaults, deviceFaults, identityFaults, dpopFaults,
		documentFaults, laxFaults, prmFaults, mcpFaults, dpopResourceFaults, documentResourceFaults, laxResourceFaults)
}

// FaultNamed returns the fault of that name, which may carry @N.
func FaultNamed(name string) (Fault, bool) {
	name, _, _ = strings.Cut(name, "@")
	for _, f := range Faults() {
		if f.Name == name {
			return f, true
		}
	}
	return Fault{}, false
}

// Side splits fault names into those of an authorization server and those of
// a resource server. An unknown name is an error.
func Side(names []string) (as, rs []string, err error) {
	for _, n := range names {
		f, ok := FaultNamed(n)
		switch {
		case !ok:
			return nil, nil, fmt.Errorf("peer: there is no fault %q", n)
		case f.resource():
			rs = append(rs, n)
		default:
			as = append(as, n)
		}
	}
	return as, rs, nil
}

// Lax says that a client that keeps the rules never meets the fault: the server is wrong
// about requests that are wrong themselves.
func (f Fault) Lax() bool {
	return slices.ContainsFunc(slices.Concat(laxFaults, laxResourceFaults), func(x Fault) bool { return x.Name == f.Name })
}

func (f Fault) resource() bool { return f.Endpoint == "prm" || f.Endpoint == "mcp" }

// armed is a fault that acts at most left times; a negative number means always.
type armed struct {
	fault Fault
	left  int
}

func arm(names []string, s side) (faultSet, error) {
	var out faultSet
	for _, n := range names {
		f, ok := FaultNamed(n)
		if !ok {
			return nil, fmt.Errorf("peer: there is no fault %q", n)
		}
		if f.resource() == bool(s) {
			return nil, fmt.Errorf("peer: the fault %q is not one of this kind of server", f.Name)
		}
		left := -1
		if _, count, given := strings.Cut(n, "@"); given {
			v, err := strconv.Atoi(count)
			if err != nil || v < 1 {
				return nil, fmt.Errorf("peer: %q: behind @ stands how often the fault acts", n)
			}
			left = v
		}
		out = append(out, armed{f, left})
	}
	return out, nil
}

// The builders of transforming faults. Each acts only on a reply that it can
// change in the way its name says.

type transform = func(*reply, scene) bool

func put(name string, v any) transform {
	return func(r *reply, _ scene) bool {
		if !r.ok() || r.doc == nil {
			return false
		}
		r.doc.put(name, v)
		return true
	}
}

func putFrom(name string, v func(scene) any) transform {
	return func(r *reply, s scene) bool {
		if !r.ok() || r.doc == nil {
			return false
		}
		r.doc.put(name, v(s))
		return true
	}
}

func drop(names ...string) transform {
	return func(r *reply, _ scene) bool {
		done := false
		for _, n := range names {
			if r.ok() && r.doc.has(n) {
				r.doc.drop(n)
				done = true
			}
		}
		return done
	}
}

func fold(from, to string) transform {
	return func(r *reply, _ scene) bool {
		if !r.ok() || !r.doc.has(from) {
			return false
		}
		r.doc.rename(from, to)
		return true
	}
}

func twice(name string, second any) transform {
	return func(r *reply, _ scene) bool {
		if !r.ok() || !r.doc.has(name) {
			return false
		}
		r.doc = append(r.doc, member{name, second})
		return true
	}
}

func become(status int, ctype, body string) transform {
	return func(r *reply, _ scene) bool {
		r.become(status, ctype, body)
		return true
	}
}

func fail(status int, code string) transform {
	return func(r *reply, _ scene) bool {
		*r = *problem(status, code, "")
		return true
	}
}

func later(status int, seconds string) transform {
	return func(r *reply, _ scene) bool {
		r.become(status, "text/plain", "try again later\n")
		r.set("Retry-After", seconds)
		return true
	}
}

func redirect(status int, to string) transform {
	return func(r *reply, s scene) bool {
		r.become(status, "", "")
		r.location = strings.ReplaceAll(to, "{base}", s.base)
		return true
	}
}

const page = "<!doctype html><title>Please wait</title><p>One moment, please.</p>"

func html(status int) transform { return become(status, "text/html; charset=utf-8", page) }

// huge puts five mebibytes after a good document.
func huge(r *reply, _ scene) bool {
	if !r.ok() || r.doc == nil {
		return false
	}
	r.suffix = strings.Repeat(" ", 5<<20)
	return true
}

func truncated(r *reply, _ scene) bool {
	if !r.ok() || r.doc == nil {
		return false
	}
	b := r.doc.bytes()
	r.doc, r.body = nil, b[:len(b)/2]
	r.ctype = "application/json"
	return true
}

func trailing(r *reply, _ scene) bool {
	if !r.ok() || r.doc == nil {
		return false
	}
	r.suffix = `{"more":true}`
	return true
}

func answers(change func(*reply, scene)) transform {
	return func(r *reply, s scene) bool {
		if r.location == "" || len(r.query) == 0 {
			return false
		}
		change(r, s)
		return true
	}
}

func (r *reply) setParam(name, v string) {
	for i := range r.query {
		if r.query[i].Name == name {
			r.query[i].Value = v
			return
		}
	}
	r.query = append(r.query, wire.Field{Name: name, Value: v})
}

func (r *reply) dropParam(name string) {
	r.query = slices.DeleteFunc(slices.Clone(r.query), func(f wire.Field) bool { return f.Name == name })
}

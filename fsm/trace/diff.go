package trace

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Change is one thing that differs between two traces. A side that does not have it is
// empty. All texts are safe to print.
type Change struct {
	// What names it: "event", "request", "header Content-Type", "member issuer".
	What string `json:"what"`
	A    string `json:"a"`
	B    string `json:"b"`
	// StepA and StepB are where it is; 0: nowhere.
	StepA int `json:"step_a,omitempty"`
	StepB int `json:"step_b,omitempty"`
}

// Changes are what differs between two traces.
type Changes struct {
	// Table says that the two were recorded with different tables.
	Table bool `json:"other_table"`
	// Config are members of the configuration that differ.
	Config []Change `json:"config"`
	// Event, Request and Response are where each differs first; nil: nowhere.
	Event    *Change `json:"event,omitempty"`
	Request  *Change `json:"request,omitempty"`
	Response *Change `json:"response,omitempty"`
	// Metadata are members of the resource's and of the issuer's metadata that
	// differ, in the documents that were used last.
	Metadata []Change `json:"metadata"`
}

// None reports whether nothing differs that matters to a reader.
func (c Changes) None() bool {
	return len(c.Config) == 0 && c.Event == nil && c.Request == nil && c.Response == nil && len(c.Metadata) == 0
}

// Diff says what changed from a (for example, when it worked) to b. The two are aligned
// by their states and events, so that one more retry in one of them does not make
// everything after it differ.
func Diff(a, b *Trace) Changes {
	c := Changes{Table: a.Header.Table != b.Header.Table, Config: []Change{}, Metadata: []Change{}}
	c.Config = append(c.Config, members("", a.Header.Config, b.Header.Config, 0, 0)...)
	xa, xb := exchanges(a), exchanges(b)
	pairs := align(xa, xb)
	ia, ib := 0, 0
	for _, p := range append(pairs, [2]int{len(xa), len(xb)}) {
		if c.Event == nil && (p[0] > ia || p[1] > ib) {
			c.Event = eventChange(xa, xb, ia, ib)
		}
		if p[0] < len(xa) { // a pair
			if c.Request == nil {
				c.Request = requestChange(&xa[p[0]], &xb[p[1]])
			}
			if c.Response == nil {
				c.Response = responseChange(&xa[p[0]], &xb[p[1]])
			}
		}
		ia, ib = p[0]+1, p[1]+1
	}
	for _, s := range []states.State{states.DiscoveringPRM, states.DiscoveringASM} {
		na, da := lastDocument(xa, s)
		nb, db := lastDocument(xb, s)
		if da == nil != (db == nil) {
			c.Metadata = append(c.Metadata, Change{What: string(s) + " document", A: clean(string(da)), B: clean(string(db)), StepA: na, StepB: nb})
			continue
		}
		c.Metadata = append(c.Metadata, members(string(s)+" ", da, db, na, nb)...)
	}
	return c
}

func eventChange(a, b []exchange, ia, ib int) *Change {
	c := &Change{What: "event"}
	if ia < len(a) {
		c.A, c.StepA = eventText(&a[ia]), a[ia].N
	}
	if ib < len(b) {
		c.B, c.StepB = eventText(&b[ib]), b[ib].N
	}
	return c
}

func eventText(x *exchange) string {
	return clean(string(x.From)) + ": " + clean(string(x.Event)) + " (" + inputWords(*x) + ")"
}

func sendOf(x *exchange) *wire.Request {
	for _, e := range x.Effects {
		if s, ok := e.(states.Send); ok {
			return &s.Request
		}
	}
	return nil
}

func requestChange(a, b *exchange) *Change {
	ra, rb := sendOf(a), sendOf(b)
	if ra == nil && rb == nil {
		return visitChange(a, b)
	}
	c := &Change{What: "request", StepA: a.N, StepB: b.N}
	switch {
	case ra == nil || rb == nil || ra.Method+ra.URL != rb.Method+rb.URL:
		for _, side := range []struct {
			r  *wire.Request
			to *string
		}{{ra, &c.A}, {rb, &c.B}} {
			if side.r != nil {
				*side.to = clean(side.r.Method + " " + side.r.URL)
			}
		}
		return c
	}
	if f := fieldChange("header", ra.Header, rb.Header); f != nil {
		c.What, c.A, c.B = "request "+f.What, f.A, f.B
		return c
	}
	if f := fieldChange("parameter", ra.Form, rb.Form); f != nil {
		c.What, c.A, c.B = "request "+f.What, f.A, f.B
		return c
	}
	if f := bodyChange(ra.Body, rb.Body); f != nil {
		c.What, c.A, c.B = "request "+f.What, f.A, f.B
		return c
	}
	return nil
}

// visitChange compares the authorization requests, parameter by parameter.
func visitChange(a, b *exchange) *Change {
	url := func(x *exchange) string {
		for _, e := range x.Effects {
			if v, ok := e.(states.Visit); ok {
				return v.URL.Reveal()
			}
		}
		return ""
	}
	return addressChange(&Change{StepA: a.N, StepB: b.N}, "authorization request", url(a), url(b))
}

// addressChange compares two addresses, parameter by parameter if only their queries
// differ.
func addressChange(c *Change, what, a, b string) *Change {
	if a == b {
		return nil
	}
	c.What, c.A, c.B = what, clean(a), clean(b)
	basea, qa, _ := strings.Cut(a, "?")
	baseb, qb, _ := strings.Cut(b, "?")
	fa, _ := wire.DecodeForm(qa)
	fb, _ := wire.DecodeForm(qb)
	if basea == baseb {
		if f := fieldChange("parameter", fa, fb); f != nil {
			c.What, c.A, c.B = what+" "+f.What, f.A, f.B
		}
	}
	return c
}

func responseChange(a, b *exchange) *Change {
	ra, _ := response(a.Input)
	rb, _ := response(b.Input)
	c := &Change{What: "response", StepA: a.N, StepB: b.N}
	ba, backa := a.Input.(states.Redirected)
	bb, backb := b.Input.(states.Redirected)
	if backa && backb {
		return addressChange(c, "callback", ba.URL.Reveal(), bb.URL.Reveal())
	}
	if ra.Status != rb.Status {
		c.A, c.B = inputWords(*a), inputWords(*b)
		return c
	}
	if f := fieldChange("header", ra.Header, rb.Header); f != nil {
		c.What, c.A, c.B = "response "+f.What, f.A, f.B
		return c
	}
	if f := bodyChange(ra.Body, rb.Body); f != nil {
		c.What, c.A, c.B = "response "+f.What, f.A, f.B
		return c
	}
	return nil
}

// fieldChange is the first field that differs in two lists.
func fieldChange(kind string, a, b wire.Fields) *Change {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(b):
			return &Change{What: kind + " " + clean(a[i].Name), A: clean(a[i].Value)}
		case i >= len(a):
			return &Change{What: kind + " " + clean(b[i].Name), B: clean(b[i].Value)}
		case a[i].Name != b[i].Name:
			c := &Change{What: kind + " " + clean(a[i].Name), A: clean(a[i].Value)}
			if v, ok := b.Get(a[i].Name); ok {
				c.What, c.B = "order of "+kind+"s", clean(v)
			}
			return c
		case a[i].Value != b[i].Value:
			return &Change{What: kind + " " + clean(a[i].Name), A: clean(a[i].Value), B: clean(b[i].Value)}
		}
	}
	return nil
}

// bodyChange is the first difference of two bodies, by member where both are
// JSON objects.
func bodyChange(a, b []byte) *Change {
	if string(a) == string(b) {
		return nil
	}
	if m := members("", a, b, 0, 0); len(m) > 0 {
		return &m[0]
	}
	return &Change{What: "body", A: clean(string(a[:min(len(a), 200)])), B: clean(string(b[:min(len(b), 200)]))}
}

// members are the members of two JSON objects that differ.
func members(prefix string, a, b []byte, stepA, stepB int) []Change {
	oa, _ := wire.ParseObject(a)
	ob, _ := wire.ParseObject(b)
	var names []string
	for _, o := range []wire.Object{oa, ob} {
		for _, m := range o {
			if !slices.Contains(names, m.Name) && len(names) < 256 {
				names = append(names, m.Name)
			}
		}
	}
	var out []Change
	for _, n := range names {
		va, _ := oa.Raw(n)
		vb, _ := ob.Raw(n)
		if string(va) != string(vb) {
			out = append(out, Change{What: prefix + "member " + clean(n), A: clean(string(va)), B: clean(string(vb)), StepA: stepA, StepB: stepB})
		}
	}
	return out
}

// lastDocument is the metadata document that a state read last.
func lastDocument(xs []exchange, s states.State) (step int, body []byte) {
	for _, x := range xs {
		if in, ok := x.Input.(states.Responded); ok && x.From == s {
			if _, err := wire.ParseObject(in.Response.Body); err == nil {
				step, body = x.N, in.Response.Body
			}
		}
	}
	return step, body
}

package trace

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// evidence shows the bytes that a problem is about: the answer in which what
// its detail quotes is found, latest first, or the latest answer.
func evidence(xs []exchange, p *wire.Problem) []string {
	quoted := quotations(p.Detail)
	if p.OAuth != nil {
		quoted = append(quoted, string(p.OAuth.Code), p.OAuth.Raw)
	}
	var latest *exchange
	for i := len(xs) - 1; i >= 0 && i > len(xs)-40; i-- {
		x := &xs[i]
		if _, ok := response(x.Input); !ok {
			if _, back := x.Input.(states.Redirected); !back {
				continue
			}
		}
		if latest == nil {
			latest = x
		}
		if found := places(x, quoted); len(found) > 0 {
			return append([]string{heading(x)}, found...)
		}
	}
	if latest == nil {
		return nil
	}
	out := []string{heading(latest)}
	if r, ok := response(latest.Input); ok {
		if name := missing(p.Detail); name != "" {
			if obj, err := wire.ParseObject(r.Body); err == nil {
				var names []string
				for _, m := range obj {
					names = append(names, m.Name)
				}
				if _, there := obj.Raw(name); !there {
					return append(out, "no member "+strconv.Quote(name)+" among "+clean(strings.Join(names, ", ")))
				}
			}
		}
		if len(r.Body) > 0 {
			out = append(out, "body begins "+strconv.Quote(wire.Clean(string(r.Body[:min(len(r.Body), 200)]), 200)))
		}
	}
	return out
}

func heading(x *exchange) string { return "step " + strconv.Itoa(x.N) + ", " + inputWords(*x) }

// places finds texts in an answer and says where they are.
func places(x *exchange, texts []string) []string {
	var out, seen []string
	find := func(where, in string) {
		for _, q := range texts {
			if len(q) < 2 {
				continue
			}
			if i := strings.Index(in, q); i >= 0 && !slices.Contains(seen, where+strconv.Itoa(i)) {
				seen = append(seen, where+strconv.Itoa(i))
				from, to := max(0, i-40), min(len(in), i+len(q)+20)
				out = append(out, fmt.Sprintf("%s, byte %d: %s", where, i, clean(in[from:to])))
			}
		}
	}
	if r, ok := response(x.Input); ok {
		find("body", string(r.Body))
		for _, h := range r.Header {
			find(clean(h.Name), h.Value)
		}
	}
	if in, ok := x.Input.(states.Redirected); ok {
		find("callback", in.URL.Reveal())
		if decoded, _ := wire.DecodeForm(after(in.URL.Reveal(), "?")); len(out) == 0 {
			for _, f := range decoded {
				find("parameter "+clean(f.Name), f.Value)
			}
		}
	}
	return out
}

func after(s, sep string) string {
	_, rest, _ := strings.Cut(s, sep)
	return rest
}

// quotations are the quoted texts of a detail.
func quotations(detail string) []string {
	var out []string
	for {
		_, rest, ok := strings.Cut(detail, `"`)
		if !ok {
			return out
		}
		q, rest, ok := strings.Cut(rest, `"`)
		if !ok {
			return out
		}
		out = append(out, q)
		detail = rest
	}
}

// missing is the member that a detail says is not there.
func missing(detail string) string {
	rest, ok := strings.CutPrefix(detail, "no ")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, " ")
	return strings.TrimRight(name, ";:,.")
}

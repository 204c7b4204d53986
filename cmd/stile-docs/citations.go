package main

import (
	"path"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// place is where the code cites a rule: the file, and the declaration in it. There is
// no line number, so that a page goes stale when a citation moves to another function,
// but not when a line is added above it.
type place struct {
	file string // relative to the module's directory, with slashes
	decl string
}

// citation is one rule cited in one place.
type citation struct {
	rule  rules.ID
	place place
}

// citations holds each pair of rule and place once, sorted by rule, then by place.
type citations []citation

// of lists the places that cite the rule.
func (cs citations) of(id rules.ID) []place {
	var out []place
	for _, c := range cs {
		if c.rule == id {
			out = append(out, c.place)
		}
	}
	return out
}

// registryDir holds the registry itself, which names every rule and keeps none.
const registryDir = "states/rules"

// isRegistry reports whether the file is part of the registry.
func isRegistry(file string) bool { return path.Dir(file) == registryDir }

// isFaults reports whether the file names rules that it does not keep. These are the
// faults of the development servers and the audit's checks, which name what somebody
// else breaks, the invariants of exploration, which only check, and advice.
func isFaults(file string) bool {
	dir, base := path.Dir(file), path.Base(file)
	return dir == "fsm/peer" && strings.HasPrefix(base, "faults") ||
		dir == "fsm/audit" || strings.HasPrefix(dir, "httpdriver/auditor") || dir == "fsm/explore" || base == "advice.go"
}

// plays reports whether the code of a file acts as a party that a rule binds: package
// bearer is a resource server, the development servers are a resource server and an
// authorization server, and the rest is the client.
func plays(file, who string) bool {
	bound := func(role string) bool {
		return slices.ContainsFunc(strings.Split(who, ","), func(w string) bool {
			w = strings.TrimSpace(w)
			return w == role || w == "all" || strings.HasSuffix(w, " "+role)
		})
	}
	switch {
	case strings.HasPrefix(file, "httpdriver/bearer"):
		return bound("RS")
	case strings.HasPrefix(file, "fsm/peer/"), strings.HasPrefix(file, "httpdriver/devas/"):
		return bound("RS") || bound("AS") || bound("IdP")
	}
	return bound("C")
}

// keeping are the places that keep the rule: those that act as a party that the rule
// binds. The other places judge whether a peer keeps it.
func (cs citations) keeping(r rules.Rule) []place {
	return slices.DeleteFunc(cs.of(r.ID), func(p place) bool { return !plays(p.file, r.Who) })
}

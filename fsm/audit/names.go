package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

const (
	probeNames = "names." // + host
	maxNames   = 10       // how many hosts an audit looks up
)

// planNames looks up the hosts that the metadata names.
func planNames(e *Evidence) []Probe {
	out := planASM(e)
	if !answered(e, out) || e.Target == "" || internal(hostOf(e.Target)) {
		return out
	}
	for _, host := range e.named() {
		out = append(out, Probe{Label: probeNames + host, Leg: LegNames, Request: wire.Request{Method: "RESOLVE", URL: "https://" + host}})
	}
	return out
}

// named are the hosts in the metadata that have a name and look public, in order.
func (e *Evidence) named() []string {
	var out []string
	add := func(s string) {
		h := hostOf(s)
		if _, err := netip.ParseAddr(h); err == nil || h == "" || internal(h) || slices.Contains(out, h) || len(out) == maxNames {
			return
		}
		out = append(out, h)
	}
	for _, m := range slices.Concat(e.reading().prm, e.reading().asm) {
		for _, name := range append([]string{"resource", "issuer", "jwks_uri"}, endpointNames...) {
			s, _, _ := m.obj.String(name)
			add(s)
		}
		list, _, _ := m.obj.Strings("authorization_servers")
		for _, s := range list {
			add(s)
		}
	}
	return out
}

// judgeNames expects that every name leads to public addresses.
func judgeNames(j *judgement) {
	if j.e.Target != "" && internal(hostOf(j.e.Target)) {
		j.end(NotApplicable, "the server itself is not public")
		return
	}
	resolved := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg != LegNames {
			continue
		}
		for _, a := range x.Addresses {
			addr, err := netip.ParseAddr(a)
			if err != nil {
				continue
			}
			resolved = true
			if rule := inside(addr); rule != "" {
				host := strings.TrimPrefix(x.Probe, probeNames)
				f := j.fail(x, "a host that the metadata names has an address inside a network: "+host).differ("a public address", a)
				f.Rules = []rules.ID{rule}
				f.Affected = "every client that judges addresses when it connects"
			}
		}
	}
	if !resolved {
		j.end(CouldNotRun, "no name was looked up")
	}
}

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
	shared = netip.MustParsePrefix("100.64.0.0/10")
	cloud  = []netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("fd00:ec2::254")}
)

// inside names the rule that forbids a client to connect to an address; "" for a
// public address.
func inside(a netip.Addr) rules.ID {
	plain := a.Unmap()
	if nat64.Contains(plain) {
		b := plain.As16()
		plain = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case slices.Contains(cloud, plain):
		return rules.NetMetadataService
	case !plain.IsGlobalUnicast() || plain.IsPrivate() || shared.Contains(plain):
		if plain != a {
			return rules.NetEmbeddedV4
		}
		return rules.NetIPPolicy
	}
	return ""
}

// planBehind also sends the first request to the address behind the proxies, if the
// operator named it.
func planBehind(e *Evidence) []Probe {
	out := planFirst(e)
	if e.Origin != "" {
		out = append(out, Probe{Label: probeBehind, Leg: LegMCP, Request: post(e.Origin, "2025-11-25", "", initialize)})
	}
	return out
}

// probeBehind is the first request at the address behind the proxies.
const probeBehind = "net.origin"

// judgeBehind compares what the server answers with what arrives in front of its
// proxies.
func judgeBehind(j *judgement) {
	if j.e.Origin == "" {
		j.end(CouldNotRun, "no address behind the proxies was named (--origin)")
		return
	}
	behind, public := j.e.probe(probeBehind), j.e.probe(probe2025)
	if behind == nil || public == nil || behind.Response == nil || public.Response == nil {
		j.end(CouldNotRun, j.unanswered(LegMCP, "the two addresses were not both asked"))
		return
	}
	if behind.status() != public.status() {
		j.fail(public, "a proxy answers the first request in place of the server").differ(fmt.Sprint(behind.status()), fmt.Sprint(public.status()))
		return
	}
	for _, name := range []string{"WWW-Authenticate", "Cache-Control"} {
		want, got := strings.Join(behind.got(name), ", "), strings.Join(public.got(name), ", ")
		if want != "" && got == "" {
			f := j.fail(public, "a proxy takes "+name+" away").differ(want, got)
			if name != "WWW-Authenticate" {
				f.Severity = Low
			}
		}
	}
}

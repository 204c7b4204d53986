package guard

import (
	"fmt"
	"net/netip"
	"strings"

	"code.dny.dev/ssrf"

	"github.com/stile-oauth/stile/states/rules"
)

// kind is what an address is, as far as the policy cares.
type kind int

const (
	public    kind = iota
	loopback       // 127.0.0.0/8 and ::1
	private        // special use, reachable only by permission
	linkLocal      // 169.254.0.0/16, fe80::/10: never
	metadata       // a cloud's instance metadata service: never
	never          // unspecified, multicast, reserved: never
)

// metadataAddrs are the instance metadata services that hand out credentials
// to everybody who can reach them. Several lie outside link-local space, one even in
// public space, so ranges alone do not cover them (net-metadata-service).
var metadataAddrs = map[netip.Addr]bool{
	netip.MustParseAddr("169.254.169.254"): true, // most clouds
	netip.MustParseAddr("169.254.169.253"): true, // resolver beside it
	netip.MustParseAddr("169.254.170.2"):   true, // container task credentials
	netip.MustParseAddr("169.254.170.23"):  true, // pod identity credentials
	netip.MustParseAddr("100.100.100.200"): true, // in shared address space
	netip.MustParseAddr("192.0.0.192"):     true, // in protocol assignments
	netip.MustParseAddr("168.63.129.16"):   true, // a host agent on a public address
	netip.MustParseAddr("fd00:ec2::254"):   true,
	netip.MustParseAddr("fd00:ec2::23"):    true,
	netip.MustParseAddr("fd20:ce::254"):    true,
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	reservedV4  = netip.MustParsePrefix("240.0.0.0/4")
	nat64       = ssrf.IPv6NAT64Prefix
	nat64Local  = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour   = netip.MustParsePrefix("2002::/16")      // RFC 3056
	teredo      = netip.MustParsePrefix("2001::/32")      // RFC 4380
	compatV4    = netip.MustParsePrefix("::/96")          // RFC 4291 §2.5.5.1
	translated  = netip.MustParsePrefix("::ffff:0:0:0/96")

	// special answers for IANA's special-purpose registries, on any port.
	special = ssrf.New(ssrf.WithAnyPort())
)

// embedded finds the IPv4 addresses that an IPv6 address carries to a
// translator or a tunnel, with the name of the form (net-embedded-v4). carries
// says that the form has no other meaning than to reach that IPv4 address.
func embedded(a netip.Addr) (form string, carries bool, inner []netip.Addr) {
	if !a.Is6() || a == netip.IPv6Unspecified() || a == netip.IPv6Loopback() {
		return "", false, nil
	}
	b := a.As16()
	v4 := func(i int) netip.Addr { return netip.AddrFrom4([4]byte(b[i : i+4])) }
	switch {
	case a.Is4In6():
		return "IPv4-mapped", true, []netip.Addr{v4(12)}
	case nat64.Contains(a):
		return "NAT64", true, []netip.Addr{v4(12)}
	case nat64Local.Contains(a):
		// RFC 6052 §2.2 lets the operator choose /48, /56, /64 or /96; byte 8
		// is skipped by the shorter ones.
		return "local NAT64", false, []netip.Addr{
			v4(12), netip.AddrFrom4([4]byte{b[6], b[7], b[9], b[10]}),
			netip.AddrFrom4([4]byte{b[7], b[9], b[10], b[11]}), v4(9),
		}
	case translated.Contains(a):
		return "IPv4-translated", false, []netip.Addr{v4(12)}
	case compatV4.Contains(a):
		return "IPv4-compatible", false, []netip.Addr{v4(12)}
	case sixToFour.Contains(a):
		return "6to4", false, []netip.Addr{v4(2)}
	case teredo.Contains(a):
		client := netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
		return "Teredo", false, []netip.Addr{client, v4(4)}
	case (b[8]&^0x02) == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return "ISATAP", false, []netip.Addr{v4(12)} // RFC 5214 §6.1
	}
	return "", false, nil
}

// plainKind judges an address alone, without looking inside it.
func plainKind(a netip.Addr) kind {
	switch {
	case metadataAddrs[a]:
		return metadata
	case a.IsLoopback():
		return loopback
	case a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsInterfaceLocalMulticast():
		return linkLocal
	case a.IsUnspecified() || a.IsMulticast() || thisNetwork.Contains(a) || reservedV4.Contains(a):
		return never
	case special.SafeAddr(a) != nil:
		return private
	}
	return public
}

// judged is what the policy found about one address.
type judged struct {
	kind kind
	addr netip.Addr // the address that matters: unwrapped where that applies
	form string     // the embedding, "" when plain
}

// judge classifies an address, unwrapping embedded IPv4 first. A tunnel or
// translation form that is not plain NAT64 is at best private, whatever it
// carries: nobody serves OAuth there, and the network decides where it leads.
func judge(a netip.Addr) judged {
	zone := a.Zone() != ""
	a = a.WithZone("")
	form, carries, inner := embedded(a)
	switch {
	case form == "":
		k := plainKind(a)
		if zone && k != loopback && k != metadata {
			k = linkLocal // a zone only has a meaning on one link
		}
		return judged{kind: k, addr: a}
	case carries:
		return judged{kind: plainKind(inner[0]), addr: inner[0], form: form}
	}
	worst := judged{kind: private, addr: a, form: form}
	if k := plainKind(a); k > worst.kind {
		worst.kind = k
	}
	for _, in := range inner {
		if k := plainKind(in); k > worst.kind && k < never {
			worst = judged{kind: k, addr: in, form: form}
		}
	}
	return worst
}

func (j judged) describe() string {
	s := map[kind]string{
		public: "a public address", loopback: "a loopback address", private: "a private or special-use address",
		linkLocal: "a link-local address", metadata: "an instance metadata service", never: "an address nobody serves",
	}[j.kind]
	if j.form != "" {
		s += " inside " + j.form
	}
	return s
}

// allowList is what the operator permitted beyond public addresses.
type allowList struct {
	hosts    map[string]bool
	prefixes []netip.Prefix
	option   string
}

func newAllowList(entries []string, option string) (allowList, error) {
	al := allowList{hosts: map[string]bool{}, option: option}
	for _, e := range entries {
		s := strings.TrimSpace(e)
		if p, err := netip.ParsePrefix(s); err == nil {
			al.prefixes = append(al.prefixes, p.Masked())
			continue
		}
		if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			a = a.WithZone("").Unmap()
			al.prefixes = append(al.prefixes, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		if h := hostKey(s); h != "" && !strings.ContainsAny(h, "/:@?#*% ") {
			al.hosts[h] = true
			continue
		}
		return al, fmt.Errorf("guard: %s: %q is no host name, address or CIDR", option, e)
	}
	return al, nil
}

func (al allowList) allows(host string, addrs ...netip.Addr) bool {
	if al.hosts[hostKey(host)] {
		return true
	}
	for _, a := range addrs {
		for _, p := range al.prefixes {
			if p.Contains(a) {
				return true
			}
		}
	}
	return false
}

// hostKey is a host name as the allow list compares it.
func hostKey(h string) string { return strings.TrimSuffix(strings.ToLower(h), ".") }

// level says how much of the policy holds for a request.
type level int

const (
	strict     level = iota // server-named URLs
	withLoop                // the same, and loopback is accepted
	userChosen              // an address the user configured: metadata services only
)

// check refuses an address that a request at this level must not reach. host
// is the name it came from.
func (al allowList) check(host string, a netip.Addr, lv level) *Error {
	j := judge(a)
	var rule rules.ID
	hint := ""
	switch {
	case j.kind == public:
		return nil
	case j.kind == metadata:
		rule = rules.NetMetadataService
	case lv == userChosen:
		return nil
	case j.kind == loopback && lv == withLoop && (j.form == "" || a.Is4In6()):
		return nil
	case j.kind == linkLocal || j.kind == never:
		rule = rules.NetIPPolicy
	case al.allows(host, j.addr, a.WithZone("")):
		return nil
	default:
		rule = rules.NetIPPolicy
		hint = fmt.Sprintf("; allow it with %s %q", al.option, host)
	}
	if j.form != "" && !a.Is4In6() && rule == rules.NetIPPolicy {
		rule = rules.NetEmbeddedV4
	}
	where := a.String()
	if host != where {
		where = host + " is " + where
	}
	return blocked(rule, fmt.Sprintf("%s, %s%s", where, j.describe(), hint))
}

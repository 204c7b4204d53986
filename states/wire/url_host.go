package wire

import (
	"net/netip"
	"strconv"
	"strings"
)

// authority judges host and port and keeps them. It returns what is wrong with them.
func (u *URL) authority(s string) string {
	host, port := s, ""
	hasPort := false
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "URL host is not an address"
		}
		host = s[:end+1]
		if rest := s[end+1:]; rest != "" {
			port, hasPort = strings.CutPrefix(rest, ":")
			if !hasPort {
				return "URL host is not an address"
			}
		}
		addr, _ := netip.ParseAddr(host[1:end]) // the zero address, which is no IPv6 address, if it is none
		if !addr.Is6() || addr.Zone() != "" {
			return "URL host is not an IPv6 address"
		}
		u.loopback = addr == netip.IPv6Loopback()
		u.host = strings.ToLower(host)
	} else {
		host, port, hasPort = strings.Cut(s, ":")
		u.host = strings.ToLower(host)
		if why := hostName(u.host); why != "" {
			return why
		}
		u.loopback = u.host == "localhost" || strings.HasPrefix(u.host, "127.") && endsInNumber(u.host)
	}
	if !hasPort {
		return ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '+' || port[0] == '0' {
		return "URL port is not a number from 1 to 65535"
	}
	if !(u.scheme == "https" && n == 443 || u.scheme == "http" && n == 80) {
		u.port = port
	}
	return ""
}

// hostName judges a host in lower case that is not in brackets. It may have letters,
// digits, hyphens, underscores and dots, and no empty label. Anything that looks like an
// IPv4 address must be in the plain dotted form.
func hostName(h string) string {
	if h == "" {
		return "URL host is empty"
	}
	if len(h) > 255 {
		return "URL host is too long"
	}
	prev := byte('.')
	for i := 0; i < len(h); i++ {
		c := h[i]
		switch {
		case c == '.' && prev == '.':
			return "URL host has an empty label"
		case c == '.', c == '-', c == '_', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		default:
			return "URL host holds a character that no host name has"
		}
		prev = c
	}
	if endsInNumber(h) {
		if a, _ := netip.ParseAddr(h); !a.Is4() { // no address at all is none of IPv4 either
			return "URL host is an odd form of an IPv4 address"
		}
	}
	return ""
}

// endsInNumber reports whether the last label is a number in any notation that some
// resolver reads as part of an IPv4 address.
func endsInNumber(h string) bool {
	h = strings.TrimSuffix(h, ".")
	last := h[strings.LastIndexByte(h, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

package guard_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/rules"
)

var discard = log.New(io.Discard, "", 0)

// Every address here is refused before a packet leaves, so none is ever dialled.
func TestAddressesRefused(t *testing.T) {
	tests := []struct {
		addr    string
		rule    rules.ID
		openAny bool // AllowPrivate of everything lets it pass
	}{
		{"10.1.2.3", rules.NetIPPolicy, true},
		{"172.16.0.1", rules.NetIPPolicy, true},
		{"192.168.1.1", rules.NetIPPolicy, true},
		{"100.64.0.1", rules.NetIPPolicy, true},
		{"127.0.0.1", rules.NetIPPolicy, true},
		{"127.9.9.9", rules.NetIPPolicy, true},
		{"::1", rules.NetIPPolicy, true},
		{"fd12:3456::1", rules.NetIPPolicy, true},
		{"fec0::1", rules.NetIPPolicy, true},
		{"2001:db8::1", rules.NetIPPolicy, true},
		{"198.18.0.1", rules.NetIPPolicy, true},
		{"0.0.0.0", rules.NetIPPolicy, false},
		{"0.1.2.3", rules.NetIPPolicy, false},
		{"::", rules.NetIPPolicy, false},
		{"224.0.0.1", rules.NetIPPolicy, false},
		{"255.255.255.255", rules.NetIPPolicy, false},
		{"ff02::1", rules.NetIPPolicy, false},
		{"239.1.2.3", rules.NetIPPolicy, false}, // multicast beyond the link
		{"ff0e::1", rules.NetIPPolicy, false},
		{"ff01::1", rules.NetIPPolicy, false},
		{"240.0.0.1", rules.NetIPPolicy, false},
		{"169.254.1.1", rules.NetIPPolicy, false},
		{"fe80::1", rules.NetIPPolicy, false},
		{"169.254.169.254", rules.NetMetadataService, false},
		{"169.254.170.2", rules.NetMetadataService, false},
		{"100.100.100.200", rules.NetMetadataService, false},
		{"192.0.0.192", rules.NetMetadataService, false},
		{"168.63.129.16", rules.NetMetadataService, false},
		{"fd00:ec2::254", rules.NetMetadataService, false},
		{"fd20:ce::254", rules.NetMetadataService, false},
		{"169.254.169.253", rules.NetMetadataService, false},
		{"169.254.170.23", rules.NetMetadataService, false},
		{"fd00:ec2::23", rules.NetMetadataService, false},
		// Embedded forms of 169.254.169.254, 10.0.0.1 and 127.0.0.1.
		{"::ffff:a9fe:a9fe", rules.NetMetadataService, false},
		{"64:ff9b::a9fe:a9fe", rules.NetMetadataService, false},
		{"64:ff9b:1::a9fe:a9fe", rules.NetMetadataService, false},
		{"64:ff9b:1:a9fe:a9:fe00::", rules.NetMetadataService, false},
		{"2002:a9fe:a9fe::1", rules.NetMetadataService, false},
		{"2001:0:a9fe:a9fe::1", rules.NetMetadataService, false},
		{"2001:0:808:808:0:0:5601:5601", rules.NetMetadataService, false},
		{"::a9fe:a9fe", rules.NetMetadataService, false},
		{"::ffff:0:a9fe:a9fe", rules.NetMetadataService, false},
		{"2a00::5efe:a9fe:a9fe", rules.NetMetadataService, false},
		{"2a00::200:5efe:a9fe:a9fe", rules.NetMetadataService, false},
		{"2a00::5efe:808:808", rules.NetEmbeddedV4, true}, // public inside and outside
		{"64:ff9b::a9fe:101", rules.NetEmbeddedV4, false},
		{"::ffff:10.0.0.1", rules.NetIPPolicy, true},
		{"64:ff9b::10.0.0.1", rules.NetEmbeddedV4, true},
		{"64:ff9b::127.0.0.1", rules.NetEmbeddedV4, true},
		{"2002:a00:1::", rules.NetEmbeddedV4, true},
		{"2002:808:808::", rules.NetEmbeddedV4, true}, // public inside, still a tunnel
		{"2001::1", rules.NetEmbeddedV4, true},
		{"::ffff:0:808:808", rules.NetEmbeddedV4, true},
		{"::808:808", rules.NetEmbeddedV4, true},
		{"64:ff9b:1::808:808", rules.NetEmbeddedV4, true},
		{"2a00::200:5efe:808:808", rules.NetEmbeddedV4, true},
		// RFC 6052 §2.2 with the prefixes /56 and /64, and another Teredo server.
		{"64:ff9b:1:a9:fe:a9fe::", rules.NetMetadataService, false},
		{"64:ff9b:1:0:a9:fea9:fe00::", rules.NetMetadataService, false},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			var d dns
			d.set("as.test", tt.addr)
			o := guard.Options{}
			o.Dialer = dialerFor(&d)
			g := mustNew(t, o)
			host := tt.addr
			if strings.Contains(host, ":") {
				host = "[" + host + "]"
			}
			for _, url := range []string{"https://" + host + "/x?s3cret", "https://as.test/x?s3cret"} {
				_, f := g.Do(context.Background(), get(url))
				wantFailure(t, f, guard.ClassBlocked, tt.rule, false)
				if tt.openAny != strings.Contains(f.Detail, "AllowPrivate") {
					t.Errorf("hint: %q", f.Detail)
				}
				if named := strings.Contains(url, "as.test"); !strings.Contains(tt.addr, ":") && strings.Contains(f.Detail, " is ") != named {
					t.Errorf("who has the address: %q", f.Detail)
				}
			}
			if f := g.CheckVisit(context.Background(), "https://as.test/authorize?s3cret", false); f == nil {
				t.Error("browser would be sent there")
			} else {
				wantFailure(t, f, guard.ClassBlocked, rules.AuthzReqURLHostPolicy, false)
			}
			// With everything private allowed.
			o.AllowPrivate = []string{"0.0.0.0/0", "::/0", "as.test"}
			f := mustNew(t, o).CheckVisit(context.Background(), "https://as.test/", false)
			if (f == nil) != tt.openAny {
				t.Errorf("with AllowPrivate: %v", f)
			}
		})
	}
}

// zoned is a connection whose other end is an address with a zone.
type zoned struct {
	net.Conn
	peer net.TCPAddr
}

func (z *zoned) RemoteAddr() net.Addr { return &z.peer }

// TestZones: an address with a zone counts as link-local, whatever it looks like, and
// no option opens it; metadata services stay what they are.
func TestZones(t *testing.T) {
	for addr, rule := range map[string]rules.ID{
		"2606:4700::1111": rules.NetIPPolicy, "fd12:3456::1": rules.NetIPPolicy, "fe80::1": rules.NetIPPolicy,
		"fd00:ec2::254": rules.NetMetadataService,
	} {
		dial := func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			_ = far.Close()
			return &zoned{near, net.TCPAddr{IP: net.ParseIP(addr), Port: 443, Zone: "eth0"}}, nil
		}
		g := mustNew(t, guard.Options{Transport: &http.Transport{DialContext: dial}, AllowPrivate: []string{"::/0"}})
		_, f := g.Do(context.Background(), get("https://as.test/"))
		wantFailure(t, f, guard.ClassBlocked, rule, false)
		if _, f := g.Do(context.Background(), get("https://["+addr+"%25eth0]/")); f == nil || f.Class != guard.ClassBlocked {
			t.Errorf("%s with a zone in the URL: %v", addr, f)
		}
	}
}

func TestAddressesAccepted(t *testing.T) {
	for _, addr := range []string{"8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8", "1.1.1.1",
		// One byte away from a form that carries an IPv4 address, with a metadata service in that place.
		"2a00::100:5efe:a9fe:a9fe", "2a00::1:5efe:a9fe:a9fe", "2a00::5efd:a9fe:a9fe", "2a00::6efe:a9fe:a9fe", "2a00::5eff:a9fe:a9fe"} {
		var d dns
		d.set("as.test", addr)
		g := mustNew(t, guard.Options{Dialer: dialerFor(&d)})
		if f := g.CheckVisit(context.Background(), "https://as.test/authorize", false); f != nil {
			t.Errorf("%s: %v", addr, f)
		}
	}
}

func TestAllowPrivateIsNarrow(t *testing.T) {
	var d dns
	d.set("in.test", "10.0.0.5")
	d.set("out.test", "10.0.0.6")
	d.set("two.test", "8.8.8.8", "10.0.0.6")
	for _, tt := range []struct {
		allow []string
		url   string
		ok    bool
	}{
		{[]string{"in.test"}, "https://in.test/", true},
		{[]string{"IN.test."}, "https://in.test/", true},
		{[]string{"in.test"}, "https://out.test/", false},
		{[]string{"10.0.0.5"}, "https://in.test/", true},
		{[]string{"10.0.0.5"}, "https://out.test/", false},
		{[]string{"10.0.0.4/30"}, "https://out.test/", true},
		{[]string{"10.0.0.5"}, "https://10.0.0.5/", true},
		{[]string{"10.0.0.5"}, "https://[::ffff:10.0.0.5]/", true},
		{[]string{"::ffff:10.0.0.5"}, "https://10.0.0.5/", true},
		{[]string{"[::ffff:10.0.0.5]"}, "https://in.test/", true},
		{nil, "https://two.test/", false}, // one bad address is enough for a browser
		{[]string{"localhost"}, "https://localhost/", true},
		{nil, "https://localhost/", false},
		{nil, "https://x.localhost/", false},
	} {
		g := mustNew(t, guard.Options{Dialer: dialerFor(&d), AllowPrivate: tt.allow, AllowPrivateName: "--allow-private"})
		f := g.CheckVisit(context.Background(), tt.url, false)
		if (f == nil) != tt.ok {
			t.Errorf("%v %s: %v", tt.allow, tt.url, f)
		}
		if f != nil && !strings.Contains(f.Detail, "--allow-private") {
			t.Errorf("the option is not named: %v", f)
		}
		if f != nil && strings.Contains(f.Detail, " inside ") {
			t.Errorf("no address is inside another: %v", f)
		}
	}
	for _, bad := range []string{"", "https://x", "10.0.0.0/33", "a b"} {
		if _, err := guard.New(guard.Options{AllowPrivate: []string{bad}}); err == nil {
			t.Errorf("AllowPrivate %q accepted", bad)
		}
	}
}

// FuzzNoWayToMetadata: whatever form carries 169.254.169.254, no option opens it.
func FuzzNoWayToMetadata(f *testing.F) {
	f.Add([]byte{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 169, 254, 169, 254})
	f.Add([]byte{0x20, 0x02, 169, 254, 169, 254, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte{169, 254, 169, 254})
	g, err := guard.New(guard.Options{AllowPrivate: []string{"0.0.0.0/0", "::/0"}, AllowLoopbackHTTP: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 4 { // also as the tail of the usual prefixes
			for _, p := range []string{"::ffff:0:0", "64:ff9b::", "::", "::ffff:0:0:0"} {
				a := netip.MustParseAddr(p).As16()
				copy(a[12:], b)
				visit(t, g, netip.AddrFrom16(a), netip.AddrFrom4([4]byte(b)))
			}
		}
		if a, ok := netip.AddrFromSlice(b); ok {
			visit(t, g, a, a.Unmap())
		}
	})
}

func visit(t *testing.T, g *guard.Guard, a, inner netip.Addr) {
	host := a.String()
	if a.Is6() {
		host = "[" + host + "]"
	}
	f := g.CheckVisit(context.Background(), "https://"+host+"/", true)
	if inner == netip.MustParseAddr("169.254.169.254") && f == nil {
		t.Fatalf("%s reaches the metadata service", a)
	}
}

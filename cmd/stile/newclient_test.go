package main

import "testing"

// login --new-client registers again, whether somebody is logged in or not.
func TestNewClient(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	contains(t, c.ok("login", server).err, "stile login "+server+" --new-client")
	client := func() string { return decode[statusView](t, c.ok("status", server, "--json").out).ClientID }
	first := client()
	c.ok("login", server, "--again")
	if client() != first {
		t.Error("--again registered a new client")
	}
	c.ok("login", server, "--new-client")
	second := client()
	if second == first {
		t.Error("the old client is used while logged in")
	}
	c.ok("logout", server)
	c.ok("login", server, "--new-client")
	if client() == second {
		t.Error("the old client is used while logged out")
	}
	c.ok("token", server)
}

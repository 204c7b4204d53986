package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// counter counts, for each request of the MCP client, the HTTP requests that
// it took. It sits above the driver.
type counter struct {
	next  http.RoundTripper
	world *world
	show  *show
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	before := c.world.requests()
	resp, err := c.next.RoundTrip(r)
	if err == nil {
		c.show.counted(methodOf(r), c.world.requests()-before)
	}
	return resp, err
}

// methodOf is the JSON-RPC method of a request of the MCP client.
func methodOf(r *http.Request) string {
	if r.GetBody == nil {
		return r.Method
	}
	b, err := r.GetBody()
	if err != nil {
		return r.Method
	}
	defer func() { _ = b.Close() }()
	var m struct {
		Method string `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if json.NewDecoder(io.LimitReader(b, 1<<20)).Decode(&m) != nil {
		return r.Method
	}
	return strings.TrimSpace(m.Method + " " + m.Params.Name)
}

// wireTap shows each request to the MCP server with its answer. It sits below the
// driver.
type wireTap struct {
	next http.RoundTripper
	show *show
}

func (t *wireTap) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err == nil {
		t.show.request(r.Method, r.URL.String(), resp.StatusCode, methodOf(r))
	}
	return resp, err
}

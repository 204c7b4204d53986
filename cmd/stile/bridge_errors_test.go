package main

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// A line that is no message is answered with an error, and the bridge goes on.
func TestBridgeReadsOn(t *testing.T) {
	c := newCLI(t)
	c.env["XDG_STATE_HOME"] = t.TempDir()
	c.in = strings.NewReader("not JSON\n\n{\"a\":1}\n[]\n" + helloLine + "\n")
	codes := map[int]int{}
	greeted := false
	for line := range strings.Lines(c.ok("bridge", "https://127.0.0.1:1/mcp").out) {
		var m struct {
			ID    *int `json:"id"`
			Error *struct{ Code int }
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch {
		case m.Error != nil && m.ID == nil:
			codes[m.Error.Code]++
		case m.ID != nil && *m.ID == 1:
			greeted = true
		}
	}
	if codes[-32700] != 1 || codes[-32600] != 2 || !greeted {
		t.Errorf("%v, greeted %v", codes, greeted)
	}
}

// An Authorization of the user that the server refuses is not a reason to log in, unless
// the server names metadata.
func TestBridgeWithARefusedHeader(t *testing.T) {
	var elsewhere atomic.Int32
	server := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mcp" {
			elsewhere.Add(1)
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
	})
	c := newCLI(t)
	c.browse = noBrowser(t)
	b := startBridge(t, c, nil, server, "--header", "Authorization: Bearer wrong")
	_, err := b.ListTools(t.Context(), nil)
	if e := failedAs(t, err); !strings.Contains(e.Message, "the server refuses the Authorization that --header gives") || strings.Contains(e.Message, "rejected by transport") {
		t.Errorf("%+v", e)
	}
	eventually(t, "standard error says the same", func() bool { return strings.Contains(b.err.String(), "the Authorization that --header gives") })
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("%d requests to other addresses: %s", n, b.err)
	}
	_, protected := peers(t, nil, nil)
	named := startBridge(t, newCLI(t), nil, protected, "--header", "Authorization: Bearer wrong")
	if _, err := named.ListTools(t.Context(), nil); err != nil {
		t.Errorf("%v: %s", err, named.err)
	}
}

// What the bridge cannot do because of a flag or of the store is said without the words of
// the SDK.
func TestBridgeSaysWhatIsWrong(t *testing.T) {
	_, server := peers(t, nil, nil)
	b := startBridge(t, newCLI(t), nil, server, "--transport", "sse-only", "--store", "memory")
	_, err := b.ListTools(t.Context(), nil)
	if e := failedAs(t, err); !strings.Contains(e.Message, "leave out --transport") {
		t.Errorf("%+v: %s", e, b.err)
	}
	b = startBridge(t, newCLI(t), nil, server, "--store", "redis://127.0.0.1:1")
	_, err = b.ListTools(t.Context(), nil)
	if e := failedAs(t, err); !strings.HasPrefix(e.Message, "the credential store: ") || !strings.Contains(e.Message, "the database is running") {
		t.Errorf("%+v", e)
	}
}

// A fault that the issuer is to blame for is not called one of the server, by the command
// and by what the trace shows.
func TestBlamesTheIssuer(t *testing.T) {
	issuer, server := peers(t, func(c *devas.ASConfig) { c.Faults = []string{"iss-wrong"} }, nil)
	c := newCLI(t)
	trace := filepath.Join(t.TempDir(), "trace")
	const whose = "fault of     the authorization server"
	contains(t, c.exit(exitPeer, "login", server, "--trace", trace).err, whose, "with         "+issuer)
	contains(t, c.ok("explain", trace).out, "the fault of the authorization server", "fault of  the authorization server", "at        "+issuer)
}

// Where the endpoints of a login had to be guessed, a wrong address is called that.
func TestLoginAtAWrongAddress(t *testing.T) {
	server := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusNotImplemented)
			return
		}
		http.NotFound(w, r)
	})
	contains(t, newCLI(t).exit(exitPeer, "login", server).err, "error: there is no MCP server at "+server, "#not-an-mcp-server", "fault of     the server")
}

// A fragment is no part of a server's address, and is not shown. Where a valid login
// exists, --watch says that it shows nothing.
func TestLoginSmallThings(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	r := c.ok("login", server+"#part", "-v")
	if strings.Contains(r.out+r.err, "#part") {
		t.Errorf("%s%s", r.out, r.err)
	}
	contains(t, c.ok("login", server, "--watch", "--no-browser").err, "nothing to watch", "--again")
}

// The port of a login is the one that mcp-remote tries first for the same flags.
func TestBridgePortOfMCPRemote(t *testing.T) {
	for _, f := range []bridgeFlags{{}, {resource: "https://r.example/"}, {sent: [][2]string{{"X-A", "1"}}}} {
		text := "https://mcp.example/mcp"
		if f.resource != "" {
			text += "|" + f.resource
		}
		if len(f.sent) > 0 {
			text += `|{"X-A":"1"}`
		}
		digits, err := strconv.ParseInt(fmt.Sprintf("%x", md5.Sum([]byte(text)))[:4], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := f.ports("https://mcp.example/mcp", 0)[0], 3335+int(digits)%45816; got != want {
			t.Errorf("%q: port %d, not %d", text, got, want)
		}
	}
}

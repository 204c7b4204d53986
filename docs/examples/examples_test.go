// Package examples runs the programs beside it as people would: built, started, and
// asked over HTTP. The servers are those of package devas, on ports that are free.
package examples

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
)

// browserName is the name under which this test program is a browser whose user agrees.
const browserName = "browser-of-the-examples"

var bin string

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == browserName {
		resp, err := http.Get(os.Args[len(os.Args)-1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_ = resp.Body.Close()
		os.Exit(0)
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "examples")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-o", dir, "./host", "./webhost", "./protected", "./bus")
		if out, err := build.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("%v\n%s", err, out))
		}
		self, err := os.Executable()
		if err != nil {
			panic(err)
		}
		if err := os.Symlink(self, filepath.Join(dir, browserName)); err != nil {
			panic(err)
		}
		bin = dir
		return m.Run()
	}())
}

// issuer starts an authorization server whose user agrees to everything.
func issuer(t *testing.T, scopes ...string) (*devas.AS, string) {
	t.Helper()
	var as http.Handler
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { as.ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	origin := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	c := devas.DefaultAS(origin)
	c.AutoConsent = true
	if len(scopes) > 0 {
		c.Scopes = scopes
	}
	server, err := devas.NewAS(c)
	if err != nil {
		t.Fatal(err)
	}
	as = server
	return server, origin
}

// resource starts an MCP server that it protects.
func resource(t *testing.T) string {
	t.Helper()
	as, origin := issuer(t)
	var rs http.Handler
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { rs.ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	address := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/mcp"
	server, err := devas.NewRS(devas.RSConfig{Resource: address, Issuers: []string{origin}, Verifier: as.Verifier()})
	if err != nil {
		t.Fatal(err)
	}
	rs = server
	return address
}

// command is one of the programs, with a home of its own.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH"), "BROWSER=" + filepath.Join(bin, browserName)}
	return cmd
}

func TestHost(t *testing.T) {
	server := resource(t)
	out, err := command(t, "host", server).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "get_time\nwhoami\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestBus(t *testing.T) {
	out, err := command(t, "bus", resource(t)).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "Authorized, token valid until ") || !strings.HasSuffix(string(out), "\nAnonymous\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A login that one replica begins ends in another.
func TestWebHost(t *testing.T) {
	server, store := resource(t), "file:"+filepath.Join(t.TempDir(), "logins")
	a, b := free(t), free(t)
	for _, listen := range []string{a, b} {
		start(t, command(t, "webhost", "-listen", listen, "-public", "http://"+b, "-store", store, "-server", server))
		await(t, "http://"+listen+"/")
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	// Cookies know no ports, so this browser has the same session at both replicas, as
	// behind a load balancer.
	browser := &http.Client{Jar: jar}
	resp, err := browser.Get("http://" + a + "/?user=ann")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if at := resp.Request.URL.Host; err != nil || at != b || !strings.HasPrefix(string(body), "ann is logged in") {
		t.Fatalf("at %s: %v, %q", at, err, body)
	}
	// Another user is not logged in by it, and cannot finish the login of the first one.
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err = stay.Get("http://" + a + "/?user=ben")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusSeeOther || to.Query().Get("state") == "" {
		t.Fatalf("%d to %v: %v", resp.StatusCode, to, err)
	}
	resp, err = stay.Get("http://" + b + "/oauth/callback?user=eve&code=x&state=" + url.QueryEscape(to.Query().Get("state")))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("the login of another user ended with %d", resp.StatusCode)
	}
}

// A client logs in, reads, and is asked for more when it writes.
func TestProtected(t *testing.T) {
	_, origin := issuer(t, "notes", "notes:write")
	listen := free(t)
	start(t, command(t, "protected", "-listen", listen, "-issuer", origin))
	_, port, _ := net.SplitHostPort(listen)
	server := "http://localhost:" + port + "/mcp"
	await(t, server)
	t.Setenv("BROWSER", filepath.Join(bin, browserName))
	visits := 0
	driver, err := httpdriver.New(httpdriver.Options{Observe: func(s httpdriver.Step) {
		if s.From.State == states.Exchanging && s.Result.Machine.State != states.Exchanging {
			visits++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer driver.Close()
	client, err := driver.Client(httpdriver.Account{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).
		Connect(ctx, &mcp.StreamableClientTransport{Endpoint: server, HTTPClient: client}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, c := range [][2]string{{"read", "buy milk"}, {"write", "written"}} {
		r, err := session.CallTool(ctx, &mcp.CallToolParams{Name: c[0]})
		if err != nil || len(r.Content) != 1 || r.Content[0].(*mcp.TextContent).Text != c[1] {
			t.Errorf("%s: %v, %v", c[0], r, err)
		}
	}
	if visits != 2 {
		t.Errorf("%d logins; one and a step-up were due", visits)
	}
}

// free finds an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	for range 100 {
		// Below the ports that systems choose themselves, for the servers and connections of
		// other tests, none of which takes this one before the program does.
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000)))
		if err == nil {
			_ = ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// start runs a server until the test ends.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := bufio.NewScanner(out); s.Scan(); {
			t.Log(s.Text())
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
	})
}

// await returns when something answers at address.
func await(t *testing.T, address string) {
	t.Helper()
	for range 1000 {
		if resp, err := http.Get(address); err == nil {
			_ = resp.Body.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nothing listens at %s", address)
}

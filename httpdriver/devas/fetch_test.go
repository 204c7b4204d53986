package devas_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// TestDocumentsInside: an internal address is not asked, however it is written;
// with permission, one on loopback is.
func TestDocumentsInside(t *testing.T) {
	var asked atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"client_id":"http://` + r.Host + r.URL.Path + `","client_name":"x","redirect_uris":["` + back + `"]}`))
	}))
	defer inside.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "http://"), ":")
	g, err := guard.New(guard.Options{Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, loopback := range []bool{false, true} {
		s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) { a.CIMD, a.Fetch = true, devas.Fetch(g, loopback) })
		for _, id := range []string{
			"https://169.254.169.254/latest/app.json", "https://10.0.0.1/app.json", "https://192.168.1.1/app.json", "https://[fd00::1]/app.json",
			"https://[::ffff:169.254.169.254]/app.json", "https://[64:ff9b::a9fe:a9fe]/app.json", "https://0.0.0.0:" + port + "/app.json",
			"http://0x7f000001:" + port + "/app.json", "http://2130706433:" + port + "/app.json",
			"http://127.0.0.1.nip.example:" + port + "/app.json",
		} {
			if a := s.do("GET", s.authorizeURL(id), ""); a.status != 400 || a.header.Get("Location") != "" {
				t.Errorf("%s: %d", id, a.status)
			}
		}
		if n := asked.Load(); n != 0 {
			t.Fatalf("asked %d times", n)
		}
		a := s.do("GET", s.authorizeURL(inside.URL+"/app.json"), "")
		if got := a.location().Get("code") != ""; got != loopback {
			t.Errorf("loopback %v: %d %s", loopback, a.status, a.body)
		}
		if n := asked.Load(); (n == 1) != loopback {
			t.Errorf("loopback %v: asked %d times", loopback, n)
		}
	}
}

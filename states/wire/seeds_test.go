package wire

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exchange is one answer of a peer in testdata/traces or, without a URL, the resource's
// refusal. Callbacks are kept separately.
type exchange struct {
	url    string // the address that was asked
	status int
	header Fields
	body   string
}

func (e exchange) get(name string) string { v, _ := header(e.header, name); return v }

// traced reads what peers answered in the traces, each answer once.
func traced(t testing.TB) (answers []exchange, callbacks []string) {
	t.Helper()
	files, err := filepath.Glob("../../testdata/traces/*.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	type response struct {
		Response struct {
			Status int
			Header [][2]string
			JSON   json.RawMessage
			Body   string
		}
	}
	seen := map[string]bool{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		url := ""
		for line := range bytes.Lines(b) {
			var l struct {
				Input struct {
					Responded  *response
					Challenged *response
					Redirected *struct{ URL string }
				}
				Effects []struct {
					Send *struct{ Request struct{ URL string } }
				}
			}
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			add := func(url string, r *response) {
				e := exchange{url: url, status: r.Response.Status, body: string(r.Response.JSON) + r.Response.Body}
				for _, h := range r.Response.Header {
					e.header = append(e.header, Field{Name: h[0], Value: h[1]})
				}
				if key := url + e.get("WWW-Authenticate") + e.body; !seen[key] {
					seen[key] = true
					answers = append(answers, e)
				}
			}
			switch in := l.Input; {
			case in.Responded != nil:
				add(url, in.Responded)
			case in.Challenged != nil:
				add("", in.Challenged)
			case in.Redirected != nil && !seen[in.Redirected.URL]:
				seen[in.Redirected.URL] = true
				callbacks = append(callbacks, in.Redirected.URL)
			}
			for _, e := range l.Effects {
				if e.Send != nil {
					url = e.Send.Request.URL
				}
			}
		}
	}
	return answers, callbacks
}

// answersOf gives the traced answers to requests at such an address.
func answersOf(t testing.TB, parts ...string) []exchange {
	t.Helper()
	var out []exchange
	all, _ := traced(t)
	for _, e := range all {
		for _, p := range parts {
			if strings.Contains(e.url, p) {
				out = append(out, e)
				break
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("no trace holds an answer from %v", parts)
	}
	return out
}

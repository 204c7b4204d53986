package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/trace"
)

// har builds a HAR file of one login by a client that does everything right, with
// the changes of a test.
func har(t *testing.T, change func(entries []map[string]any) []map[string]any) []byte {
	t.Helper()
	type obj = map[string]any
	headers := func(kv ...string) []obj {
		out := []obj{}
		for i := 0; i+1 < len(kv); i += 2 {
			out = append(out, obj{"name": kv[i], "value": kv[i+1]})
		}
		return out
	}
	doc := func(v any) obj {
		b, _ := json.Marshal(v)
		return obj{"status": 200, "headers": headers("Content-Type", "application/json", "Cache-Control", "max-age=60", "Access-Control-Allow-Origin", "*"), "content": obj{"mimeType": "application/json", "text": string(b)}}
	}
	token := func(v any) obj {
		d := doc(v)
		d["headers"] = headers("Content-Type", "application/json", "Cache-Control", "no-store")
		return d
	}
	get := func(url string) obj {
		return obj{"method": "GET", "url": url, "headers": headers("Accept", "application/json")}
	}
	form := func(url, body string) obj {
		return obj{"method": "POST", "url": url, "headers": headers("Content-Type", "application/x-www-form-urlencoded"), "postData": obj{"mimeType": "application/x-www-form-urlencoded", "text": body}}
	}
	mcp := func(token string) obj {
		h := headers("Content-Type", "application/json")
		if token != "" {
			h = append(h, obj{"name": "Authorization", "value": "Bearer " + token})
		}
		return obj{"method": "POST", "url": "https://mcp.example/mcp", "headers": h, "postData": obj{"mimeType": "application/json", "text": `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`}}
	}
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	const state = "state-0123456789abcdefghij"
	entries := []obj{
		{"startedDateTime": "2026-07-28T12:00:00Z", "time": 5, "request": mcp(""), "response": obj{"status": 401, "headers": headers("WWW-Authenticate", `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="user"`), "content": obj{}}},
		{"startedDateTime": "2026-07-28T12:00:01Z", "time": 5, "request": get("https://mcp.example/.well-known/oauth-protected-resource/mcp"), "response": doc(obj{"resource": "https://mcp.example/mcp", "authorization_servers": []string{"https://as.example"}, "scopes_supported": []string{"user"}})},
		{"startedDateTime": "2026-07-28T12:00:02Z", "time": 5, "request": get("https://as.example/.well-known/oauth-authorization-server"), "response": doc(obj{"issuer": "https://as.example", "authorization_endpoint": "https://as.example/authorize", "token_endpoint": "https://as.example/token", "response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"}, "authorization_response_iss_parameter_supported": true, "client_id_metadata_document_supported": true})},
		{"startedDateTime": "2026-07-28T12:00:03Z", "time": 5, "request": get("https://as.example/authorize?response_type=code&client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&scope=user&state=" + state + "&code_challenge=" + challenge + "&code_challenge_method=S256&resource=https%3A%2F%2Fmcp.example%2Fmcp"), "response": obj{"status": 302, "headers": headers("Location", "http://127.0.0.1:9/cb?code=code-secret-1&state="+state+"&iss=https%3A%2F%2Fas.example"), "content": obj{}}},
		{"startedDateTime": "2026-07-28T12:00:04Z", "time": 5, "request": get("http://127.0.0.1:9/cb?code=code-secret-1&state=" + state + "&iss=https%3A%2F%2Fas.example"), "response": obj{"status": 200, "headers": headers(), "content": obj{}}},
		{"startedDateTime": "2026-07-28T12:00:05Z", "time": 5, "request": form("https://as.example/token", "grant_type=authorization_code&code=code-secret-1&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&client_id=c&code_verifier="+verifier+"&resource=https%3A%2F%2Fmcp.example%2Fmcp"), "response": token(obj{"access_token": "access-secret-1", "token_type": "Bearer", "expires_in": 60, "refresh_token": "refresh-secret-1"})},
		{"startedDateTime": "2026-07-28T12:00:06Z", "time": 5, "request": mcp("access-secret-1"), "response": obj{"status": 200, "headers": headers(), "content": obj{}}},
		{"startedDateTime": "2026-07-28T12:01:00Z", "time": 5, "request": form("https://as.example/token", "grant_type=refresh_token&refresh_token=refresh-secret-1&client_id=c&resource=https%3A%2F%2Fmcp.example%2Fmcp"), "response": token(obj{"access_token": "access-secret-2", "token_type": "Bearer", "expires_in": 60, "refresh_token": "refresh-secret-2"})},
		{"startedDateTime": "2026-07-28T12:01:01Z", "time": 5, "request": mcp("access-secret-2"), "response": obj{"status": 200, "headers": headers(), "content": obj{}}},
	}
	if change != nil {
		entries = change(entries)
	}
	b, err := json.Marshal(obj{"log": obj{"version": "1.2", "creator": obj{"name": "test"}, "entries": entries}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// set replaces a string in the request of an entry.
func set(i int, from, to string) func([]map[string]any) []map[string]any {
	return func(es []map[string]any) []map[string]any {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(es[i]["request"])
		b := buf.Bytes()
		var r map[string]any
		if !strings.Contains(string(b), from) {
			panic("nothing to replace: " + from)
		}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(b), from, to)), &r); err != nil {
			panic(err)
		}
		es[i]["request"] = r
		return es
	}
}

// again appends an entry once more, at a later time.
func again(i int) func([]map[string]any) []map[string]any {
	return func(es []map[string]any) []map[string]any {
		c := map[string]any{}
		for k, v := range es[i] {
			c[k] = v
		}
		c["startedDateTime"] = "2026-07-28T12:05:00Z"
		return append(es, c)
	}
}

func TestHAR(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]map[string]any) []map[string]any
		want   []string // checks that fail, besides tr.secrets
	}{
		"all is well":           {nil, nil},
		"no challenge":          {set(3, "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", ""), []string{"tr.pkce"}},
		"plain":                 {set(3, "S256", "plain"), []string{"tr.pkce"}},
		"another verifier":      {set(5, "dBjftJeZ4CVP", "dBjftJeZ4CVQ"), []string{"tr.pkce"}},
		"short state":           {set(3, "state-0123456789abcdefghij", "1"), []string{"tr.answered", "tr.state"}},
		"no resource":           {set(3, "&resource=https%3A%2F%2Fmcp.example%2Fmcp", ""), []string{"tr.resource"}},
		"resource elsewhere":    {set(7, "mcp.example%2Fmcp", "mcp.example%2Fother"), []string{"tr.resource"}},
		"other iss":             {set(4, "iss=https%3A%2F%2Fas.example", "iss=https%3A%2F%2Fevil.example"), []string{"tr.iss"}},
		"no iss":                {set(4, "&iss=https%3A%2F%2Fas.example", ""), []string{"tr.iss"}},
		"redirect differs":      {set(5, "127.0.0.1%3A9%2Fcb", "127.0.0.1%3A9%2Fother"), []string{"tr.redirect"}},
		"token in the query":    {set(6, "https://mcp.example/mcp", "https://mcp.example/mcp?access_token=access-secret-1"), []string{"tr.url-token"}},
		"token to another host": {set(8, "https://mcp.example/mcp", "https://other.example/mcp"), nil},
		"code again":            {again(5), []string{"tr.code-twice"}},
		"refresh token again":   {again(7), []string{"tr.rt-twice"}},
		"expired":               {again(6), []string{"tr.expired-use"}},
		"plain http":            {set(5, "https://as.example/token", "http://as.example/token"), []string{"tr.http"}},
		"first token elsewhere": {func(es []map[string]any) []map[string]any {
			return set(9, "https://mcp.example/mcp", "https://other.example/mcp")(again(6)(es))
		}, []string{"tr.expired-use", "tr.host-leak"}},
		"scope not asked for":    {set(3, "scope=user", "scope=other"), []string{"tr.scope"}},
		"cookie at the metadata": {set(2, `"headers":[`, `"headers":[{"name":"Cookie","value":"sid=secret-cookie"},`), []string{"tr.cookies"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := ParseHAR(har(t, c.change), []byte("key"))
			if err != nil {
				t.Fatal(err)
			}
			r := Judge(&e, Select(Options{Recording: true}))
			var got []string
			for _, f := range r.Findings() {
				if f.Check != "tr.secrets" && !slices.Contains(got, f.Check) && strings.HasPrefix(f.Check, "tr.") {
					got = append(got, f.Check)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v: %+v", got, c.want, r.Findings())
			}
			if e.Target != "https://mcp.example/mcp" {
				t.Errorf("the target is %q", e.Target)
			}
		})
	}
}

// No usable secret is left in the evidence, in any spelling, and equal values stay
// equal.
func TestHARIsRedacted(t *testing.T) {
	e, err := ParseHAR(har(t, func(es []map[string]any) []map[string]any {
		es = set(6, "https://mcp.example/mcp", "https://mcp.example/mcp/access-secret-1")(es)
		return set(2, `"headers":[`, `"headers":[{"name":"Cookie","value":"sid=secret-cookie"},`)(es)
	}), []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := MarshalEvidence(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range e.Exchanges {
		b = append(b, x.Request.Body...)
		if x.Response != nil {
			b = append(b, x.Response.Body...)
		}
	}
	for _, secret := range []string{"access-secret", "refresh-secret", "code-secret", "dBjftJeZ4CVP", "state-0123456789", "secret-cookie"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%s is in the evidence", secret)
		}
	}
	if e.Live == 0 {
		t.Error("no live value was counted")
	}
}

func TestHARRefused(t *testing.T) {
	for _, bad := range []string{"", "[]", "{}", `{"log":{"version":"2.0","entries":[{}]}}`, `{"log":{"entries":[]}}`, "\x00"} {
		if _, err := ParseHAR([]byte(bad), nil); err == nil {
			t.Errorf("%q is taken for a HAR file", bad)
		}
	}
}

// Traces of well-behaved runs give no finding about the client, and in traces of bad
// peers the findings name the peer.
func TestTraces(t *testing.T) {
	want := map[string][]string{"issuer-mismatch": {"tr.iss"}, "resource-mismatch": {"prm.match"}, "legacy": {"prm.served", "ch.resource-metadata"}}
	files, err := filepath.Glob("../../testdata/traces/*.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatal("no traces", err)
	}
	for _, name := range files {
		short := strings.TrimSuffix(filepath.Base(name), ".ndjson")
		t.Run(short, func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tr, err := trace.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			e, err := FromTraceFile(tr)
			if err != nil {
				t.Fatal(err)
			}
			r := Judge(&e, Select(Options{Recording: true}))
			var got []string
			for _, f := range r.Findings() {
				if f.Severity.Rank() >= Medium.Rank() || f.Layer == Client {
					got = append(got, f.Check)
				}
			}
			slices.Sort(got)
			expect := slices.Sorted(slices.Values(want[short]))
			if !slices.Equal(slices.Compact(got), expect) {
				t.Errorf("found %v, want %v: %+v", got, expect, r.Findings())
			}
		})
	}
}

func FuzzParseHAR(f *testing.F) {
	f.Add([]byte(`{"log":{"version":"1.2","entries":[{"request":{"method":"GET","url":"https://h/","headers":[]},"response":{"status":200}}]}}`))
	f.Add([]byte(`{"log":{"entries":[{"request":{"url":"%","postData":{"params":[{"name":"code","value":"x"}]}},"response":{"status":-1,"content":{"encoding":"base64","text":"!"}}}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseHAR(b, []byte("key"))
		if err != nil {
			return
		}
		kept, err := MarshalEvidence(e)
		if err != nil {
			return // text that is not UTF-8
		}
		if _, err := ParseEvidence(kept); err != nil {
			t.Fatal(err)
		}
		Judge(&e, Select(Options{Recording: true}))
	})
}

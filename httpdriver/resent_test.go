package httpdriver_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestRefusedAnswersAreClosed: an answer that is not the caller's is closed. If the request is
// sent again, the answer is read before that, so that its connection can be used again.
func TestRefusedAnswersAreClosed(t *testing.T) {
	refused := refusal().Header
	nonce := http.Header{"Www-Authenticate": {`DPoP error="use_dpop_nonce"`}, "Dpop-Nonce": {"another"}}
	for name, c := range map[string]struct {
		world  func(setup)
		user   httpdriver.UserAgent
		header http.Header
		again  bool
	}{
		"sent again with a token":     {func(setup) {}, follow, refused, true},
		"sent again with a nonce":     {binding(states.RequireBinding, peer.DPoPRequired), follow, nonce, true},
		"the user has denied a login": {func(setup) {}, refuse, refused, false},
	} {
		w := newWorld(t, c.world)
		d := w.driver(t, func(o *httpdriver.Options) { o.Host = c.user })
		if c.header["Dpop-Nonce"] != nil {
			w.call(t, w.client(t, d))
		}
		sent, closed, text := 0, 0, strings.NewReader("refused")
		rt, err := d.Transport(w.account(), roundTrip(func(*http.Request) (*http.Response, error) {
			resp := httptest.NewRecorder().Result()
			if sent++; sent == 1 {
				resp = refusal()
				resp.Header, resp.Body = c.header, counts{text, &closed}
			}
			return resp, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Server, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if (err == nil) != c.again || closed != 1 || c.again && text.Len() > 0 {
			t.Errorf("%s: %v; closed %d times, %d bytes were not read", name, err, closed, text.Len())
		}
	}
}

// TestBodyOfARefusedSending: a transport whose server refuses a request early closes the body
// before it has read all of it. What is left goes out when the request is sent again.
func TestBodyOfARefusedSending(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	var got []string
	rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
		defer func() { _ = r.Body.Close() }()
		resp := httptest.NewRecorder().Result()
		b := make([]byte, 4)
		_, err := io.ReadFull(r.Body, b)
		if len(got) == 0 {
			resp = refusal()
			resp.Header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		} else if err == nil {
			var rest []byte
			rest, err = io.ReadAll(r.Body)
			b = append(b, rest...)
		}
		if err != nil {
			t.Error(err)
		}
		got = append(got, string(b))
		return resp, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	body, write := io.Pipe() // gives nothing once it is closed
	go func() {
		for _, part := range []string{"one ", "two ", "three"} {
			_, _ = io.WriteString(write, part)
		}
		_ = write.Close()
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if strings.Join(got, ",") != "one ,one two three" {
		t.Errorf("sent %q", got)
	}
}

// TestAnswersThatAreTheCallers: a 403 that no authorization would change, and an error of the
// connection, are the caller's; nobody logs in or refreshes for them.
func TestAnswersThatAreTheCallers(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	answersOfTheCaller(t, w, d) // without a token
	w.call(t, w.client(t, d))
	w.Tap.reset()
	answersOfTheCaller(t, w, d)
}

func answersOfTheCaller(t *testing.T, w *world, d *httpdriver.Driver) {
	t.Helper()
	broken := errors.New("the connection is broken")
	for name, c := range map[string]struct {
		header string
		err    error
	}{
		"a bare Bearer":  {`Bearer realm="mcp"`, nil},
		"another error":  {`Bearer error="invalid_request"`, nil},
		"another scheme": {`Basic realm="mcp"`, nil},
		"no connection":  {"", broken},
	} {
		sent := 0
		rt, err := d.Transport(w.account(), roundTrip(func(*http.Request) (*http.Response, error) {
			if sent++; c.err != nil {
				return nil, c.err
			}
			rec := httptest.NewRecorder()
			rec.Header().Set("WWW-Authenticate", c.header)
			rec.WriteHeader(http.StatusForbidden)
			return rec.Result(), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Server, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if sent != 1 || !errors.Is(err, c.err) || c.err == nil && resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: sent %d times, %v %v", name, sent, resp, err)
		}
	}
	w.exactly(t, 0)
}

// TestRefusalAfterTheLogout: a transport that asks the Handler about a refusal of a token that
// was removed meanwhile logs in.
func TestRefusalAfterTheLogout(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	old, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	h, err := d.Handler(w.account())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+old.AccessToken)
	if err := h.Authorize(t.Context(), req, refusal()); err != nil || w.Tap.grants("authorization_code") != 2 {
		t.Errorf("%v, %d logins", err, w.Tap.grants("authorization_code"))
	}
}

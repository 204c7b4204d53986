package httpdriver_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestBackToTheFirstVisit: a login asks the authorization server twice. Users who come back to the
// first visit when the login is over are told so, as those who come back to the second.
func TestBackToTheFirstVisit(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		late, visits := make(chan httpdriver.Answer, 8), 0
		h := &returning{w.options.Host, func(raw string, back func(string) httpdriver.Answer) {
			if visits++; visits == 1 {
				u, err := url.Parse(raw)
				if err != nil {
					t.Error(err)
					return
				}
				u.RawQuery = url.Values{"error": {"invalid_scope"}, "state": {u.Query().Get("state")}, "iss": {w.ASURL}}.Encode()
				raw = u.String()
			}
			back(raw)
			time.AfterFunc(time.Minute, func() { late <- back(raw) })
		}}
		d := w.driver(t, func(o *httpdriver.Options) { o.Host, o.Policy.Scopes = h, []string{"admin"} })
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if visits != 2 || len(late) != 2 {
			t.Fatalf("%d visits, %d answers", visits, len(late))
		}
		for range 2 {
			if a := <-late; a.OK || a.Title != "This login is over" {
				t.Errorf("%+v", a)
			}
		}
	})
}

// TestQuestionsThatNobodyAnswers: where the host is to be asked and answers no questions, the
// default is taken, and that is no failure of the host.
func TestQuestionsThatNobodyAnswers(t *testing.T) {
	w := newWorld(t)
	var log page
	w.call(t, w.client(t, w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Asks = []states.Question{states.AskResource, states.AskScopes}
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})))
	if strings.Contains(log.String(), "did not answer") {
		t.Error(log.String())
	}
}

// TestCodeWithoutACompleteAddress: an issuer gives no address that holds the code. The user of a
// host that never blocks gets the address where the code is entered.
func TestCodeWithoutACompleteAddress(t *testing.T) {
	complete := regexp.MustCompile(`"verification_uri_complete":"[^"]*",?`)
	w := newWorld(t, func(s setup) {
		s.Wrap["as"] = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rec := httptest.NewRecorder()
				next.ServeHTTP(rec, r)
				for name, values := range rec.Header() {
					if name != "Content-Length" {
						rw.Header()[name] = values
					}
				}
				rw.WriteHeader(rec.Code)
				_, _ = rw.Write(bytes.Replace(complete.ReplaceAll(rec.Body.Bytes(), nil), []byte(",}"), []byte("}"), 1))
			})
		}
	})
	d := w.driver(t, web, func(o *httpdriver.Options) { o.Policy.Grant = states.DeviceGrant })
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	need, ok := errors.AsType[*httpdriver.LoginRequiredError](err)
	if !ok || need.Code == "" || need.URL != w.ASURL+"/device" {
		t.Errorf("%+v: %v", need, err)
	}
}

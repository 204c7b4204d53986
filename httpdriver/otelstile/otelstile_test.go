package otelstile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/otelstile"
)

// A login, a refresh and a failure, as OpenTelemetry's own SDK receives them.
func TestObserver(t *testing.T) {
	as, rs := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	issuer, resource := "http://"+as.Listener.Addr().String(), "http://"+rs.Listener.Addr().String()+"/mcp"
	c := devas.DefaultAS(issuer)
	c.AutoConsent = true
	a, err := devas.NewAS(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := devas.NewRS(devas.RSConfig{Resource: resource, Issuers: []string{issuer}, Verifier: a.Verifier(), Scopes: []string{"user"}})
	if err != nil {
		t.Fatal(err)
	}
	as.Config.Handler, rs.Config.Handler = a, r
	as.Start()
	rs.Start()
	defer as.Close()
	defer rs.Close()

	spans, reader := tracetest.NewSpanRecorder(), metric.NewManualReader()
	o, err := otelstile.New(otelstile.Options{
		Tracer: trace.NewTracerProvider(trace.WithSpanProcessor(spans)), Meter: metric.NewMeterProvider(metric.WithReader(reader)),
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	deny := false
	var secrets []string
	d, err := httpdriver.New(httpdriver.Options{
		Observe: o.Observe, Clock: func() time.Time { return now },
		Host: httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			if deny {
				return v.RedirectURI + "?error=access_denied&state=none", context.Canceled
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
			if err != nil {
				return "", err
			}
			resp, err := (&http.Transport{}).RoundTrip(req)
			if err != nil {
				return "", err
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			_, query, _ := strings.Cut(resp.Header.Get("Location"), "?")
			for pair := range strings.SplitSeq(query, "&") {
				if _, v, _ := strings.Cut(pair, "="); len(v) > 20 && !strings.Contains(v, "http") {
					secrets = append(secrets, v)
				}
			}
			return resp.Header.Get("Location"), nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	account := httpdriver.Account{Server: resource}
	if err := d.Login(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	tok, err := d.Token(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, tok.AccessToken)
	now = tok.Expiry.Add(time.Minute)
	if tok, err = d.Token(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, tok.AccessToken)
	deny = true
	if err := d.Login(t.Context(), account, "more"); err == nil {
		t.Error("a login succeeded without its user")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	runs, exchanges, failed := 0, 0, 0
	var names []string
	for _, s := range spans.Ended() {
		names = append(names, s.Name())
		switch {
		case s.Name() == "stile.run":
			runs++
			if s.Status().Description != "" {
				failed++
			}
		case !s.Parent().IsValid():
			t.Errorf("%s has no parent", s.Name())
		default:
			exchanges++
		}
	}
	if len(spans.Started()) != len(spans.Ended()) || runs < 3 || failed != 1 || exchanges < 5 || !slices.Contains(names, "POST") {
		t.Errorf("%d spans started, %v ended, %d of them failed", len(spans.Started()), names, failed)
	}
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &metrics); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				counts[m.Name] += p.Value
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				counts[m.Name] += int64(p.Count) //nolint:gosec // small
			}
		}
	}
	if counts["stile.logins"] != 1 || counts["stile.refreshes"] != 1 || counts["stile.failures"] != 1 || counts["stile.user.wait"] != 1 || counts["http.client.request.duration"] != int64(exchanges) {
		t.Errorf("%v, %d exchanges", counts, exchanges)
	}
	text := fmt.Sprintf("%+v", tracetest.SpanStubsFromReadOnlySpans(spans.Ended()))
	if b, err := json.Marshal(metrics); err == nil {
		text += string(b)
	}
	if len(secrets) < 4 {
		t.Errorf("%d secrets were seen", len(secrets))
	}
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("a secret of %d bytes is told", len(s))
		}
	}
}

package attack_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// follow is the user: they agree to everything, and wait in front of a page that
// leads nowhere.
func (s *scene) follow(ctx context.Context, v httpdriver.Visit) (string, error) {
	c := &http.Client{
		Transport:     &http.Transport{DialContext: s.net.dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-User", "1")
	resp, err := c.Do(req)
	if err == nil {
		_ = resp.Body.Close()
		if to := resp.Header.Get("Location"); to != "" {
			return to, nil
		}
	}
	<-ctx.Done()
	return "", ctx.Err()
}

// post makes one request. A caller has ten minutes of patience.
func (s *scene) post(body string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode)
	}
	return nil
}

// statusError is a refusal that reached the caller as it came.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// must is post for what cannot fail.
func (s *scene) must(body string) {
	s.t.Helper()
	if err := s.post(body); err != nil {
		s.t.Fatalf("in an honest world: %v", err)
	}
}

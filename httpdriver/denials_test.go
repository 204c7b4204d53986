package httpdriver_test

import (
	"context"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestDenialWithATokenThatEnds: a user denies more scopes when the token that was held has expired
// and cannot be renewed. They are not asked again at once for a login either.
func TestDenialWithATokenThatEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		agree, asked := w.options.Host.(httpdriver.UserAgent), 0
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if asked++; asked == 1 {
					return agree(ctx, v)
				}
				time.Sleep(time.Minute)
				return refuse(ctx, v)
			})
		}))
		w.call(t, c)
		time.Sleep(time.Hour - 20*time.Second)
		for _, body := range []string{admin, ping} {
			if status, _, err := w.post(t.Context(), c, body); err == nil {
				t.Errorf("status %d", status)
			}
		}
		if asked != 2 {
			t.Errorf("the user was asked %d times", asked)
		}
	}, func(s setup) { s.AS.NoRefresh = true })
}

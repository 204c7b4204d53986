package guard_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/guard"
)

// TestTimeRunsWithAConnection: exchanges that wait for one of few connections are
// not timed meanwhile, and are not in doubt; one whose absolute end comes first ends
// unsent.
func TestTimeRunsWithAConnection(t *testing.T) {
	const each, timeout = 100 * time.Millisecond, 300 * time.Millisecond
	arrived, leave := make(chan struct{}, 1), make(chan struct{})
	s, tr := server(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			arrived <- struct{}{}
			<-leave
			return
		}
		time.Sleep(each) // a slow server
	})
	tr.MaxConnsPerHost = 1 // of HTTP/1.1, where a connection carries one exchange
	tr.ForceAttemptHTTP2, tr.TLSNextProto, tr.TLSClientConfig.NextProtos = false, map[string]func(string, *tls.Conn) http.RoundTripper{}, nil
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	var wg sync.WaitGroup
	for range 8 { // the last waits for 0.7 s
		wg.Go(func() {
			c := post(s.URL)
			c.Timeout = timeout
			if resp, f := g.Do(context.Background(), c); f != nil || resp.Status != 200 {
				t.Errorf("%d %v", resp.Status, f)
			}
		})
	}
	wg.Wait()

	wg.Go(func() { _, _ = g.Do(context.Background(), post(s.URL+"/held")) })
	<-arrived
	c := post(s.URL)
	c.Until = time.Now().Add(each / 4)
	if _, f := g.Do(context.Background(), c); f == nil || f.Class != guard.ClassTimeout || f.Sent {
		t.Errorf("%+v", f)
	}
	close(leave)
	wg.Wait()
}

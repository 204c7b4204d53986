package auditor_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// A server whose answers do not end costs an audit of every kind no more memory than
// one whose answers are long.
func TestEndlessBodies(t *testing.T) {
	piece := []byte(strings.Repeat(`"a":"b",`, 4<<10))
	for name, ctype := range map[string]string{"documents": "application/json", "streams": "text/event-stream", "pages": "text/html"} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", ctype)
				if r.Method == http.MethodPost {
					w.WriteHeader(http.StatusUnauthorized)
				}
				_, err := w.Write([]byte("{"))
				for err == nil && r.Context().Err() == nil {
					_, err = w.Write(piece)
				}
			}))
			defer s.Close()
			g, err := guard.New(guard.Options{AllowLoopbackHTTP: true})
			if err != nil {
				t.Fatal(err)
			}
			defer g.CloseIdleConnections()
			before := heap()
			checks := audit.Select(audit.Options{Active: true})
			e, err := auditor.Run(t.Context(), s.URL+"/mcp", checks, auditor.Options{Guard: g, Budget: auditor.BudgetActive,
				Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
			if err != nil {
				t.Fatal(err)
			}
			r := audit.Judge(&e, checks)
			grown, held := heap()-before, 0
			for _, x := range e.Exchanges {
				if x.Response != nil {
					held += len(x.Response.Body)
				}
			}
			t.Logf("%d exchanges, %d KiB of bodies, %d KiB of heap", len(e.Exchanges), held>>10, grown>>10)
			// 16 MiB, and 65 KiB of each further answer, in slices that grow by a quarter at most.
			if most := 16<<20 + auditor.BudgetActive*65<<10; held > most || grown > int64(2*most) {
				t.Errorf("%d bytes of bodies are kept, and the heap has grown by %d", held, grown)
			}
			runtime.KeepAlive(r)
			runtime.KeepAlive(&e)
		})
	}
}

// heap is what lives after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkPassive audits the development servers over loopback, without a login, and
// judges what they answer.
func BenchmarkPassive(b *testing.B) {
	resource := development(b)
	g, err := guard.New(guard.Options{AllowLoopbackHTTP: true})
	if err != nil {
		b.Fatal(err)
	}
	defer g.CloseIdleConnections()
	checks := audit.Select(audit.Options{})
	exchanges := 0
	b.ReportAllocs()
	for b.Loop() {
		e, err := auditor.Run(b.Context(), resource, checks, auditor.Options{Guard: g})
		if err != nil {
			b.Fatal(err)
		}
		exchanges = len(e.Exchanges)
		audit.Judge(&e, checks)
	}
	b.ReportMetric(float64(exchanges), "exchanges/op")
}

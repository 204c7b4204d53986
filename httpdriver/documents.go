package httpdriver

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// documents are the metadata documents that logins of this process fetch. Those that
// fetch one at the same time share one request; later ones use its answer as long as
// the server allows it to be kept (Cache-Control), and those that began before the
// answer came in any case: it is as new as one that they would have fetched. A login
// that replaces a token which was refused asks anew: something has changed. Nothing is
// shared between tenants.
type documents struct {
	mu  sync.Mutex
	all map[string]*document
}

type document struct {
	done  chan struct{} // closed when the answer is there
	in    states.Input  // nil: who fetched it gave up
	came  time.Time
	until time.Time // for logins that begin later
}

const (
	// keptMost bounds how long a document is kept, whatever its server allows.
	keptMost = time.Hour
	// maxDocuments bounds how many are kept.
	maxDocuments = 1024
)

// documentKey says which answers are the same for whom; "" says that this is none to
// share.
func documentKey(tenant string, q states.Send) string {
	if q.Request.Method != "GET" || q.Request.Body != nil || q.Request.Form != nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(strconv.Quote(tenant) + " " + strconv.FormatBool(q.Loopback) + " " + q.Request.URL)
	for _, h := range q.Request.Header {
		if h.Secret {
			return ""
		}
		b.WriteString("\n" + h.Name + ": " + h.Value)
	}
	return b.String()
}

// fetch gives the answer to a request for a metadata document, for a login that began
// at a time, and may use what was kept; send carries it out where nobody has.
func (d *documents) fetch(ctx context.Context, key string, began time.Time, kept bool, q states.Send, send func() states.Input) states.Input {
	for {
		d.mu.Lock()
		doc := d.all[key]
		if doc == nil || !doc.serves(began, kept) {
			doc = &document{done: make(chan struct{})}
			d.put(key, doc)
			d.mu.Unlock()
			in := send()
			d.answer(key, doc, in, ctx.Err() == nil)
			return in
		}
		d.mu.Unlock()
		select {
		case <-doc.done:
		case <-ctx.Done():
			return states.Unreachable{Serial: q.Serial, Class: states.Unsent, Detail: "the caller gave up waiting"}
		}
		switch in := doc.in.(type) {
		case states.Responded:
			in.Serial = q.Serial
			return in
		case states.Unreachable:
			in.Serial = q.Serial
			return in
		}
		// Who fetched it gave up: the next one fetches it.
	}
}

// serves reports whether a login that began at a time may use the answer, or wait for
// it.
func (d *document) serves(began time.Time, kept bool) bool {
	select {
	case <-d.done:
		return began.Before(d.came) || kept && time.Now().Before(d.until)
	default:
		return true
	}
}

// put keeps a document; mu is held. Old ones make room.
func (d *documents) put(key string, doc *document) {
	if d.all == nil {
		d.all = map[string]*document{}
	}
	if len(d.all) >= maxDocuments {
		old := time.Now().Add(-defaultLoginTime)
		for k, x := range d.all {
			select {
			case <-x.done:
				if len(d.all) >= 2*maxDocuments || x.came.Before(old) && time.Now().After(x.until) {
					delete(d.all, k)
				}
			default:
			}
		}
	}
	d.all[key] = doc
}

func (d *documents) answer(key string, doc *document, in states.Input, waited bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if doc.came = time.Now(); waited {
		doc.in = in
	}
	resp, ok := in.(states.Responded)
	if !ok || resp.Response.Status != 200 {
		if d.all[key] == doc {
			delete(d.all, key) // a failure is shared with those who wait for it only
		}
	} else {
		doc.until = doc.came.Add(freshFor(resp.Response.Header))
	}
	close(doc.done)
}

// forget drops what a login that failed had used.
func (d *documents) forget(keys []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range keys {
		delete(d.all, k)
	}
}

// freshFor is for how long a server allows an answer to be kept (RFC 9111 §4.2.1,
// §5.2.2). What says nothing is not kept.
func freshFor(h wire.Fields) time.Duration {
	var fresh time.Duration
	for _, v := range h.Header("Cache-Control") {
		for _, part := range strings.Split(v, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache", "private":
				return 0
			case "max-age":
				if s, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
					fresh = time.Duration(s) * time.Second
				}
			}
		}
	}
	for _, v := range h.Header("Age") {
		if s, err := strconv.ParseUint(strings.TrimSpace(v), 10, 31); err == nil {
			fresh -= time.Duration(s) * time.Second
		}
	}
	return min(max(fresh, 0), keptMost)
}

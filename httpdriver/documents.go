package httpdriver

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// documents are the metadata documents that logins of this process fetch. Logins that
// fetch a document at the same time share one request. Later logins use the answer as
// long as the server allows it to be kept (Cache-Control). Logins that began before the
// answer came always use it, because it is as new as one that they would have fetched.
// A login that replaces a refused token fetches the document again, because something
// has changed. Tenants share nothing.
type documents struct {
	mu  sync.Mutex
	all map[docKey]*document
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

// docKey identifies the requests that can share an answer.
type docKey struct {
	tenant, url, header string
	loopback            bool
}

// documentKey gives the key of a request for metadata: a GET that holds no secret.
func documentKey(tenant string, q states.Send) docKey {
	k := docKey{tenant: tenant, url: q.Request.URL, loopback: q.Loopback}
	for _, h := range q.Request.Header {
		k.header += h.Name + ": " + h.Value + "\n"
	}
	return k
}

// fetch gives the answer to a request for a metadata document. The login began at one
// time, waits at most until another, and may use what was kept. send carries the request
// out if no other login has.
func (d *documents) fetch(ctx context.Context, key docKey, began, until time.Time, kept bool, q states.Send, send func() states.Input) states.Input {
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
		case <-time.After(time.Until(until)):
			return states.Unreachable{
				Serial: q.Serial, Class: states.Unsent, Rule: rules.NetTimeout,
				Detail: hostOf(q.Request.URL) + ", which another login asked, did not answer within the time allowed",
			}
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
		default: // other cases need nothing here
		}
		// The login that fetched it gave up: the next one fetches it.
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

// put keeps a document; mu is held. If there are too many documents, it drops an
// arbitrary half of them; they are fetched again when they are needed.
func (d *documents) put(key docKey, doc *document) {
	if d.all == nil {
		d.all = map[docKey]*document{}
	}
	if len(d.all) >= maxDocuments {
		for k, x := range d.all {
			select {
			case <-x.done:
				delete(d.all, k)
			default: // somebody waits for it
			}
			if len(d.all) <= maxDocuments/2 {
				break
			}
		}
	}
	d.all[key] = doc
}

func (d *documents) answer(key docKey, doc *document, in states.Input, waited bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if doc.came = time.Now(); waited {
		doc.in = in
	}
	resp, _ := in.(states.Responded) // another input has no status
	if resp.Response.Status != 200 {
		if d.all[key] == doc {
			delete(d.all, key) // a failure is shared with those who wait for it only
		}
	} else {
		doc.until = doc.came.Add(freshFor(resp.Response.Header))
	}
	close(doc.done)
}

// forget drops the documents that a failed login used.
func (d *documents) forget(keys []docKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range keys {
		delete(d.all, k)
	}
}

// freshFor is how long a server allows an answer to be kept (RFC 9111 §4.2.1,
// §5.2.2). An answer that says nothing about that is not kept.
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
		s, _ := strconv.ParseUint(strings.TrimSpace(v), 10, 31) // 0 if it is no number, the most if it is too large (§1.2.2)
		fresh -= time.Duration(s) * time.Second
	}
	return min(max(fresh, 0), keptMost)
}

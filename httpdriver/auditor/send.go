package auditor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// judge decides whether to wait for a host that asks for it, and whether a host in
// trouble is asked again.
func (r *run) judge(ctx context.Context, host string, x *audit.Exchange, try int) (again bool, err error) {
	if x.Response == nil {
		return false, nil
	}
	status := x.Response.Status
	if status < 500 {
		r.trouble[host] = 0
	} else if r.trouble[host]++; r.trouble[host] >= inTrouble {
		r.stopped[host] = fmt.Sprintf("not asked: %d answers of 5xx in a row", inTrouble)
	}
	if status != 429 && status != 503 {
		return false, nil
	}
	after, ok := wire.RetryAfter(*x.Response, r.Now())
	if !ok || try > 0 || r.sent >= r.Budget {
		return false, nil
	}
	if after > patience {
		r.stopped[host] = "not asked: the server asked to be left alone for " + after.Round(time.Second).String()
		return false, nil
	}
	return true, r.Wait(ctx, after)
}

// send makes one exchange and fills in the answer.
func (r *run) send(ctx context.Context, x *audit.Exchange) {
	x.Response, x.Failure, x.TLS = nil, "", nil
	if changesLeft(x.Leg) && x.Request.Method == http.MethodPost {
		// An answer that is not read may be a registration or a grant that nobody can
		// remove, so only the client's timeout bounds it.
		ctx = context.WithoutCancel(ctx)
	}
	body, ctype := io.Reader(nil), ""
	switch {
	case len(x.Request.Form) > 0:
		body, ctype = strings.NewReader(wire.EncodeForm(x.Request.Form)), "application/x-www-form-urlencoded"
	case len(x.Request.Body) > 0:
		body = bytes.NewReader(x.Request.Body)
	}
	req, err := http.NewRequestWithContext(ctx, x.Request.Method, x.Request.URL, body)
	if err != nil {
		x.Failure = "no request can be made of it"
		return
	}
	for _, f := range x.Request.Header {
		if strings.EqualFold(f.Name, "Host") {
			req.Host = f.Value
			continue
		}
		req.Header.Add(f.Name, f.Value)
	}
	if ctype != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", ctype)
	}
	req.Header.Set("User-Agent", r.UserAgent)
	from := r.Now()
	resp, err := r.client.Do(req)
	if err != nil {
		x.Failure = failure(err)
		return
	}
	defer resp.Body.Close()
	out := &wire.Response{Status: resp.StatusCode}
	for name, values := range resp.Header {
		for _, v := range values {
			if strings.EqualFold(name, "Set-Cookie") || strings.EqualFold(name, "Set-Cookie2") {
				v = audit.BareCookie(v)
			}
			out.Header = append(out.Header, wire.Field{Name: name, Value: v})
		}
	}
	sortFields(out.Header)
	stream := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
	out.Body, out.Oversized = read(resp.Body, stream, r.room())
	r.held.Add(int64(len(out.Body)))
	x.Took, x.Clock, x.Response = r.Now().Sub(from), r.Now().UTC(), out
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		x.TLS = &audit.TLS{Version: tlsVersion(resp.TLS.Version), NotAfter: resp.TLS.PeerCertificates[0].NotAfter.UTC()}
	}
}

// room is how much of the next body is read: once an audit holds much, it looks at
// the beginning of further answers only.
func (r *run) room() int {
	return int(max(minBody, min(maxBody, maxHeld-r.held.Load())))
}

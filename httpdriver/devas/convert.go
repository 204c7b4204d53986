package devas

import (
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/stile-oauth/stile/states/wire"
)

// maxBody bounds what is read of a request to the authorization server.
const maxBody = 64 << 10

// passed are the header fields that the peers look at; all others stay here.
var passed = []string{"Authorization", "Content-Type", "Cookie", "Origin", "Sec-Fetch-Site", "MCP-Protocol-Version", "DPoP", "X-Forwarded-Host"}

// toWire reads a request into a value. The URL is the server's own origin with
// the request's path and query, byte for byte. The status is not 0 when the
// request cannot be taken.
func toWire(r *http.Request, origin string) (req wire.Request, status int) {
	req = wire.Request{Method: r.Method, URL: origin + r.URL.EscapedPath()}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		req.URL += "?" + r.URL.RawQuery
	}
	for _, name := range passed {
		for _, v := range r.Header.Values(name) {
			req.Header = append(req.Header, wire.Field{Name: name, Value: v, Secret: name == "Authorization" || name == "Cookie"})
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return req, http.StatusBadRequest
	}
	if len(body) > maxBody {
		return req, http.StatusRequestEntityTooLarge
	}
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t == "application/x-www-form-urlencoded" {
		form, ok := wire.DecodeForm(string(body))
		if !ok {
			return req, http.StatusBadRequest
		}
		req.Form = form
		return req, 0
	}
	req.Body = body
	return req, 0
}

// fromWire writes an answer.
func fromWire(w http.ResponseWriter, resp wire.Response) {
	h := w.Header()
	for _, f := range resp.Header {
		h.Add(f.Name, f.Value)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(resp.Body)))
	if resp.Status == http.StatusNoContent {
		h.Del("Content-Length")
	}
	w.WriteHeader(resp.Status)
	_, _ = w.Write(resp.Body) // if it fails, only the client loses
}

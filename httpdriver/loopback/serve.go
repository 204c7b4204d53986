package loopback

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// serve answers one request. Only a top-level GET of our path on our
// authority, with something of a callback in its query, becomes an offer.
func (r *Receiver) serve(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.handled.Add(1)
	r.mu.Unlock()
	defer r.handled.Done()

	header(w)
	switch {
	case !r.ourHost(q.Host):
		r.turnAway(w, http.StatusForbidden, rules.NetHostHeaderLoopback, "This address answers only to "+r.authority+".")
	case !strings.HasPrefix(q.RequestURI, "/") || q.URL.EscapedPath() != r.path:
		r.turnAway(w, http.StatusNotFound, rules.AuthzRespRedirectExact, "Nothing is here.")
	case q.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
	case q.Method != http.MethodGet:
		w.Header().Set("Allow", "GET, HEAD")
		r.turnAway(w, http.StatusMethodNotAllowed, rules.AuthzRespQueryMode, "The answer of a login comes by GET, in the query.")
	case isPrefetch(q.Header):
		// A refusal makes the browser ask again when the user goes there.
		r.turnAway(w, http.StatusServiceUnavailable, "", "This page cannot be loaded in advance.")
	case !isNavigation(q.Header, "http://"+r.authority):
		r.turnAway(w, http.StatusForbidden, rules.NetHostHeaderLoopback, "This address is opened by a browser's own navigation only.")
	case !looksLikeCallback(q):
		writePage(w, http.StatusBadRequest, Page{
			Title:   "No login answer here",
			Message: "This address waits for the answer of a login, and this request holds none.",
			Detail:  []string{"If your browser came here from the login page, its server did not put the answer in the query of the address."},
		})
	default:
		r.offer(w, q)
	}
}

// offer hands the callback to Wait and shows the page that comes back.
func (r *Receiver) offer(w http.ResponseWriter, q *http.Request) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		r.turnAway(w, http.StatusServiceUnavailable, "", "Too many answers are waiting. Go back and try again.")
		return
	}
	o := offer{raw: "http://" + r.authority + q.RequestURI, reply: make(chan Page, 1)}
	// Not bound to the request: the answer counts even if the tab is closed.
	select {
	case r.offers <- o:
	case <-r.done:
	}
	var p Page
	select {
	case p = <-o.reply:
	case <-r.done:
		select {
		case p = <-o.reply: // given just before Close
		default:
			p = Page{Title: "This login is over", Message: "The program that asked for it is no longer waiting. You can close this window."}
		}
	}
	status := http.StatusOK
	if !p.OK {
		status = http.StatusBadRequest
	}
	writePage(w, status, p)
}

func (r *Receiver) turnAway(w http.ResponseWriter, status int, rule rules.ID, text string) {
	r.log.Debug("loopback request turned away", slog.Int("status", status), slog.String("rule", string(rule)))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
	_ = http.NewResponseController(w).Flush()
}

// ourHost compares the Host header with the bound authority; the default port
// may be left out.
func (r *Receiver) ourHost(h string) bool {
	return strings.EqualFold(strings.TrimSuffix(h, ":80"), strings.TrimSuffix(r.authority, ":80"))
}

func isPrefetch(h http.Header) bool {
	for _, n := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		v := strings.ToLower(h.Get(n))
		if strings.Contains(v, "prefetch") || strings.Contains(v, "prerender") || v == "preview" {
			return true
		}
	}
	return false
}

// isNavigation turns away what a page elsewhere fetches or embeds. Programs
// that send no fetch metadata are taken for navigations unless they name
// another origin.
func isNavigation(h http.Header, own string) bool {
	if m := h.Get("Sec-Fetch-Mode"); m != "" {
		dest := h.Get("Sec-Fetch-Dest")
		return m == "navigate" && (dest == "" || dest == "document")
	}
	o := h.Get("Origin")
	return o == "" || o == "null" || o == own
}

func looksLikeCallback(q *http.Request) bool {
	v := q.URL.Query() // lenient: a malformed pair does not hide the others
	return v.Has("state") || v.Has("code") || v.Has("error")
}

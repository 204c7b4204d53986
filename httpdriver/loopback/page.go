package loopback

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
)

// Page is what the user sees when the browser comes back. Every part may hold
// text of a peer: all of it is escaped, none of it becomes markup or a link
// (authz-resp-error-escaped).
type Page struct {
	OK bool
	// Next, when set, is where the browser is sent in place of showing the page.
	Next           string
	Title, Message string
	// Detail are further lines, such as the error of the server and what to do.
	Detail []string
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// contentPolicy allows the page's own style and script and nothing else
// (authz-resp-page-clean).
var contentPolicy = "default-src 'none'; style-src " + hashOf(pageCSS) + "; script-src " + hashOf(pageJS) +
	"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// header sets what every answer carries: the address holds a code, so a browser
// may neither keep it nor tell it to anybody.
func header(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func writePage(w http.ResponseWriter, status int, p Page) {
	if p.Next != "" {
		w.Header().Set("Location", p.Next)
		w.WriteHeader(http.StatusSeeOther)
		_ = http.NewResponseController(w).Flush()
		return
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Page
		CSS template.CSS
		JS  template.JS
	}{p, template.CSS(pageCSS), template.JS(pageJS)})
	if err != nil { // the template is fixed and takes strings only
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	// Sent before the handler ends, because Close may follow at once.
	_ = http.NewResponseController(w).Flush()
}

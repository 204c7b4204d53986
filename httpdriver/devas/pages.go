package devas

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"strings"
	"unicode"

	"github.com/stile-oauth/stile/fsm/peer"
)

const style = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:30rem;margin:4rem auto;padding:0 1rem}
h1{font-size:1.3rem}label{display:block;margin:.8rem 0}
input{display:block;width:100%;box-sizing:border-box;padding:.5rem;font:inherit}
button{padding:.5rem 1.2rem;margin:1rem .5rem 0 0;font:inherit}
dt{opacity:.7;margin-top:.6rem}dd{margin:0;overflow-wrap:anywhere}
.note{border-left:4px solid #c60;padding-left:.8rem}.bad{color:#c22}
footer{margin-top:3rem;opacity:.7;font-size:.85rem}`

// pageCSP allows the style above and nothing else.
var pageCSP = func() string {
	sum := sha256.Sum256([]byte(style))
	return "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

var pages = template.Must(template.New("page").Funcs(template.FuncMap{"show": show}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{if eq .Kind "login"}}Log in{{else if eq .Kind "consent"}}Allow access?{{else if eq .Kind "device"}}Connect a device{{else if eq .Kind "done"}}Done{{else}}This did not work{{end}}</title>
<style>` + style + `</style></head><body>
{{if eq .Kind "login"}}<h1>Log in</h1>
{{with .Message}}<p class="bad" role="alert">{{.}}</p>{{end}}
<form method="post" action="{{.Action}}">
<input type="hidden" name="ticket" value="{{.Ticket}}"><input type="hidden" name="csrf" value="{{.CSRF}}">
<label>User name <input name="username" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button></form>
{{else if eq .Kind "consent"}}<h1>Allow access?</h1>
<p>You are logged in as <strong>{{show .User}}</strong>. An application asks for access in your name.</p>
<dl><dt>It calls itself</dt><dd><strong>{{if .ClientName}}{{show .ClientName}}{{else}}(no name){{end}}</strong></dd>
<dt>It is known by</dt><dd>{{if eq .ClientKind "document"}}the document at {{show .ClientID}}{{else if eq .ClientKind "configured"}}this server's configuration, as {{show .ClientID}}{{else}}its own registration, as {{show .ClientID}}{{end}}</dd>
<dt>The answer goes to</dt><dd>{{if .RedirectURI}}<strong>{{show .RedirectHost}}</strong> ({{show .RedirectURI}}){{else}}the device that showed you the code{{end}}</dd>
{{with .Resource}}<dt>It wants to use</dt><dd>{{show .}}</dd>{{end}}
<dt>With the scopes</dt><dd>{{range .Scopes}}<code>{{show .}}</code> {{else}}(none){{end}}</dd></dl>
{{if ne .ClientKind "configured"}}<p class="note">The name is what the application says of itself; nobody has checked it. Allow this only if you have just started it.</p>{{end}}
<form method="post" action="{{.Action}}">
<input type="hidden" name="ticket" value="{{.Ticket}}"><input type="hidden" name="csrf" value="{{.CSRF}}">
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>
{{else if eq .Kind "device"}}<h1>Connect a device</h1>
{{with .Message}}<p class="bad" role="alert">{{.}}</p>{{end}}
<p>Continue only if a device in front of you shows this code. Somebody who sends you a code wants to use your account.</p>
<form method="post" action="{{.Action}}">
<label>Code <input name="user_code" value="{{.UserCode}}" autocomplete="off" autocapitalize="characters" required autofocus></label>
<button>Continue</button></form>
{{else if eq .Kind "done"}}<h1>Done</h1><p role="status">{{.Message}}</p>
{{else}}<h1>This did not work</h1><p role="alert">{{.Message}}</p>
<p>Nothing was granted. You can close this page.</p>{{end}}
<footer>Development authorization server {{show .Issuer}}. Not for production: its password is published.</footer>
</body></html>
`))

// Render writes a page of the peer as HTML, everything escaped.
func Render(p peer.Page) []byte {
	var b bytes.Buffer
	if err := pages.Execute(&b, p); err != nil {
		return []byte("the page could not be made\n")
	}
	return b.Bytes()
}

// show makes untrusted text safe to display: without control characters and
// marks that turn the reading direction, and of bounded length. html/template
// escapes the rest.
func show(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "…"
	}
	return s
}

package peer

import (
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

const (
	interactionTTL  = 10 * time.Minute
	maxInteractions = 1000
	maxLoginTries   = 5
	loginWindow     = time.Minute
)

// Page is what the user is shown: login, consent or error. All texts may come
// from an untrusted client; the renderer has to escape them.
type Page struct {
	Kind    string // login, consent, device, done, error
	Status  int
	Message string
	Issuer  string
	// Action is where the form is posted, with Ticket and CSRF as fields.
	Action, Ticket, CSRF string
	User                 string
	// UserCode is the code of a device, as far as it is known.
	UserCode string
	// ClientName is what the client calls itself; ClientKind is how it is
	// known (configured, registered, document): what it says is not proven.
	ClientID, ClientName, ClientKind string
	RedirectURI, RedirectHost        string
	Resource                         string
	Scopes                           []string
}

// String is the page as plain text.
func (p Page) String() string {
	switch p.Kind {
	case "device":
		return p.Message + "\nEnter the code that your device shows, at " + p.Issuer + "\n"
	case "login":
		return p.Message + "\nLog in at " + p.Issuer + "\n"
	case "consent":
		return "Allow " + p.ClientName + " (" + p.ClientID + ") to use " + p.Resource + " as " + p.User + "?\nThe answer goes to " + p.RedirectHost + "\n"
	}
	return p.Message + "\n"
}

// page answers with a page: never framed, never cached, no third-party
// content, no referrer to anybody else (OAuth 2.1 §7.10, RFC 9700 §4.16, §4.2.4).
func (a *AS) page(p Page) *reply {
	p.Issuer = a.config.Issuer
	if p.Status == 0 {
		p.Status = 200
	}
	r := &reply{status: p.Status, ctype: "text/plain; charset=utf-8", body: []byte(p.String())}
	if a.config.Render != nil {
		r.ctype, r.body = "text/html; charset=utf-8", a.config.Render(p)
	}
	action := "'none'"
	if p.Kind != "error" {
		action = "'self'"
	}
	if p.Kind == "consent" && p.RedirectURI != "" {
		// Browsers apply form-action to the redirect after a form as well.
		origin, _, _ := split(p.RedirectURI)
		if strings.Contains(origin, "[") {
			origin = "http:" // a policy cannot name an IPv6 address
		}
		action += " " + origin
	}
	csp := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action " + action
	if a.config.PageCSP != "" {
		csp += "; " + a.config.PageCSP
	}
	r.set("Content-Security-Policy", csp)
	r.set("X-Frame-Options", "DENY")
	r.set("X-Content-Type-Options", "nosniff")
	// same-origin, not no-referrer: with the latter a browser posts forms with
	// Origin: null, and the Origin could not be checked.
	r.set("Referrer-Policy", "same-origin")
	noStore(r)
	return r
}

// failure is a page that ends the login, with the rule that the request broke.
func (a *AS) failure(status int, rule rules.ID, says string) *reply {
	r := a.page(Page{Kind: "error", Status: status, Message: says})
	r.rule, r.detail = rule, says
	return r
}

// cookieName differs by issuer: cookies are shared by all ports of a host. Over
// https no other host can set it (as-consent-cookie).
func (a *AS) cookieName() string {
	name := "stile_as_" + hash(a.config.Issuer)[:8]
	if strings.HasPrefix(a.config.Issuer, "https://") {
		return "__Host-" + name
	}
	return name
}

func (a *AS) cookie(req wire.Request) string {
	for _, h := range req.Header.Header("Cookie") {
		for part := range strings.SplitSeq(h, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(part), a.cookieName()+"="); ok {
				return v
			}
		}
	}
	return ""
}

func (a *AS) setCookie(r *reply, v string) {
	_, path, _ := split(a.config.base())
	secure := ""
	if strings.HasPrefix(a.config.Issuer, "https://") {
		path, secure = "/", "; Secure" // the prefix in the name requires it
	}
	if path == "" {
		path = "/"
	}
	r.header = append(r.header, wire.Field{
		Name: "Set-Cookie", Secret: true,
		Value: a.cookieName() + "=" + v + "; Path=" + path + "; Max-Age=600; HttpOnly; SameSite=Lax" + secure,
	})
}

// begin parks the request, binds it to this browser by a fresh cookie and
// sends the user to the login page.
func (a *AS) begin(c call, i interaction) *reply {
	a.state.prune(c.at)
	if len(a.state.Interactions) >= maxInteractions {
		a.state.sweep(c.at)
	}
	if len(a.state.Interactions) >= maxInteractions {
		r := a.failure(429, rules.ASAuthorizeNoBadRedirect, "Too many logins are in progress. Try again in some minutes.")
		r.set("Retry-After", "60")
		return r
	}
	ticket := a.draw("ticket")
	i.Hash = hash(ticket)
	browser := a.cookie(c.req)
	r := &reply{status: 303, location: a.config.base() + "/login?ticket=" + ticket}
	if len(browser) != 43 {
		browser = a.draw("browser")
	}
	a.setCookie(r, browser)
	i.Browser = hash(browser)
	a.state.Interactions = append(a.state.Interactions, i)
	noStore(r)
	r.set("Referrer-Policy", "no-referrer")
	return r
}

// csrf is the token of one form: it cannot be had without the cookie.
func (a *AS) csrf(browser, ticket, form string) string {
	return hash(string(a.config.Seed) + "\x00csrf\x00" + browser + "\x00" + ticket + "\x00" + form)
}

// waiting finds the interaction of a ticket, in this browser only.
func (a *AS) waiting(c call, ticket string) *interaction {
	browser := a.cookie(c.req)
	for n := range a.state.Interactions {
		i := &a.state.Interactions[n]
		if same(i.Hash, hash(ticket)) && browser != "" && same(i.Browser, hash(browser)) && c.at.Before(i.Expires) {
			return i
		}
	}
	return nil
}

const lostLogin = "This login is not known to this browser, has been used, or took too long. Start it again from your application."

// foreignForm refuses a form that another site sent.
func (a *AS) foreignForm(c call) *reply {
	origin, _, _ := split(a.config.Issuer)
	for _, o := range c.req.Header.Header("Origin") {
		if o != origin {
			return a.failure(403, rules.ASConsentCSRF, "The form was sent by another site.")
		}
	}
	for _, s := range c.req.Header.Header("Sec-Fetch-Site") {
		if s != "same-origin" {
			return a.failure(403, rules.ASConsentCSRF, "The form was sent by another site.")
		}
	}
	if repeated(c.req.Form) != "" {
		return a.failure(400, rules.ASAuthorizeRepeatRefused, "A field of the form is repeated.")
	}
	return nil
}

// posted reads a form and checks that our own page in this browser sent it:
// Origin, Sec-Fetch-Site, the cookie and the form's token.
func (a *AS) posted(c call, form string) (*interaction, *reply) {
	if refused := a.foreignForm(c); refused != nil {
		return nil, refused
	}
	ticket := value(c.req.Form, "ticket")
	i := a.waiting(c, ticket)
	if i == nil {
		return nil, a.failure(400, rules.ASConsentSessionBound, lostLogin)
	}
	if !same(value(c.req.Form, "csrf"), a.csrf(a.cookie(c.req), ticket, form)) {
		return nil, a.failure(403, rules.ASConsentCSRF, "The form was not sent by this page.")
	}
	return i, nil
}

func (a *AS) loginPage(c call) *reply {
	ticket := value(c.query, "ticket")
	if a.waiting(c, ticket) == nil {
		return a.failure(400, rules.ASConsentSessionBound, lostLogin)
	}
	return a.loginForm(c, ticket, 200, "")
}

func (a *AS) loginForm(c call, ticket string, status int, says string) *reply {
	return a.page(Page{
		Kind: "login", Status: status, Message: says, Action: a.config.base() + "/login",
		Ticket: ticket, CSRF: a.csrf(a.cookie(c.req), ticket, "login"),
	})
}

// login checks name and password, in constant time, and slows guessing: after
// five failures for a name in a minute, no more attempts for it are accepted.
func (a *AS) login(c call) *reply {
	i, refused := a.posted(c, "login")
	if refused != nil {
		return refused
	}
	ticket, name := value(c.req.Form, "ticket"), value(c.req.Form, "username")
	if len(name) > 200 {
		name = name[:200]
	}
	key := "login " + hash(name)[:16]
	if a.state.counted(c.at, key) >= maxLoginTries || a.state.counted(c.at, "login") >= 20*maxLoginTries {
		r := a.loginForm(c, ticket, 429, "Too many attempts. Wait a minute.")
		r.set("Retry-After", "60")
		return r
	}
	u, known := a.config.user(name)
	good := same(hash(u.Password), hash(value(c.req.Form, "password")))
	if !known || !good || u.Password == "" {
		a.state.count(c.at, key, loginWindow)
		a.state.count(c.at, "login", loginWindow)
		return a.loginForm(c, ticket, 401, "The user name or the password is wrong.")
	}
	// A new cookie after login: one that was planted before becomes worthless.
	browser := a.draw("browser")
	i.Browser, i.Subject = hash(browser), u.Subject
	r := &reply{status: 303, location: a.config.base() + "/consent?ticket=" + ticket}
	a.setCookie(r, browser)
	noStore(r)
	return r
}

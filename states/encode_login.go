package states

import "reflect"

func (w *writer) login(l *Login) {
	w.open()
	w.always("version", int64(l.Version))
	w.name("config")
	if l.Config == nil {
		w.b.WriteString("null")
	} else {
		w.config(l.Config)
	}
	w.name("flow")
	if l.Flow == nil {
		w.b.WriteString("null")
	} else {
		w.flow(l.Flow)
	}
	if l.Entry != 0 {
		w.generation("entry", l.Entry)
	}
	w.close()
}

func (w *writer) config(c *Config) {
	w.open()
	w.required("server", c.Server)
	w.text("tenant", c.Tenant)
	w.text("subject", c.Subject)
	w.text("account", c.Account)
	w.text("revision", string(c.Revision))
	w.flag("strict", c.Strict)
	if len(c.Waive) > 0 {
		w.rare("waive", c.Waive)
	}
	w.text("issuer", c.Issuer)
	w.list("issuers", c.Issuers)
	if c.Client != nil {
		w.rare("client", c.Client)
	}
	w.text("cimd", c.CIMD)
	w.secret("initial_token", c.InitialToken)
	w.flag("no_registration", c.NoRegistration)
	w.text("client_name", c.ClientName)
	w.text("client_uri", c.ClientURI)
	w.list("redirects", c.Redirects)
	w.list("scopes", c.Scopes)
	w.flag("only_scopes", c.OnlyScopes)
	w.flag("no_refresh", c.NoRefresh)
	w.flag("concurrent", c.Concurrent)
	if len(c.Asks) > 0 {
		w.rare("asks", c.Asks)
	}
	w.number("human_time", int64(c.HumanTime))
	w.number("http_time", int64(c.HTTPTime))
	w.number("lease_time", int64(c.LeaseTime))
	w.text("holder", c.Holder)
	w.required("resource", c.Resource)
	w.flag("loopback", c.Loopback)
	w.text("elided", c.Elided)
	w.close()
}

func (w *writer) flow(f *Flow) {
	w.open()
	w.required("why", f.Why)
	w.instant("deadline", f.Deadline)
	w.moment("since", f.Since)
	w.some("mark", f.Mark)
	w.moment("mark_until", f.MarkUntil)
	w.text("revision", string(f.Revision))
	w.flag("legacy", f.Legacy)
	w.flag("named", f.Named)
	w.list("candidates", f.Candidates)
	w.number("candidate", int64(f.Candidate))
	w.flag("trouble", f.Trouble)
	if f.Remembered != nil {
		w.rare("remembered", f.Remembered)
	}
	w.flag("reread", f.Reread)
	w.text("metadata", f.Metadata)
	w.text("resource", f.Resource)
	w.list("listed", f.Listed)
	w.list("issuers", f.Issuers)
	w.number("issuer", int64(f.Issuer))
	if f.Server.Issuer != "" || !reflect.ValueOf(&f.Server).Elem().IsZero() {
		w.name("server")
		w.server(&f.Server)
	}
	w.list("scopes", f.Scopes)
	w.flag("challenged", f.Challenged)
	w.number("scope_turn", int64(f.ScopeTurn))
	if f.Client.ID != "" || !reflect.ValueOf(&f.Client).Elem().IsZero() {
		w.name("client")
		w.client(&f.Client)
	}
	w.some("registration", f.Registration)
	w.number("registered", int64(f.Registered))
	w.flag("adjusted", f.Adjusted)
	w.flag("demanded", f.Demanded)
	w.text("refused", f.Refused)
	w.text("redirect_uri", f.RedirectURI)
	w.secret("state", f.State)
	w.secret("verifier", f.Verifier)
	w.some("login", f.Login)
	if f.Visit != 0 {
		w.generation("visit", Generation(f.Visit))
	}
	w.list("asked", f.Asked)
	w.secret("callback", f.Callback)
	w.number("again", int64(f.Again))
	w.flag("other_method", f.OtherMethod)
	w.ladder("climbed", f.Climbed)
	if f.Ledger.Version != 0 || len(f.Ledger.Attempts) > 0 {
		w.rare("ledger", f.Ledger)
	}
	w.some("ledger_at", f.LedgerAt)
	w.close()
}

// some is generation, left out when it is zero.
func (w *writer) some(name string, g Generation) {
	if g != 0 {
		w.generation(name, g)
	}
}

package trace

import (
	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states"
)

// input writes one member: the kind of input and what it holds.
func (w *writer) input(in states.Input) {
	switch in := in.(type) {
	case states.Begun:
		w.open("Begun")
		w.str("seed", in.Seed.Reveal())
		w.yes("login", in.Login)
		w.list("scopes", in.Scopes)
	case states.Resumed:
		w.open("Resumed")
		w.str("seed", in.Seed.Reveal())
	case states.Loaded:
		w.open("Loaded")
		w.num("serial", in.Serial)
		w.value("value", in.Value)
		w.num("generation", uint64(in.Generation))
	case states.NotFound:
		w.serial("NotFound", in.Serial)
	case states.Leased:
		w.serial("Leased", in.Serial)
		w.num("fence", in.Fence)
		w.dur("ttl", in.TTL)
	case states.Held:
		w.serial("Held", in.Serial)
	case states.Saved:
		w.serial("Saved", in.Serial)
		w.num("generation", uint64(in.Generation))
	case states.Deleted:
		w.serial("Deleted", in.Serial)
	case states.Claimed:
		w.serial("Claimed", in.Serial)
	case states.Conflicted:
		w.serial("Conflicted", in.Serial)
	case states.StoreFailed:
		w.serial("StoreFailed", in.Serial)
		w.str("detail", in.Detail)
		w.yes("entry", in.Entry)
	case states.Answered:
		w.serial("Answered", in.Serial)
		w.str("value", in.Value)
		w.list("values", in.Values)
		w.str("secret", in.Secret.Reveal())
	case states.Responded:
		w.serial("Responded", in.Serial)
		w.response(in.Response)
	case states.Unreachable:
		w.serial("Unreachable", in.Serial)
		w.str("class", in.Class)
		w.str("rule", string(in.Rule))
		w.str("detail", in.Detail)
	case states.Redirected:
		w.serial("Redirected", in.Serial)
		w.str("url", in.URL.Reveal())
	case states.Challenged:
		w.open("Challenged")
		w.num("generation", uint64(in.Generation))
		w.response(in.Response)
	case states.Accepted:
		w.open("Accepted")
		w.num("generation", uint64(in.Generation))
	case states.Ticked:
		w.open("Ticked")
	case states.Interrupted:
		w.open("Interrupted")
		w.str("seed", in.Seed.Reveal())
	case states.Cancelled:
		w.open("Cancelled")
	case states.LoggedOut:
		w.open("LoggedOut")
		w.str("seed", in.Seed.Reveal())
	}
	w.shut()
}

func (w *writer) serial(name string, serial uint64) {
	w.open(name)
	w.num("serial", serial)
}

// effect writes one member: the kind of effect and what it holds.
func (w *writer) effect(e states.Effect) {
	switch e := e.(type) {
	case states.Send:
		w.serial("Send", e.Serial)
		w.request(e.Request)
		w.yes("once", e.Once)
		w.time("not_before", e.NotBefore)
		w.time("not_after", e.NotAfter)
		w.dur("timeout", e.Timeout)
		w.int("hops", int64(e.Hops))
		w.int("max_body", e.MaxBody)
		w.yes("loopback", e.Loopback)
	case states.Visit:
		w.serial("Visit", e.Serial)
		w.str("url", e.URL.Reveal())
		w.str("redirect_uri", e.RedirectURI)
		w.str("issuer", e.Issuer)
		w.time("deadline", e.Deadline)
	case states.Load:
		w.serial("Load", e.Serial)
		w.key(e.Key)
	case states.Lease:
		w.serial("Lease", e.Serial)
		w.key(e.Key)
		w.dur("ttl", e.TTL)
	case states.Release:
		w.open("Release")
		w.key(e.Key)
		w.num("fence", e.Fence)
	case states.Save:
		w.serial("Save", e.Serial)
		w.key(e.Key)
		w.value("value", e.Value)
		w.num("expected", uint64(e.Expected))
		w.time("expires", e.Expires)
		w.time("not_before", e.NotBefore)
	case states.Delete:
		w.serial("Delete", e.Serial)
		w.key(e.Key)
		w.num("expected", uint64(e.Expected))
	case states.Claim:
		w.serial("Claim", e.Serial)
		w.key(e.Key)
		w.num("expected", uint64(e.Expected))
	case states.Ask:
		w.serial("Ask", e.Serial)
		w.str("question", string(e.Question))
		w.str("subject", e.Subject)
		w.list("options", e.Options)
		w.str("default", e.Default)
		w.time("deadline", e.Deadline)
	case states.Wake:
		w.open("Wake")
		w.time("at", e.At)
	case states.Grant:
		w.open("Grant")
		w.num("generation", uint64(e.Generation))
		w.str("access_token", e.AccessToken.Reveal())
		w.str("type", e.Type)
		w.list("scopes", e.Scopes)
		w.time("expires", e.Expires)
		w.time("renew", e.Renew)
		w.yes("accepted", e.Accepted)
	case states.Report:
		w.open("Report")
		w.name("fault")
		if b, err := json.Marshal(e.Fault); err == nil {
			w.b = append(w.b, b...)
		} else {
			w.b = append(w.b, "{}"...)
		}
	case states.Note:
		w.open("Note")
		w.str("rule", string(e.Finding.Rule))
		w.str("detail", e.Finding.Detail)
	}
	w.shut()
}

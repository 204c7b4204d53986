package lines

import (
	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states"
)

// Input writes one member: the kind of input and what it holds.
func (w *Writer) Input(in states.Input) {
	switch in := in.(type) {
	case states.Begun:
		w.Open("Begun")
		w.Str("seed", in.Seed.Reveal())
		w.Yes("login", in.Login)
		w.list("scopes", in.Scopes)
		w.Yes("new_client", in.NewClient)
	case states.Resumed:
		w.Open("Resumed")
		w.Str("seed", in.Seed.Reveal())
	case states.Loaded:
		w.Open("Loaded")
		w.Num("serial", in.Serial)
		w.Value("value", in.Value)
		w.Num("generation", uint64(in.Generation))
	case states.NotFound:
		w.serial("NotFound", in.Serial)
	case states.Leased:
		w.serial("Leased", in.Serial)
		w.Num("fence", in.Fence)
		w.dur("ttl", in.TTL)
	case states.Held:
		w.serial("Held", in.Serial)
	case states.Saved:
		w.serial("Saved", in.Serial)
		w.Num("generation", uint64(in.Generation))
	case states.Deleted:
		w.serial("Deleted", in.Serial)
	case states.Claimed:
		w.serial("Claimed", in.Serial)
	case states.Conflicted:
		w.serial("Conflicted", in.Serial)
	case states.StoreFailed:
		w.serial("StoreFailed", in.Serial)
		w.Str("detail", in.Detail)
		w.Yes("entry", in.Entry)
	case states.Answered:
		w.serial("Answered", in.Serial)
		w.Str("value", in.Value)
		w.list("values", in.Values)
		w.Str("secret", in.Secret.Reveal())
	case states.Signed:
		w.serial("Signed", in.Serial)
		w.Str("jws", in.JWS.Reveal())
	case states.Unsigned:
		w.serial("Unsigned", in.Serial)
		w.Str("detail", in.Detail)
		w.Yes("needs_user", in.NeedsUser)
	case states.Responded:
		w.serial("Responded", in.Serial)
		w.response(in.Response)
	case states.Unreachable:
		w.serial("Unreachable", in.Serial)
		w.Str("class", string(in.Class))
		w.Str("rule", string(in.Rule))
		w.Str("detail", in.Detail)
	case states.Redirected:
		w.serial("Redirected", in.Serial)
		w.Str("url", in.URL.Reveal())
	case states.Challenged:
		w.Open("Challenged")
		w.Num("generation", uint64(in.Generation))
		w.response(in.Response)
	case states.Accepted:
		w.Open("Accepted")
		w.Num("generation", uint64(in.Generation))
	case states.Ticked:
		w.Open("Ticked")
	case states.Interrupted:
		w.Open("Interrupted")
		w.Str("seed", in.Seed.Reveal())
	case states.Cancelled:
		w.Open("Cancelled")
	case states.LoggedOut:
		w.Open("LoggedOut")
		w.Str("seed", in.Seed.Reveal())
		w.Yes("forget", in.Forget)
	}
	w.Shut()
}

func (w *Writer) serial(name string, serial uint64) {
	w.Open(name)
	w.Num("serial", serial)
}

// Effect writes one member: the kind of effect and what it holds.
func (w *Writer) Effect(e states.Effect) {
	switch e := e.(type) {
	case states.Send:
		w.serial("Send", e.Serial)
		w.request(e.Request)
		w.Yes("once", e.Once)
		w.Time("not_before", e.NotBefore)
		w.Time("not_after", e.NotAfter)
		w.dur("timeout", e.Timeout)
		w.Int("hops", int64(e.Hops))
		w.Int("max_body", e.MaxBody)
		w.Yes("loopback", e.Loopback)
	case states.Sign:
		w.serial("Sign", e.Serial)
		w.Str("key", e.Key)
		w.Str("header", e.Header)
		w.Str("claims", e.Claims)
		w.Time("not_before", e.NotBefore)
		w.dur("timeout", e.Timeout)
	case states.Assert:
		w.serial("Assert", e.Serial)
		w.list("audiences", e.Audiences)
		w.Str("provider", e.Provider)
		w.Yes("user", e.User)
		w.Yes("refused", e.Refused)
		w.Time("not_before", e.NotBefore)
		w.dur("timeout", e.Timeout)
	case states.Show:
		w.Open("Show")
		w.Str("url", e.URL)
		w.Str("complete", e.Complete)
		w.Str("user_code", e.UserCode.Reveal())
		w.Str("issuer", e.Issuer)
		w.Time("deadline", e.Deadline)
	case states.Visit:
		w.serial("Visit", e.Serial)
		w.Str("url", e.URL.Reveal())
		w.Str("redirect_uri", e.RedirectURI)
		w.Str("issuer", e.Issuer)
		w.Time("deadline", e.Deadline)
	case states.Load:
		w.serial("Load", e.Serial)
		w.key(e.Key)
	case states.Lease:
		w.serial("Lease", e.Serial)
		w.key(e.Key)
		w.dur("ttl", e.TTL)
	case states.Release:
		w.Open("Release")
		w.key(e.Key)
		w.Num("fence", e.Fence)
	case states.Save:
		w.serial("Save", e.Serial)
		w.key(e.Key)
		w.Value("value", e.Value)
		w.Num("expected", uint64(e.Expected))
		w.Time("expires", e.Expires)
		w.Time("not_before", e.NotBefore)
	case states.Delete:
		w.serial("Delete", e.Serial)
		w.key(e.Key)
		w.Num("expected", uint64(e.Expected))
	case states.Claim:
		w.serial("Claim", e.Serial)
		w.key(e.Key)
		w.Num("expected", uint64(e.Expected))
	case states.Ask:
		w.serial("Ask", e.Serial)
		w.Str("question", string(e.Question))
		w.Str("subject", e.Subject)
		w.list("options", e.Options)
		w.Str("default", e.Default)
		w.Time("deadline", e.Deadline)
	case states.Wake:
		w.Open("Wake")
		w.Time("at", e.At)
	case states.Grant:
		w.Open("Grant")
		w.Num("generation", uint64(e.Generation))
		w.Str("access_token", e.AccessToken.Reveal())
		w.Str("type", e.Type)
		w.list("scopes", e.Scopes)
		w.Time("expires", e.Expires)
		w.Time("renew", e.Renew)
		w.Yes("accepted", e.Accepted)
		w.Yes("untried", e.Untried)
		w.Str("thumbprint", e.Thumbprint)
		w.dur("clock_offset", e.ClockOffset)
	case states.Report:
		w.Open("Report")
		w.Name("fault")
		if b, err := json.Marshal(e.Fault); err == nil {
			w.B = append(w.B, b...)
		} else {
			w.B = append(w.B, "{}"...)
		}
	case states.Note:
		w.Open("Note")
		w.Str("rule", string(e.Finding.Rule))
		w.Str("detail", e.Finding.Detail)
	}
	w.Shut()
}

package states

import (
	"slices"

	"github.com/stile-oauth/stile/states/wire"
)

// Visit: the login is parked, and the user decides in a browser.
const (
	Parking     State = "Parking"
	Authorizing State = "Authorizing"
	Checking    State = "Checking"
	Remarking   State = "Remarking"
)

var visitRoom = []about{
	{
		state: Parking, group: groupLogin, doing: "storing the login",
		says: "The login is stored, so that any replica can continue it.",
		enter: func(d *Data) []Effect {
			f := *d.Flow
			f.Callback, f.Candidates = "", nil
			l := Login{Version: RecordVersion, Config: d.Config, Flow: &f, Entry: d.Entry}
			return []Effect{Save{
				Serial: d.Serial, Key: d.Config.LoginKey(StateHash(f.State)), Value: mustEncode(&l),
				Expires: f.Deadline.Add(ParkedGrace),
			}}
		},
		holds: loginDrawn,
	},
	{
		state: Authorizing, group: groupLogin, doing: "waiting for the user",
		says: "The user decides in a browser.",
		enter: func(d *Data) []Effect {
			// The machine checked that the URL can be built when it prepared the login.
			url, _ := wire.AuthorizationURL(d.Flow.AuthorizationParams(d.Config))
			return []Effect{Wake{At: d.WakeAt}, Visit{
				Serial: d.Flow.Visit, URL: wire.Secret(url), RedirectURI: d.Flow.RedirectURI,
				Issuer: d.Flow.Server.Issuer, Deadline: d.Flow.Deadline,
			}}
		},
		holds: loginDrawn,
	},
	{
		state: Checking, group: groupLogin, doing: "waiting for the user",
		says: "While the user decides, the store is asked whether another replica has finished the login.",
		enter: func(d *Data) []Effect {
			return append([]Effect{Wake{At: d.Flow.Deadline}}, loadCredential(d)...)
		},
		holds: loginDrawn,
	},
	{
		state: Remarking, group: groupLogin, doing: "waiting for the user",
		says: "While the user decides, the mark of the login is renewed, so that it outlives this process only by a minute.",
		enter: func(d *Data) []Effect {
			m := d.ownMark()
			return []Effect{Wake{At: d.Flow.Deadline}, Save{
				Serial: d.Serial, Key: d.Config.MarkKey(), Value: mustEncode(&m), Expected: d.Flow.Mark, Expires: d.Flow.MarkUntil,
			}}
		},
		holds: loginDrawn,
	},
}

// Visiting reports whether a user is being sent somewhere in s. The Visit stays open
// beside the question that s asks.
func Visiting(s State) bool {
	return s == Authorizing || s == Checking || s == Remarking
}

// AuthorizationParams are the parts of the authorization request (RFC 6749
// §4.1.1, RFC 7636 §4.3, RFC 8707 §2).
func (f *Flow) AuthorizationParams(c *Config) wire.AuthorizationParams {
	p := wire.AuthorizationParams{
		Endpoint: f.Server.AuthorizationEndpoint, ClientID: f.Client.ID, RedirectURI: f.RedirectURI,
		Challenge: wire.S256(f.Verifier.Reveal()), State: f.State.Reveal(),
		Scope: wire.JoinScope(f.Requested), Resource: f.Resource,
	}
	for _, s := range f.Requested {
		if s == wire.OfflineAccess {
			p.Prompt = "consent"
		}
	}
	if f.GoogleOffline(c) {
		p.Prompt = "consent"
		p.Extra = wire.Fields{{Name: "access_type", Value: "offline"}}
	}
	for _, own := range c.Parameters {
		switch i := slices.IndexFunc(p.Extra, func(x wire.Field) bool { return x.Name == own.Name }); {
		case own.Name == "prompt" && p.Prompt != "" && own.Value != p.Prompt:
			p.Prompt += " " + own.Value // a list (OpenID Connect Core §3.1.2.1)
		case own.Name == "prompt":
			p.Prompt = own.Value
		case i >= 0:
			p.Extra[i].Value = own.Value
		default:
			p.Extra = append(p.Extra, wire.Field{Name: own.Name, Value: own.Value})
		}
	}
	return p
}

// Parameter is a parameter that a host adds to authorization requests because an issuer needs
// more than the protocol says: an audience, an organisation, a hint about the user.
type Parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// GoogleOffline reports whether the quirk google-offline applies (docs/decision-tables.md#t10).
func (f *Flow) GoogleOffline(c *Config) bool {
	return c.Has(GoogleOffline) || f.Server.Issuer == "https://accounts.google.com" && !c.Strict
}

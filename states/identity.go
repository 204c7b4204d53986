package states

import "github.com/stile-oauth/stile/states/wire"

// Identity: a company's identity provider says who the user is, by the ID token of a
// login there. The provider's metadata says where an ID token can be exchanged.
const (
	DiscoveringProvider State = "Discovering-Provider"
	Identifying         State = "Identifying"
	IdentifyingAgain    State = "Identifying-Again"
)

var identityRoom = []about{
	{
		state: DiscoveringProvider, group: groupFinding, doing: "fetching the metadata of the identity provider",
		says:  "The metadata of the identity provider is fetched. It says where an ID token is exchanged.",
		enter: probe,
		holds: all(addressLeft, issuerFound, providerKnown(providerOfLogin)),
	},
	{
		state: Identifying, group: groupLogin, doing: "asking who the user is",
		says:  "The host is asked for the user's ID token; the user may have to log in at the identity provider.",
		enter: func(d *Data) []Effect { return []Effect{identify(d, true)} },
		holds: all(issuerFound, providerKnown(providerOfLogin)),
	},
	{
		state: IdentifyingAgain, group: groupRefresh, lease: true, doing: "asking who the user is",
		says:  "The host is asked for the user's ID token, to obtain another token; no user takes part.",
		enter: func(d *Data) []Effect { return []Effect{identify(d, false)} },
		holds: all(leaseHeld, tokenHeld, intentMarked, providerKnown(providerOfToken)),
	},
}

// Provider is the identity provider of a token or of a login. It does not hold the secret of
// Client, which is in the configuration.
type Provider struct {
	Server wire.ASM    `json:"server"`
	Client wire.Client `json:"client"`
}

// identify asks for the ID token of the user; user says whether the user may be asked to log
// in.
func identify(d *Data, user bool) Assert {
	p := d.Config.Provider
	a := Assert{
		Serial: d.Serial, Audiences: []string{p.ID}, Provider: p.Issuer, User: user, Refused: d.IdentityRefused,
		NotBefore: d.NotBefore, Timeout: d.Config.HTTP(),
	}
	if user {
		a.Timeout = d.Config.UserWait()
	}
	return a
}

func providerOfLogin(d *Data) *Provider { return d.Flow.Provider }
func providerOfToken(d *Data) *Provider { return d.Token().Provider }

func providerKnown(of func(*Data) *Provider) func(*Data) string {
	return func(d *Data) string {
		return unless(of(d) != nil && d.Config.Provider != nil, "there is no identity provider")
	}
}

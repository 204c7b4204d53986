package states

import "github.com/stile-oauth/stile/states/wire"

// Log out: the credential is revoked and then removed, and the client too if that is
// wanted.
const (
	Recalling State = "Recalling"
	Revoking  State = "Revoking"
	Erasing   State = "Erasing"

	LookingUpClient  State = "Looking-Up-Client"
	ForgettingClient State = "Forgetting-Client"
	Unfiling         State = "Unfiling"
)

var logoutRoom = []about{
	{
		state: Recalling, group: groupLogout, doing: "reading the credential to log out",
		says:  "The credential is read, to revoke what it holds.",
		enter: loadCredential,
	},
	{
		state: Revoking, group: groupLogout, doing: "revoking the tokens",
		says:  "The tokens are revoked at their issuer (RFC 7009).",
		enter: func(d *Data) []Effect { return []Effect{revoke(d)} },
		holds: all(toRevoke, provable(clientToRevoke)),
	},
	{
		state: Erasing, group: groupLogout, doing: "removing the credential",
		says: "The credential is removed.",
		enter: func(d *Data) []Effect {
			return []Effect{Delete{Serial: d.Serial, Key: d.Config.CredentialKey(), Expected: d.Entry}}
		},
	},
	{
		state: LookingUpClient, group: groupLogout, doing: "reading the client registration to forget it",
		says: "The stored registration is read, to find the client that has to be forgotten.",
		enter: func(d *Data) []Effect {
			return []Effect{Load{Serial: d.Serial, Key: d.managedKey()}}
		},
		holds: clientToForget,
	},
	{
		state: ForgettingClient, group: groupLogout, doing: "having the client forgotten",
		says:  "The issuer is asked to forget the client (RFC 7592).",
		enter: func(d *Data) []Effect { return []Effect{post(d, wire.DeleteClientRequest(d.Managed.Client))} },
		holds: all(clientToForget, func(d *Data) string {
			return unless(d.Managed.Client.RegistrationURI != "", "the issuer offers no way to manage the client")
		}),
	},
	{
		state: Unfiling, group: groupLogout, doing: "removing the client registration",
		says: "The stored registration is removed.",
		enter: func(d *Data) []Effect {
			return []Effect{Delete{Serial: d.Serial, Key: d.managedKey(), Expected: d.Managed.Entry}}
		},
		holds: clientToForget,
	},
}

// managedKey names the stored registration of the client that is to be forgotten.
func (d *Data) managedKey() Key {
	c := *d.Config
	c.Elided = d.Managed.Redirects
	return c.RegistrationKey(d.Managed.Issuer)
}

func clientToForget(d *Data) string {
	return unless(d.Managed != nil && wire.SoundIssuer(d.Managed.Issuer), "no client has to be forgotten")
}

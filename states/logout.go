package states

// Log out: the credential is revoked, then removed.
const (
	Recalling State = "Recalling"
	Revoking  State = "Revoking"
	Erasing   State = "Erasing"
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
}

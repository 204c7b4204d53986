package states

// Saving: the token that a login obtained is stored, and nothing that others stored
// meanwhile is lost.
const (
	Saving   State = "Saving"
	Merging  State = "Merging"
	Resaving State = "Resaving"
)

var savingRoom = []about{
	{
		state: Saving, group: groupLogin, doing: "storing the credential",
		says:  "The new credential is stored.",
		enter: saveObtained,
		holds: all(tokenObtained, loginObtained),
	},
	{
		state: Merging, group: groupLogin, doing: "storing the credential",
		says:  "The stored credential changed meanwhile. It is read, so that nothing in it is lost.",
		enter: loadCredential,
		holds: all(tokenObtained, loginObtained),
	},
	{
		state: Resaving, group: groupLogin, lease: true, doing: "storing the credential",
		says: "The store failed when a token had been obtained. The token is handed out, and the save is tried again.",
		enter: func(d *Data) []Effect {
			return append([]Effect{grantOf(d, d.Obtained)}, saveObtained(d)...)
		},
		holds: all(tokenObtained, func(d *Data) string {
			return unless(d.Flow == nil || d.Flow.hasServer(), "no issuer was found") // a refresh has no login
		}),
	},
}

// loginObtained holds if a login, and not a refresh, obtained a token at an issuer that it
// found.
func loginObtained(d *Data) string {
	if d.Flow == nil {
		return "nothing was obtained"
	}
	return issuerFound(d)
}

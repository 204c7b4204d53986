package states

// Rotation: what a refresh obtained is stored over what it came from.
const (
	Rotating    State = "Rotating"
	Reconciling State = "Reconciling"
	Disposing   State = "Disposing"
)

var rotationRoom = []about{
	{
		state: Rotating, group: groupRefresh, lease: true, doing: "storing the refreshed credential",
		says:  "The refreshed credential is stored over the one it came from.",
		enter: saveObtained,
		holds: tokenObtained,
	},
	{
		state: Reconciling, group: groupRefresh, lease: true, doing: "storing the refreshed credential",
		says:  "The stored credential changed during the refresh; it is read before anything is written.",
		enter: loadCredential,
		holds: tokenObtained,
	},
	{
		state: Disposing, group: groupRefresh, doing: "revoking what is no longer wanted",
		says:  "The credential is gone, so the token that was obtained meanwhile is revoked.",
		enter: func(d *Data) []Effect { return []Effect{revoke(d)} },
		holds: all(toRevoke, provable(clientToRevoke)),
	},
}

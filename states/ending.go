package states

import "github.com/stile-oauth/stile/states/wire"

// Ending: a login has succeeded or failed. What it left in the store and what it has
// replaced is cleared away.
const (
	Distrusting State = "Distrusting"
	Closing     State = "Closing"
	Withdrawing State = "Withdrawing"
	Retiring    State = "Retiring"
	Pruning     State = "Pruning"
	Accepting   State = "Accepting"
)

var endingRoom = []about{
	{
		state: Distrusting, group: groupLogin, doing: "dropping a client registration",
		says:  "Nobody came back from a login with a client that was registered earlier. Its registration is removed, so that the next login registers a new client.",
		enter: deleteRegistration,
		holds: all(loginDrawn, resultKnown, func(d *Data) string {
			if d.Fault == nil {
				return "the login did not fail"
			}
			if c := d.Flow.Client; d.Flow.Registration == 0 || c.Source != wire.SourceHost && (d.Flow.Registered > 0 || c.Source != wire.SourceStored) {
				return "the client was neither stored before this login nor given by hand"
			}
			return ""
		}),
	},
	{
		state: Closing, group: groupLogin, doing: "closing the login",
		says: "The parked login is removed, so that nobody goes on with it.",
		enter: func(d *Data) []Effect {
			key := d.Config.DeviceKey()
			if d.Flow.Device == nil {
				key = d.Config.LoginKey(StateHash(d.Flow.State))
			}
			return []Effect{Delete{Serial: d.Serial, Key: key, Expected: d.Flow.Login}}
		},
		holds: all(parked, resultKnown),
	},
	{
		state: Withdrawing, group: groupLogin, doing: "ending the login",
		says: "The mark of the login is removed.",
		enter: func(d *Data) []Effect {
			return []Effect{Delete{Serial: d.Serial, Key: d.Config.MarkKey(), Expected: d.Flow.Mark}}
		},
		holds: all(loginUnderWay, resultKnown),
	},
	{
		state: Retiring, group: groupLogin, doing: "revoking what the login has replaced",
		says:  "The new token is handed out, and a grant of another issuer or client that it has replaced is revoked.",
		enter: func(d *Data) []Effect { return []Effect{grant(d), revoke(d)} },
		holds: all(tokenHeld, noLogin, toRevoke, provable(clientToRevoke), othersToRevoke),
	},
	{
		state: Pruning, group: groupLogin, doing: "removing what the login has replaced",
		says:  "The new token is handed out, and the grants that it has replaced are removed from the record.",
		enter: func(d *Data) []Effect { return []Effect{grant(d), saveRecord(d)} },
		holds: all(tokenHeld, noLogin),
	},
	{
		state: Accepting, group: groupLogin, doing: "storing that the server took the token",
		says:  "The server accepted the token of a login for the first time. That is stored, so that every process knows.",
		enter: func(d *Data) []Effect { return []Effect{saveRecord(d)} },
		holds: all(tokenHeld, noLogin),
	},
}

// parked holds if the login under way is one that is parked while it waits for its user.
func parked(d *Data) string {
	if d.Flow != nil && d.Flow.Device != nil {
		return all(issuerFound, deviceStarted)(d)
	}
	return loginDrawn(d)
}

// resultKnown holds if a login has a result: a token, or the reason why there is none.
func resultKnown(d *Data) string {
	ended := d.Fault != nil || d.Token() != nil || d.Adopted != nil && d.Adopted.Current != nil
	return unless(ended, "the login has no result")
}

// SameClient reports whether two grants were given to the same client by the same issuer.
// Some issuers end all grants of a client when one of them is revoked.
func (t *Token) SameClient(o *Token) bool {
	return t.Server.Issuer == o.Server.Issuer && t.Client.ID == o.Client.ID
}

// othersToRevoke holds if no grant to revoke belongs to the client and the issuer in use,
// because its revocation could end the new token too.
func othersToRevoke(d *Data) string {
	for i := range d.Retiring {
		if d.Retiring[i].SameClient(d.Token()) {
			return "a grant of the client in use is to be revoked"
		}
	}
	return ""
}

package states

// Lease: of all processes that share the store, one refreshes; before it sends
// anything it marks the intent in the record.
const (
	Leasing   State = "Leasing"
	Waiting   State = "Waiting"
	Looking   State = "Looking"
	Reloading State = "Reloading"
	Marking   State = "Marking"
)

var leaseRoom = []about{
	{
		state: Leasing, group: groupRefresh, doing: "asking for the right to refresh",
		says: "The right to refresh is asked for.",
		enter: func(d *Data) []Effect {
			return []Effect{Lease{Serial: d.Serial, Key: d.Config.CredentialKey(), TTL: d.Config.LeaseFor()}}
		},
		holds: tokenHeld,
	},
	{
		state: Waiting, group: groupRefresh, doing: "waiting for another process's refresh",
		says:  "Another process refreshes; its result is waited for.",
		enter: func(d *Data) []Effect { return []Effect{Wake{At: d.WakeAt}} },
		holds: tokenHeld,
	},
	{
		state: Looking, group: groupRefresh, doing: "looking for another process's refresh",
		says:  "The credential is read again, in case the other process is done.",
		enter: loadCredential,
		holds: tokenHeld,
	},
	{
		state: Reloading, group: groupRefresh, lease: true, doing: "reading the credential under the lease",
		says:  "Under the lease, the credential is read before anything is believed.",
		enter: loadCredential,
		holds: leaseHeld,
	},
	{
		state: Marking, group: groupRefresh, lease: true, doing: "marking the refresh",
		says:  "The intent to refresh is stored, before anything is sent.",
		enter: func(d *Data) []Effect { return []Effect{saveRecord(d)} },
		holds: all(leaseHeld, tokenHeld, intentMarked, renewedWithProvider),
	},
}

// renewedWithProvider holds if the token's renewal does not ask an identity provider, or if
// that provider is known.
func renewedWithProvider(d *Data) string {
	if d.Token().Grant != EnterpriseGrant {
		return ""
	}
	return providerKnown(providerOfToken)(d)
}

func intentMarked(d *Data) string { return unless(d.Record.Intent != nil, "the intent is missing") }

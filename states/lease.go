package states

// Lease: one of the processes that share the store refreshes. It stores the intent in the
// record before it sends anything.
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
		says: "The store is asked for the lease, which is the right to refresh.",
		enter: func(d *Data) []Effect {
			return []Effect{Lease{Serial: d.Serial, Key: d.Config.CredentialKey(), TTL: d.Config.LeaseFor()}}
		},
		holds: tokenHeld,
	},
	{
		state: Waiting, group: groupRefresh, doing: "waiting for another process's refresh",
		says:  "Another process refreshes, and the machine waits for its result.",
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
		says:  "The credential is read again under the lease, because what was read before may be old.",
		enter: loadCredential,
		holds: leaseHeld,
	},
	{
		state: Marking, group: groupRefresh, lease: true, doing: "storing the intent to refresh",
		says:  "The intent to refresh is stored before anything is sent.",
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

package states

// Client: what the issuer knows the host as.
const (
	FindingClient State = "Finding-Client"
	Binding       State = "Binding"
	NeedingClient State = "Needing-Client"
)

var clientRoom = []about{
	{
		state: FindingClient, group: groupFinding, doing: "looking for a stored client",
		says: "The store is searched for a client that this issuer registered before.",
		enter: func(d *Data) []Effect {
			return []Effect{Load{Serial: d.Serial, Key: d.registrationKey()}}
		},
		holds: issuerFound,
	},
	{
		state: Binding, group: groupFinding, doing: "preparing the redirect and the client",
		says: "The host is asked for an address that already listens for the redirect.",
		enter: func(d *Data) []Effect {
			options := d.Config.Redirects
			if len(d.Flow.Client.RedirectURIs) > 0 {
				options = d.Flow.Client.RedirectURIs
			}
			var first string
			if len(options) > 0 {
				first = options[0]
			}
			return []Effect{Ask{
				Serial: d.Serial, Question: AskRedirect, Subject: d.Flow.Server.Issuer,
				Options: options, Default: first, Deadline: d.Flow.Deadline,
			}}
		},
		holds: issuerFound,
	},
	{
		state: NeedingClient, group: groupFinding, doing: "asking for a client id",
		says: "The host is asked for a client id, because no other way is left.",
		enter: func(d *Data) []Effect {
			var where []string // a client id can be had
			for _, s := range []string{d.Flow.Server.ServiceDocumentation, d.Flow.Server.RegistrationEndpoint} {
				if s != "" {
					where = append(where, s)
				}
			}
			return []Effect{Ask{
				Serial: d.Serial, Question: AskClient, Subject: d.Flow.Server.Issuer,
				Options: where, Deadline: d.Flow.Deadline,
			}}
		},
		holds: issuerFound,
	},
}

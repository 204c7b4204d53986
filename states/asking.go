package states

import "github.com/stile-oauth/stile/states/wire"

// Asking: what the host decides about what discovery found. Each is asked only
// where Config.Asks says so.
const (
	ApprovingResource State = "Approving-Resource"
	ChoosingIssuer    State = "Choosing-Issuer"
	ChoosingScopes    State = "Choosing-Scopes"
)

var askingRoom = []about{
	{
		state: ApprovingResource, group: groupFinding, doing: "asking whether the resource is acceptable",
		says: "The host is asked whether the resource is acceptable.",
		enter: func(d *Data) []Effect {
			return []Effect{Ask{
				Serial: d.Serial, Question: AskResource, Subject: d.Flow.Resource,
				Options: []string{"yes", "no"}, Default: "yes", Deadline: d.Flow.Deadline,
			}}
		},
		holds: issuerNamed,
	},
	{
		state: ChoosingIssuer, group: groupFinding, doing: "choosing an issuer",
		says: "The host is asked which issuer to use.",
		enter: func(d *Data) []Effect {
			return []Effect{Ask{
				Serial: d.Serial, Question: AskIssuer, Subject: d.Flow.Resource,
				Options: d.Flow.Issuers, Default: d.Flow.Issuers[0], Deadline: d.Flow.Deadline,
			}}
		},
		holds: issuerNamed,
	},
	{
		state: ChoosingScopes, group: groupFinding, doing: "choosing scopes",
		says: "The host is asked which of the scopes to request.",
		enter: func(d *Data) []Effect {
			return []Effect{Ask{
				Serial: d.Serial, Question: AskScopes, Subject: d.Flow.Resource,
				Options: d.Flow.Scopes, Default: wire.JoinScope(d.Flow.Scopes), Deadline: d.Flow.Deadline,
			}}
		},
		holds: issuerNamed,
	},
}

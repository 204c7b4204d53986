package states

import (
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// Workload: the platform's assertion about the workload that runs here, a JWT, is
// exchanged for a token (RFC 7523 §2.1). There is no client, no user and no refresh
// token. Another token is asked for in the same way, under the lease, with a newly
// fetched JWT.
const (
	Asserting             State = "Asserting"
	SigningToPresent      State = "Signing-To-Present"
	Presenting            State = "Presenting"
	AssertingAgain        State = "Asserting-Again"
	SigningToPresentAgain State = "Signing-To-Present-Again"
	PresentingAgain       State = "Presenting-Again"
)

var workloadRoom = []about{
	{
		state: Asserting, group: groupLogin, doing: "fetching the workload's assertion",
		says:  "The platform is asked for the workload's assertion.",
		enter: func(d *Data) []Effect { return []Effect{assert(d, d.Flow.Server)} },
		holds: issuerFound,
	},
	{
		state: SigningToPresent, group: groupLogin, doing: "signing for the token request",
		says:  "The proof for the exchange of the workload's assertion is signed.",
		enter: signInLogin,
		holds: all(issuerFound, assertionFetched, toSign(clientOfLogin)),
	},
	{
		state: Presenting, group: groupLogin, doing: "presenting the workload's assertion",
		says: "The workload's assertion is exchanged for a token.",
		enter: func(d *Data) []Effect {
			f := d.Flow
			return []Effect{post(d, wire.WorkloadRequest(wire.TokenParams{
				Endpoint: f.Server.TokenEndpoint, Assertion: d.Assertion.Text, Scopes: f.Requested, Resource: f.Resource, Proof: d.proof(),
			}))}
		},
		holds: all(issuerFound, assertionFetched, proven),
	},
	{
		state: AssertingAgain, group: groupRefresh, lease: true, doing: "fetching the workload's assertion",
		says:  "The platform is asked for the workload's assertion, to obtain another token.",
		enter: func(d *Data) []Effect { return []Effect{assert(d, d.Token().Server)} },
		holds: all(leaseHeld, tokenHeld, intentMarked),
	},
	{
		state: SigningToPresentAgain, group: groupRefresh, lease: true, doing: "signing for the token request",
		says:  "The proof for the exchange of the workload's assertion for another token is signed.",
		enter: signForHeld,
		holds: all(leaseHeld, tokenHeld, intentMarked, assertionFetched, toSign(clientOfToken)),
	},
	{
		state: PresentingAgain, group: groupRefresh, lease: true, doing: "presenting the workload's assertion",
		says: "The workload's assertion is exchanged for another token.",
		enter: func(d *Data) []Effect {
			t := d.Token()
			return []Effect{withinLease(d, post(d, wire.WorkloadRequest(wire.TokenParams{
				Endpoint: t.Server.TokenEndpoint, Assertion: d.Assertion.Text, Scopes: t.Requested, Resource: t.Resource, Proof: d.proof(),
			})))}
		},
		holds: all(leaseHeld, tokenHeld, intentMarked, assertionFetched, proven),
	},
}

// Assert asks for a JWT of another party in compact form. Without Provider, it is the
// platform's assertion about the workload, fetched anew for each request (rule
// ext-wif-assertion). With Provider, it is the ID token of the user from that identity
// provider. Answered by Signed or Unsigned.
type Assert struct {
	Serial uint64
	// Audiences are the acceptable audiences, preferred first: the issuer, its token endpoint;
	// for an ID token, the client id at the provider.
	Audiences []string
	// Provider is the issuer of the ID token.
	Provider string
	// User says that the user may be asked to log in there. Refused says that the provider
	// did not accept the last ID token.
	User, Refused bool
	// NotBefore delays it (backoff).
	NotBefore time.Time
	// Timeout bounds it.
	Timeout time.Duration
}

func (Assert) effect() {}

func assert(d *Data, at wire.ASM) Assert {
	return Assert{Serial: d.Serial, Audiences: Audiences(at), NotBefore: d.NotBefore, Timeout: d.Config.HTTP()}
}

// Audiences are the possible audiences of a workload's assertion (rule ext-wif-aud-either).
func Audiences(at wire.ASM) []string { return []string{at.Issuer, at.TokenEndpoint} }

func assertionFetched(d *Data) string {
	return unless(d.Assertion != nil && d.Assertion.Text != "", "no assertion was fetched")
}

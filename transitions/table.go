package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// Table is the whole protocol: nothing else moves the machine. It is long, so that it can be read in one place.
//
// A row says: in the state From, the event On leads to the state To, and Rule is the rule that asks for it. Classify
// names the event. It reads the facts and the input and moves nothing; event.go says what each event means. Fire looks
// the row up in looplab's answers. The new state decides what is asked next: its entry in package states says so.
//
// Rooms. The rows are ordered by room, and within a room by state; each heading below names a room (Enterprise stands for
// the two rooms identity and enterprise). A room is what the protocol is doing. The file of that name in this package has
// the functions of its states, and the one in package states has what they ask. The groups of states.Group are larger:
// they are the seven parts in which drawings and pages show the machine.
//
//   - Between two pieces of work the machine is in the room resting. The first piece of work begins in the room loading,
//     where the store is read.
//   - A login goes through announcing, discovery, asking, client, registration, visit, claiming, exchange, saving and
//     ending. A login for more scopes begins in the room stepup.
//   - For a user at another device, the rooms device and polling replace visit to exchange.
//   - A refresh goes through lease and refresh, and then through rotation or refusal.
//   - A client that asks in its own name goes from discovery, or from lease to renew, to requesting; a workload goes
//     to the room workload.
//   - With a company's identity provider, the rooms identity and enterprise replace visit to exchange. The provider's
//     metadata is fetched after the issuer's. The host gives the ID token, or another machine of this table gets it by
//     a login there (ProviderLogin). It is exchanged for an ID-JAG, and the ID-JAG for a token.
//   - A request that carries a signed assertion or a proof goes through signing first. The events ...ToSign lead there.
//   - A log out stays in the room logout.
//
// Hold and re-entry. A row from a state to itself means one of two things. With move, the state is entered anew and
// asks again: it asks the next address, or tries once more. With hold, nothing is asked and nothing is drawn again: the
// open question stays open. A callback with a foreign state holds; a 503 does not.
//
// Everywhere. Some events mean the same in every state that has no row of its own for them: time passes and nothing is
// due; a token is accepted; a challenge is set aside; a cancellation is noted, where an answer must not be lost; the
// wishes of another login are added; and after an interruption the question is asked again, unless it is a Once.
// everywhere.go adds these rows.
//
// Failure. Before a login has announced itself, it fails to Failed, or to Authorized if a usable token is held (the
// events ...WhileHolding). After that, failure leads to Withdrawing, which removes the mark. While a login is parked
// (Authorizing, Checking, Remarking, AwaitingUser, Polling), failure leads to Closing first, which removes what is parked,
// and to Distrusting before that if a stored client may be to blame. The facts decide how Withdrawing is left: by
// LoginDone and its like with a new token, by DeniedWhileHolding with the old one, and by LoginFailed with none. A
// refresh that brought no token goes through the room refusal, so that the lease is given back and the record says what
// is known of the refresh token; refusal.go says which answer goes where. A new refusal of a peer is a row with an
// event of its own, from the state that gets the answer to one of these states.
//
// Facts beside the state. These influence which event Classify names. None is a state, because each holds in many
// states, or outlives the state in which it was found. Some belong to the machine:
//
//   - Cancelled: no caller is waiting. It takes effect when the next answer that must not be lost has arrived.
//   - Challenge and Wanted: what servers and callers said meanwhile. They are looked at on arrival in Authorized.
//   - LoginAsked: the host asked for a login, which begins only after Loading has read what is stored.
//   - Forget: a log out is to end the client too. That is known in Recalling and decides how Erasing is left.
//   - Accepted, Rejected, NoRenew, RenewAfter: what is known of the held token, at rest as well as during a login.
//   - RefusedClient: the client that was refused at a refresh. The login that follows, many states later, registers anew.
//   - StepUps: a count over many logins, for the time that the store of the ledger fails.
//   - Nonce and ClockOffset: what an issuer said about proofs. They hold for all its later requests, whatever they are for.
//   - IdentityRefused: an ID token was refused. The next refusal, which may come in another state, ends the attempt.
//   - Tries, Rounds, NotBefore, WaitUntil: counts, delays and limits of what is asked or waited for now.
//   - Losses: the answers that this refresh lost, counted over the states that each new try goes through.
//   - MetadataAddress: the issuer's metadata was read again under this intent. Its requests may need a signature in between.
//
// The others belong to the login under way and are parked with it:
//
//   - Flow.Why: why the login began. It decides which scopes are asked for and whether held metadata may be used.
//   - Flow.Deadline and Flow.MarkUntil: times that pass in whatever state the machine is waiting.
//   - Flow.Gone: a mark was in the way and was not there when it was read. Announcing is then entered for the second time.
//   - Flow.Lost: the parked login was gone once. The whole login lies between the first time and the second.
//   - Flow.Legacy: MCP 2025-03-26 applies. Its rows are the same, with other addresses.
//   - Flow.Named, Unusable, Remembered, Trouble: what discovery found at the addresses before the present one. They decide
//     what the last of them means.
//   - Flow.Binds: the resource accepts only bound tokens. It is read where the issuer's metadata is judged.
//   - Flow.AtDevice: nothing listens for the redirect. It is found in Binding, and later states look for another client.
//   - Flow.NewClient and Flow.NoDocument: the host wants a new client, or the issuer refused the metadata document in an
//     earlier login. They are known before the rooms client and registration choose a client.
//   - Flow.Filed: the authentication method in the stored registration. It is read there and compared after the save.
//   - Flow.Demanded and Flow.Trimmed: what the next registration sends more, or leaves out, after a refusal in the same
//     state.
//   - Flow.Refused, Registered, Again, ScopeTurn, Adjusted, MetadataReadAgain, Unread and Client.Refused: what this login
//     has tried once and does not try twice.
var Table = append(slices.Clip(written), everywhere()...)

// written holds the rows of Table that are written by hand, by room and state.
var written = []Row{
	// Resting: nothing is asked; the machine waits for something from outside.
	{states.Idle, Begun, states.Loading, move, rules.BearerUnauthenticatedFirst},
	{states.Idle, LogoutAsked, states.Recalling, move, rules.LogoutConditional},
	{states.Idle, ChallengeNoted, states.Idle, hold, rules.Challenge401Unauthenticated},

	{states.Anonymous, Begun, states.Loading, move, rules.BearerUnauthenticatedFirst},
	{states.Anonymous, LoginNeeded, states.Announcing, move, rules.Challenge401Unauthenticated},
	{states.Anonymous, LogoutAsked, states.Recalling, move, rules.LogoutConditional},
	{states.Anonymous, Forbidden, states.Anonymous, hold, rules.Challenge403WithoutChallenge},
	{states.Anonymous, ChallengeStale, states.Anonymous, hold, rules.Refresh401One},

	{states.Authorized, LoginNeeded, states.Announcing, move, rules.IssuerASChangeReregister},
	{states.Authorized, Expiring, states.Leasing, move, rules.RefreshAhead},
	{states.Authorized, TokenRejected, states.Leasing, move, rules.ChallengeInvalidToken401},
	{states.Authorized, ScopeGrantedUnseen, states.Leasing, move, rules.StepupNotByRefresh},
	{states.Authorized, ScopeShort, states.StepUp, move, rules.StepupAttemptUser},
	{states.Authorized, ScopeShortAgain, states.Authorized, move, rules.StepupSameChallengeTerminal},
	{states.Authorized, ScopeUnknown, states.Authorized, move, rules.Challenge403Scope},
	{states.Authorized, TokenRejectedAgain, states.Failed, move, rules.ChallengeFreshTokenLoop},
	{states.Authorized, Forbidden, states.Authorized, hold, rules.Challenge403WithoutChallenge},
	{states.Authorized, ChallengeStale, states.Authorized, hold, rules.Refresh401One},
	{states.Authorized, TokenAccepted, states.Authorized, hold, rules.ChallengeFreshTokenLoop},
	{states.Authorized, AcceptedFirst, states.Accepting, move, rules.ChallengeFreshTokenLoop},
	{states.Authorized, AcceptedLate, states.Authorized, hold, rules.ChallengeFreshTokenLoop},
	{states.Authorized, LogoutAsked, states.Recalling, move, rules.LogoutConditional},

	{states.Failed, Begun, states.Loading, move, rules.BearerUnauthenticatedFirst},
	{states.Failed, LogoutAsked, states.Recalling, move, rules.LogoutConditional},
	{states.Failed, ChallengeNoted, states.Failed, hold, rules.ChallengeFreshTokenLoop},

	// Loading: what is stored decides what happens next.
	{states.Loading, CredentialFound, states.Authorized, move, rules.RefreshSelfSufficient},
	{states.Loading, CredentialExpiring, states.Leasing, move, rules.BearerNoExpired},
	{states.Loading, CredentialSpent, states.Anonymous, move, rules.TokenRespRefreshOptional},
	{states.Loading, KeyMissing, states.Anonymous, move, rules.ExtDPoPRefreshKey},
	{states.Loading, CredentialMissing, states.Anonymous, move, rules.BearerUnauthenticatedFirst},
	{states.Loading, LoginNeeded, states.Announcing, move, rules.Challenge401Unauthenticated},
	{states.Loading, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Loading, RecordUnbound, states.Failed, move, rules.IssuerUnboundQuarantine},
	{states.Loading, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Loading, Cancelled, states.Failed, move, rules.HouseCancel},

	// Announcing: before a login, the processes that share the store agree on who
	// has it under way.
	{states.Announcing, Announced, states.Confirming, move, rules.RegSingleFlight},
	{states.Announcing, MarkFound, states.Recognizing, move, rules.RegSingleFlight},
	{states.Announcing, Cancelled, states.Withdrawing, move, rules.HouseCancel},
	{states.Announcing, CancelNoted, states.Announcing, hold, rules.HouseCancel},
	{states.Announcing, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Announcing, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},

	{states.Recognizing, MarkRecognized, states.Confirming, move, rules.RegSingleFlight},
	{states.Recognizing, MarkGone, states.Announcing, move, rules.HouseAskAgain},
	{states.Recognizing, MarkAhead, states.Announcing, move, rules.RegSingleFlight},
	{states.Recognizing, Announced, states.Confirming, move, rules.RegSingleFlight},
	{states.Recognizing, LoginUnderWay, states.Queuing, move, rules.RegSingleFlight},
	{states.Recognizing, Cancelled, states.Withdrawing, move, rules.HouseCancel},
	{states.Recognizing, CancelNoted, states.Recognizing, hold, rules.HouseCancel},
	{states.Recognizing, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Recognizing, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},

	{states.Confirming, StillNeeded, states.DiscoveringPRM, move, rules.PRMClientUses},
	{states.Confirming, ProviderLogin, states.DiscoveringASM, move, rules.ExtEMANoASRedirect},
	{states.Confirming, DeviceSought, states.RecoveringDevice, move, rules.ExtDeviceResponse},
	{states.Confirming, MetadataKnown, states.Binding, move, rules.Challenge403ResourceMetadata},
	{states.Confirming, ScopesToChoose, states.ChoosingScopes, move, rules.AuthzReqScopeMinimal},
	{states.Confirming, LoginAdopted, states.Withdrawing, move, rules.RefreshReloadFirst},
	{states.Confirming, RecordUnreadable, states.Withdrawing, move, rules.StoreVersioned},
	{states.Confirming, StoreLost, states.Withdrawing, move, rules.StoreLeaseTristate},
	{states.Confirming, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.Queuing, LookAgain, states.Peeking, move, rules.RegSingleFlight},
	{states.Queuing, Cancelled, states.Failed, move, rules.HouseCancel},
	{states.Queuing, CancelledWhileHolding, states.Authorized, move, rules.HouseCancel},

	{states.Peeking, LoginAdopted, states.Authorized, move, rules.RefreshReloadFirst},
	{states.Peeking, StillUnderWay, states.Announcing, move, rules.RegSingleFlight},
	{states.Peeking, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Peeking, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Peeking, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Peeking, Cancelled, states.Failed, move, rules.HouseCancel},
	{states.Peeking, CancelledWhileHolding, states.Authorized, move, rules.HouseCancel},

	// Discovery: who protects the resource, and where its issuer's endpoints are.
	{states.DiscoveringPRM, PRMFound, states.DiscoveringASM, move, rules.PRMASSelection},
	{states.DiscoveringPRM, ResourceToApprove, states.ApprovingResource, move, rules.PRMDisplayUntrusted},
	{states.DiscoveringPRM, IssuersToChoose, states.ChoosingIssuer, move, rules.PRMASSelection},
	{states.DiscoveringPRM, ScopesToChoose, states.ChoosingScopes, move, rules.AuthzReqScopeMinimal},
	{states.DiscoveringPRM, PRMMissing, states.DiscoveringPRM, move, rules.PRMProbeOrder},
	{states.DiscoveringPRM, PRMTrouble, states.DiscoveringPRM, move, rules.NetBackoffBounded},
	{states.DiscoveringPRM, PRMResourceMismatch, states.Withdrawing, move, rules.PRMResourceMatchWellknown},
	{states.DiscoveringPRM, PRMRefused, states.Withdrawing, move, rules.PRMJSONStrict},
	{states.DiscoveringPRM, PRMUnreachable, states.Withdrawing, move, rules.ASM5xxNotAbsent},
	{states.DiscoveringPRM, PRMAbsent, states.Withdrawing, move, rules.PRMServed},
	{states.DiscoveringPRM, IssuerConfigured, states.DiscoveringASM, move, rules.PRMServed},
	{states.DiscoveringPRM, LegacyServer, states.DiscoveringASM, move, rules.ASMLegacyBaseURL},
	{states.DiscoveringPRM, PreregisteredElsewhere, states.Withdrawing, move, rules.IssuerPreregMismatch},
	{states.DiscoveringPRM, IssuerNotAllowed, states.Withdrawing, move, rules.PRMASSelection},
	{states.DiscoveringPRM, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.DiscoveringASM, ASMFound, states.FindingClient, move, rules.ASMIssuerMatch},
	{states.DiscoveringASM, ClientConfigured, states.Binding, move, rules.RegPriority},
	{states.DiscoveringASM, OwnTokenWanted, states.Requesting, move, rules.ExtCCIssuerPinned},
	{states.DiscoveringASM, OwnTokenWantedToSign, states.SigningToRequest, move, rules.ExtCCAuth},
	{states.DiscoveringASM, WorkloadWanted, states.Asserting, move, rules.ExtWIFIssuerPinned},
	{states.DiscoveringASM, EnterpriseWanted, states.DiscoveringProvider, move, rules.ExtEMADiscovery},
	{states.DiscoveringASM, DeviceWanted, states.StartingDevice, move, rules.ExtDeviceRequest},
	{states.DiscoveringASM, DeviceMissing, states.Withdrawing, move, rules.ExtDeviceNotCore},
	{states.DiscoveringASM, MethodUnusable, states.Withdrawing, move, rules.ClientauthMTLSUnsupported},
	{states.DiscoveringASM, ASMMissing, states.DiscoveringASM, move, rules.ASMProbeOrder},
	{states.DiscoveringASM, ASMTrouble, states.DiscoveringASM, move, rules.NetBackoffBounded},
	{states.DiscoveringASM, IssuerSkipped, states.DiscoveringASM, move, rules.PRMASResolves},
	{states.DiscoveringASM, ASMIssuerMismatch, states.Withdrawing, move, rules.ASMIssuerMatch},
	{states.DiscoveringASM, ASMNoPKCE, states.Withdrawing, move, rules.ASMPKCEAdvertised},
	{states.DiscoveringASM, ASMRefused, states.Withdrawing, move, rules.ASMEndpointsHTTPS},
	{states.DiscoveringASM, ASMUnreachable, states.Withdrawing, move, rules.ASM5xxNotAbsent},
	{states.DiscoveringASM, ASMAbsent, states.Withdrawing, move, rules.ASMServed},
	{states.DiscoveringASM, BindingUnavailable, states.Withdrawing, move, rules.ExtDPoPAlgList},
	{states.DiscoveringASM, LegacyDefaults, states.FindingClient, move, rules.ASMLegacyDefaultEndpoints},
	{states.DiscoveringASM, LegacyDefaultsConfigured, states.Binding, move, rules.ASMLegacyDefaultEndpoints},
	{states.DiscoveringASM, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	// Asking: what the host decides about what discovery found. Each is asked only
	// where Config.Asks says so.
	{states.ApprovingResource, ResourceApproved, states.DiscoveringASM, move, rules.PRMASSelection},
	{states.ApprovingResource, IssuersToChoose, states.ChoosingIssuer, move, rules.PRMASSelection},
	{states.ApprovingResource, ScopesToChoose, states.ChoosingScopes, move, rules.AuthzReqScopeMinimal},
	{states.ApprovingResource, ResourceDeclined, states.Withdrawing, move, rules.IssuerTrustFirstUse},
	{states.ApprovingResource, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.ChoosingIssuer, IssuerChosen, states.DiscoveringASM, move, rules.PRMASSelection},
	{states.ChoosingIssuer, ScopesToChoose, states.ChoosingScopes, move, rules.AuthzReqScopeMinimal},
	{states.ChoosingIssuer, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.ChoosingScopes, ScopesChosen, states.DiscoveringASM, move, rules.AuthzReqScopeMinimal},
	{states.ChoosingScopes, ScopesChosenAgain, states.Binding, move, rules.StepupUnion},
	{states.ChoosingScopes, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	// Client: what the issuer knows the host as.
	{states.FindingClient, RegistrationFound, states.Binding, move, rules.RegReuse},
	{states.FindingClient, RegistrationStale, states.Binding, move, rules.DCRSecretExpired},
	{states.FindingClient, RegistrationMissing, states.Binding, move, rules.RegPriority},
	{states.FindingClient, ClientReady, states.Parking, move, rules.RegReuse},
	{states.FindingClient, RegistrationWanted, states.Registering, move, rules.RegReregisterOnce},
	{states.FindingClient, DeviceWanted, states.StartingDevice, move, rules.ExtDeviceRequest},
	{states.FindingClient, ClientMissing, states.Withdrawing, move, rules.RegAskUser},
	{states.FindingClient, RecordUnreadable, states.Withdrawing, move, rules.StoreVersioned},
	{states.FindingClient, StoreLost, states.Withdrawing, move, rules.StoreLeaseTristate},
	{states.FindingClient, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.Binding, ClientReady, states.Parking, move, rules.RegBindBeforeRegister},
	{states.Binding, RegistrationWanted, states.Registering, move, rules.RegPriority},
	{states.Binding, DeviceInstead, states.FindingClient, move, rules.ExtDeviceNotCore},
	{states.Binding, DeviceWanted, states.StartingDevice, move, rules.ExtDeviceRequest},
	{states.Binding, ClientUnread, states.FindingClient, move, rules.RegRedirectRegistered},
	{states.Binding, ClientNeeded, states.NeedingClient, move, rules.RegAskUser},
	{states.Binding, ClientMissing, states.Withdrawing, move, rules.RegAskUser},
	{states.Binding, MethodUnusable, states.Withdrawing, move, rules.ClientauthMTLSUnsupported},
	{states.Binding, RedirectUnavailable, states.Withdrawing, move, rules.RegBindBeforeRegister},
	{states.Binding, RequestRefused, states.Withdrawing, move, rules.AuthzReqParamOnce},
	{states.Binding, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.NeedingClient, ClientGiven, states.Filing, move, rules.RegAskUser},
	{states.NeedingClient, ClientMissing, states.Withdrawing, move, rules.RegAskUser},
	{states.NeedingClient, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	// Registration: the issuer gives the host a client (RFC 7591), which is kept or
	// dropped.
	{states.Registering, Registered, states.Filing, move, rules.DCRResponseAuthoritative},
	{states.Registering, InitialTokenDemanded, states.Registering, move, rules.DCRInitialAccessToken},
	{states.Registering, RegistrationAdjusted, states.Registering, move, rules.DCRAdjustedRetry},
	{states.Registering, RegistrationTrimmed, states.Registering, move, rules.DCRAdjustedRetry},
	{states.Registering, RegistrationTrouble, states.Registering, move, rules.NetBackoffBounded},
	{states.Registering, RegistrationLost, states.Registering, move, rules.RegReregisterOnce},
	{states.Registering, ClientNeeded, states.NeedingClient, move, rules.RegAskUser},
	{states.Registering, RegistrationRefused, states.Withdrawing, move, rules.DCRFailureShown},
	{states.Registering, RegistrationUnreachable, states.Withdrawing, move, rules.NetBackoffBounded},
	{states.Registering, EndpointGone, states.RereadingToRegister, move, rules.ASMCacheBounded},
	{states.Registering, ClientMissing, states.Withdrawing, move, rules.RegAskUser},

	{states.RereadingToRegister, EndpointMoved, states.Registering, move, rules.ASMCacheBounded},
	{states.RereadingToRegister, ASMMissing, states.RereadingToRegister, move, rules.ASMProbeOrder},
	{states.RereadingToRegister, ASMTrouble, states.RereadingToRegister, move, rules.NetBackoffBounded},
	{states.RereadingToRegister, ClientNeeded, states.NeedingClient, move, rules.RegAskUser},
	{states.RereadingToRegister, ClientMissing, states.Withdrawing, move, rules.RegAskUser},
	{states.RereadingToRegister, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.Filing, RegistrationFiled, states.Parking, move, rules.IssuerCredentialsKeyed},
	{states.Filing, RegistrationKept, states.Parking, move, rules.RegSingleFlight},
	{states.Filing, DeviceWanted, states.StartingDevice, move, rules.ExtDeviceRegistration},
	{states.Filing, RequestRefused, states.Withdrawing, move, rules.AuthzReqParamOnce},
	{states.Filing, StoreLost, states.Withdrawing, move, rules.StoreLeaseTristate},
	{states.Filing, Cancelled, states.Withdrawing, move, rules.HouseCancel},
	{states.Filing, CancelNoted, states.Filing, hold, rules.HouseCancel},

	{states.Refiling, MethodFiled, states.Withdrawing, move, rules.ClientauthFallbackOnce},
	{states.Refiling, MethodUnfiled, states.Withdrawing, move, rules.ClientauthFallbackOnce},
	{states.Refiling, CodeSpent, states.Closing, move, rules.ExtDeviceEnd},

	{states.Dropping, RegistrationDropped, states.Registering, move, rules.RegReregisterOnce},
	{states.Dropping, GivenClientDropped, states.Withdrawing, move, rules.RegAskUser},
	{states.Dropping, GivenClientKept, states.Withdrawing, move, rules.StoreLeaseTristate},

	// Visit: the login is parked, and the user decides in a browser.
	{states.Parking, LoginParked, states.Authorizing, move, rules.AuthzReqPendingFirst},
	{states.Parking, LoginRedrawn, states.Parking, move, rules.AuthzReqVerifierFresh},
	{states.Parking, StoreLost, states.Withdrawing, move, rules.AuthzReqPendingFirst},
	{states.Parking, Cancelled, states.Closing, move, rules.HouseCancel},
	{states.Parking, CancelNoted, states.Parking, hold, rules.HouseCancel},

	{states.Authorizing, CallbackReceived, states.Claiming, move, rules.AuthzRespStateOnce},
	{states.Authorizing, StateMismatch, states.Authorizing, hold, rules.AuthzRespStateMatch},
	{states.Authorizing, CallbackForeign, states.Authorizing, hold, rules.AuthzRespRedirectExact},
	{states.Authorizing, CheckDue, states.Checking, move, rules.AuthzRespClaimedOnce},
	{states.Authorizing, LoginExpired, states.Closing, move, rules.AuthzRespDeadline},
	{states.Authorizing, RegistrationDoubted, states.Distrusting, move, rules.RegReregisterOnce},
	{states.Authorizing, VisitRefused, states.Closing, move, rules.AuthzReqURLHostPolicy},
	{states.Authorizing, VisitFailed, states.Closing, move, rules.HouseVisit},
	{states.Authorizing, LoginResumed, states.Authorizing, hold, rules.AuthzRespClaimedOnce},
	{states.Authorizing, Cancelled, states.Closing, move, rules.HouseCancel},

	{states.Checking, NothingYet, states.Authorizing, move, rules.AuthzRespClaimedOnce},
	{states.Checking, MarkDue, states.Remarking, move, rules.RegSingleFlight},
	{states.Checking, LoginAdopted, states.Closing, move, rules.AuthzRespClaimedOnce},
	{states.Checking, CallbackReceived, states.Claiming, move, rules.AuthzRespStateOnce},
	{states.Checking, StateMismatch, states.Checking, hold, rules.AuthzRespStateMatch},
	{states.Checking, CallbackForeign, states.Checking, hold, rules.AuthzRespRedirectExact},
	{states.Checking, LoginExpired, states.Closing, move, rules.AuthzRespDeadline},
	{states.Checking, RegistrationDoubted, states.Distrusting, move, rules.RegReregisterOnce},
	{states.Checking, VisitRefused, states.Closing, move, rules.AuthzReqURLHostPolicy},
	{states.Checking, VisitFailed, states.Closing, move, rules.HouseVisit},
	{states.Checking, Cancelled, states.Closing, move, rules.HouseCancel},

	{states.Remarking, MarkRenewed, states.Authorizing, move, rules.RegSingleFlight},
	{states.Remarking, MarkLost, states.Authorizing, move, rules.RegSingleFlight},
	{states.Remarking, CallbackReceived, states.Claiming, move, rules.AuthzRespStateOnce},
	{states.Remarking, StateMismatch, states.Remarking, hold, rules.AuthzRespStateMatch},
	{states.Remarking, CallbackForeign, states.Remarking, hold, rules.AuthzRespRedirectExact},
	{states.Remarking, LoginExpired, states.Closing, move, rules.AuthzRespDeadline},
	{states.Remarking, RegistrationDoubted, states.Distrusting, move, rules.RegReregisterOnce},
	{states.Remarking, VisitRefused, states.Closing, move, rules.AuthzReqURLHostPolicy},
	{states.Remarking, VisitFailed, states.Closing, move, rules.HouseVisit},
	{states.Remarking, Cancelled, states.Closing, move, rules.HouseCancel},

	// Claiming: the user came back, and one replica continues with the callback.
	{states.Claiming, CodeReceived, states.Exchanging, move, rules.IssuerBeforeToken},
	{states.Claiming, CodeReceivedToSign, states.SigningToExchange, move, rules.ClientauthJWTFresh},
	{states.Claiming, ClaimLost, states.Queuing, move, rules.AuthzRespClaimedOnce},
	{states.Claiming, ClaimLostAgain, states.Withdrawing, move, rules.AuthzRespClaimedOnce},
	{states.Claiming, ClaimDoubted, states.Queuing, move, rules.AuthzRespClaimedOnce},
	{states.Claiming, IssuerMismatch, states.Withdrawing, move, rules.IssuerResponseCompare},
	{states.Claiming, IssuerMissing, states.Withdrawing, move, rules.IssuerResponseRequired},
	{states.Claiming, CallbackMalformed, states.Withdrawing, move, rules.AuthzRespParamOnce},
	{states.Claiming, AuthorizationDenied, states.Withdrawing, move, rules.AuthzRespDeniedKeeps},
	{states.Claiming, AuthorizationRefused, states.Withdrawing, move, rules.AuthzRespErrorCode},
	{states.Claiming, ScopeRefused, states.Parking, move, rules.AuthzReqScopeOmit},
	{states.Claiming, InteractionNeeded, states.Parking, move, rules.AuthzRespErrorCode},
	{states.Claiming, DocumentRefused, states.Registering, move, rules.CIMDAdvertisedButRefused},
	{states.Claiming, RegistrationTooNarrow, states.Dropping, move, rules.DCRScopeIncluded},
	{states.Claiming, ClientUnknown, states.Dropping, move, rules.RegReregisterOnce},
	{states.Claiming, ClientUnread, states.FindingClient, move, rules.RegReregisterOnce},
	{states.Claiming, GivenClientRefused, states.Dropping, move, rules.RegAskUser},
	{states.Claiming, StoreLost, states.Withdrawing, move, rules.StoreLeaseTristate},
	{states.Claiming, Cancelled, states.Withdrawing, move, rules.HouseCancel},
	{states.Claiming, CancelNoted, states.Claiming, hold, rules.HouseCancel},

	// Exchange: the code becomes a token.
	{states.Exchanging, TokenIssued, states.Saving, move, rules.TokenRespAccessToken},
	{states.Exchanging, TokenNarrowed, states.Saving, move, rules.TokenRespScopeNarrowed},
	{states.Exchanging, MethodRetried, states.Exchanging, move, rules.ClientauthFallbackOnce},
	{states.Exchanging, MethodRetriedToSign, states.SigningToExchange, move, rules.ExtDPoPFresh},
	{states.Exchanging, NonceDemanded, states.SigningToExchange, move, rules.ExtDPoPASNonce},
	{states.Exchanging, ClockLearned, states.SigningToExchange, move, rules.ExtDPoPClock},
	{states.Exchanging, ExchangeTrouble, states.Exchanging, move, rules.TokenReqCodeOnce},
	{states.Exchanging, ExchangeTroubleToSign, states.SigningToExchange, move, rules.ClientauthJWTFresh},
	{states.Exchanging, CodeRefused, states.Parking, move, rules.TokenReqCodeOnce},
	{states.Exchanging, ExchangeLost, states.Parking, move, rules.TokenReqCodeOnce},
	{states.Exchanging, InteractionNeeded, states.Parking, move, rules.TokenRespErrorVsTransient},
	{states.Exchanging, DocumentRefused, states.Registering, move, rules.CIMDAdvertisedButRefused},
	{states.Exchanging, ClientUnknown, states.Dropping, move, rules.RegReregisterOnce},
	{states.Exchanging, ClientUnread, states.FindingClient, move, rules.RegReregisterOnce},
	{states.Exchanging, GivenClientRefused, states.Dropping, move, rules.RegAskUser},
	{states.Exchanging, ClientRefused, states.Withdrawing, move, rules.PreregNeverReplaced},
	{states.Exchanging, ExchangeRefused, states.Withdrawing, move, rules.TokenRespErrorStatus},
	{states.Exchanging, TokenRefused, states.Withdrawing, move, rules.TokenRespJSONStrict},
	{states.Exchanging, ExchangeUnreachable, states.Withdrawing, move, rules.NetBackoffBounded},
	{states.Exchanging, EndpointGone, states.RereadingToExchange, move, rules.ASMCacheBounded},

	{states.RereadingToExchange, EndpointMoved, states.Parking, move, rules.TokenReqCodeOnce},
	{states.RereadingToExchange, ASMMissing, states.RereadingToExchange, move, rules.ASMProbeOrder},
	{states.RereadingToExchange, ASMTrouble, states.RereadingToExchange, move, rules.NetBackoffBounded},
	{states.RereadingToExchange, TokenRefused, states.Withdrawing, move, rules.TokenRespErrorStatus},
	{states.RereadingToExchange, RequestRefused, states.Withdrawing, move, rules.AuthzReqParamOnce},
	{states.RereadingToExchange, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	// Device: the user is shown a code, to decide at another device.
	{states.RecoveringDevice, CodeResumed, states.AwaitingUser, move, rules.ExtDeviceResponse},
	{states.RecoveringDevice, StillNeeded, states.DiscoveringPRM, move, rules.PRMClientUses},
	{states.RecoveringDevice, StoreLost, states.Withdrawing, move, rules.StoreLeaseTristate},
	{states.RecoveringDevice, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.StartingDevice, DeviceStarted, states.ParkingDevice, move, rules.ExtDeviceResponse},
	{states.StartingDevice, MethodRetried, states.StartingDevice, move, rules.ClientauthFallbackOnce},
	{states.StartingDevice, DeviceTrouble, states.StartingDevice, move, rules.NetBackoffBounded},
	{states.StartingDevice, ClientUnknown, states.Dropping, move, rules.RegReregisterOnce},
	{states.StartingDevice, ClientRefused, states.Withdrawing, move, rules.PreregNeverReplaced},
	{states.StartingDevice, DeviceRefused, states.Withdrawing, move, rules.ExtDeviceResponse},
	{states.StartingDevice, DeviceUnreachable, states.Withdrawing, move, rules.NetBackoffBounded},
	{states.StartingDevice, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.ParkingDevice, CodeParked, states.AwaitingUser, move, rules.ExtDeviceResponse},
	{states.ParkingDevice, CodeUnparked, states.AwaitingUser, move, rules.StoreLeaseTristate},
	{states.ParkingDevice, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	// Polling: the issuer is asked whether the user has decided.
	{states.AwaitingUser, PollDue, states.Polling, move, rules.ExtDevicePoll},
	{states.AwaitingUser, PollDueToSign, states.SigningToPoll, move, rules.ExtDPoPFresh},
	{states.AwaitingUser, MarkDue, states.RemarkingDevice, move, rules.RegSingleFlight},
	{states.AwaitingUser, LoginExpired, states.Closing, move, rules.ExtDeviceEnd},
	{states.AwaitingUser, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.RemarkingDevice, MarkRenewed, states.AwaitingUser, move, rules.RegSingleFlight},
	{states.RemarkingDevice, MarkLost, states.AwaitingUser, move, rules.RegSingleFlight},
	{states.RemarkingDevice, PollerReplaced, states.Announcing, move, rules.RegSingleFlight},
	{states.RemarkingDevice, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.SigningToPoll, ProofSigned, states.Polling, move, rules.ExtDPoPTokenProof},
	{states.SigningToPoll, KeyFailed, states.Withdrawing, move, rules.ExtDPoPTokenProof},
	{states.SigningToPoll, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.Polling, TokenIssued, states.Saving, move, rules.TokenRespAccessToken},
	{states.Polling, TokenNarrowed, states.Saving, move, rules.TokenRespScopeNarrowed},
	{states.Polling, PollPending, states.AwaitingUser, move, rules.ExtDevicePoll},
	{states.Polling, PollSlowed, states.ParkingDevice, move, rules.ExtDeviceSlowDown},
	{states.Polling, PollTrouble, states.ParkingDevice, move, rules.ExtDeviceTimeoutBackoff},
	{states.Polling, MethodRetried, states.Polling, move, rules.ClientauthFallbackOnce},
	{states.Polling, MethodRetriedToSign, states.SigningToPoll, move, rules.ExtDPoPFresh},
	{states.Polling, NonceDemanded, states.SigningToPoll, move, rules.ExtDPoPASNonce},
	{states.Polling, ClockLearned, states.SigningToPoll, move, rules.ExtDPoPClock},
	{states.Polling, LoginExpired, states.Closing, move, rules.ExtDeviceEnd},
	{states.Polling, AuthorizationDenied, states.Closing, move, rules.ExtDeviceEnd},
	{states.Polling, ClientRefused, states.Closing, move, rules.PreregNeverReplaced},
	{states.Polling, ExchangeRefused, states.Closing, move, rules.TokenRespErrorStatus},
	{states.Polling, TokenRefused, states.Closing, move, rules.TokenRespJSONStrict},
	{states.Polling, Cancelled, states.Withdrawing, move, rules.HouseCancel},
	{states.Polling, CancelNoted, states.Polling, hold, rules.HouseCancel},

	// Requesting: the client asks for a token in its own name; no user takes part.
	{states.Requesting, TokenIssued, states.Saving, move, rules.ExtCCGrant},
	{states.Requesting, TokenNarrowed, states.Saving, move, rules.TokenRespScopeNarrowed},
	{states.Requesting, MethodRetried, states.Requesting, move, rules.ClientauthFallbackOnce},
	{states.Requesting, MethodRetriedToSign, states.SigningToRequest, move, rules.ExtDPoPFresh},
	{states.Requesting, NonceDemanded, states.SigningToRequest, move, rules.ExtDPoPASNonce},
	{states.Requesting, ClockLearned, states.SigningToRequest, move, rules.ExtDPoPClock},
	{states.Requesting, RequestTrouble, states.Requesting, move, rules.NetBackoffBounded},
	{states.Requesting, RequestTroubleToSign, states.SigningToRequest, move, rules.ClientauthJWTFresh},
	{states.Requesting, ClientRefused, states.Withdrawing, move, rules.PreregNeverReplaced},
	{states.Requesting, RequestDenied, states.Withdrawing, move, rules.ExtCCNoBrowser},
	{states.Requesting, TokenRefused, states.Withdrawing, move, rules.TokenRespJSONStrict},
	{states.Requesting, RequestUnreachable, states.Withdrawing, move, rules.NetBackoffBounded},

	{states.Renewing, TokenRefreshed, states.Rotating, move, rules.ExtCCRenew},
	{states.Renewing, MethodRetried, states.Renewing, move, rules.ClientauthFallbackOnce},
	{states.Renewing, MethodRetriedToSign, states.SigningToRenew, move, rules.ExtDPoPFresh},
	{states.Renewing, NonceDemanded, states.SigningToRenew, move, rules.ExtDPoPASNonce},
	{states.Renewing, ClockLearned, states.SigningToRenew, move, rules.ExtDPoPClock},
	{states.Renewing, RefreshTrouble, states.Renewing, move, rules.NetBackoffBounded},
	{states.Renewing, RefreshTroubleToSign, states.SigningToRenew, move, rules.ClientauthJWTFresh},
	{states.Renewing, RefreshUnreachable, states.Unmarking, move, rules.RefreshValidTokenUsable},
	{states.Renewing, RefreshRefused, states.Unmarking, move, rules.RefreshValidTokenUsable},
	{states.Renewing, RenewalDenied, states.Unmarking, move, rules.ExtCCNoBrowser},

	// Workload: the platform's assertion about the workload is exchanged for a token.
	{states.Asserting, AssertionGiven, states.Presenting, move, rules.ExtWIFAssertion},
	{states.Asserting, AssertionGivenToSign, states.SigningToPresent, move, rules.ExtDPoPFresh},
	{states.Asserting, AssertionUnusable, states.Withdrawing, move, rules.ExtWIFAudEither},
	{states.Asserting, SourceFailed, states.Withdrawing, move, rules.ExtWIFAssertion},
	{states.Asserting, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.SigningToPresent, ProofSigned, states.Presenting, move, rules.ExtDPoPTokenProof},
	{states.SigningToPresent, AskedAgainToAssert, states.Asserting, move, rules.ExtWIFAssertion},
	{states.SigningToPresent, KeyFailed, states.Withdrawing, move, rules.ExtDPoPTokenProof},
	{states.SigningToPresent, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.Presenting, TokenIssued, states.Saving, move, rules.ExtWIFGrant},
	{states.Presenting, TokenNarrowed, states.Saving, move, rules.TokenRespScopeNarrowed},
	{states.Presenting, RequestTroubleToAssert, states.Asserting, move, rules.ExtWIFAssertion},
	{states.Presenting, AskedAgainToAssert, states.Asserting, move, rules.ExtWIFAssertion},
	{states.Presenting, NonceDemanded, states.Asserting, move, rules.ExtDPoPASNonce},
	{states.Presenting, ClockLearned, states.Asserting, move, rules.ExtDPoPClock},
	{states.Presenting, AssertionRefused, states.Withdrawing, move, rules.ExtWIFNoRetry},
	{states.Presenting, RequestDenied, states.Withdrawing, move, rules.ExtWIFNoFallback},
	{states.Presenting, TokenRefused, states.Withdrawing, move, rules.TokenRespJSONStrict},
	{states.Presenting, RequestUnreachable, states.Withdrawing, move, rules.NetBackoffBounded},

	{states.AssertingAgain, AssertionGiven, states.PresentingAgain, move, rules.ExtWIFAssertion},
	{states.AssertingAgain, AssertionGivenToSign, states.SigningToPresentAgain, move, rules.ExtDPoPFresh},
	{states.AssertingAgain, AssertionUnusable, states.Unmarking, move, rules.ExtWIFAudEither},
	{states.AssertingAgain, SourceFailed, states.Unmarking, move, rules.RefreshValidTokenUsable},

	{states.SigningToPresentAgain, ProofSigned, states.PresentingAgain, move, rules.ExtDPoPTokenProof},
	{states.SigningToPresentAgain, AskedAgainToAssert, states.AssertingAgain, move, rules.ExtWIFAssertion},
	{states.SigningToPresentAgain, KeyFailed, states.Unmarking, move, rules.RefreshValidTokenUsable},

	{states.PresentingAgain, TokenRefreshed, states.Rotating, move, rules.ExtWIFGrant},
	{states.PresentingAgain, RefreshTroubleToAssert, states.AssertingAgain, move, rules.ExtWIFAssertion},
	{states.PresentingAgain, AskedAgainToAssert, states.AssertingAgain, move, rules.ExtWIFAssertion},
	{states.PresentingAgain, NonceDemanded, states.AssertingAgain, move, rules.ExtDPoPASNonce},
	{states.PresentingAgain, ClockLearned, states.AssertingAgain, move, rules.ExtDPoPClock},
	{states.PresentingAgain, RefreshUnreachable, states.Unmarking, move, rules.RefreshValidTokenUsable},
	{states.PresentingAgain, RefreshRefused, states.Unmarking, move, rules.RefreshValidTokenUsable},
	{states.PresentingAgain, RenewalDenied, states.Unmarking, move, rules.ExtWIFNoRetry},

	// Enterprise: a company's identity provider says who the user is, and that is
	// exchanged for a token in two steps. The user visits only the provider.
	{states.DiscoveringProvider, ProviderFound, states.Identifying, move, rules.ExtEMAIdPNoPKCEList},
	{states.DiscoveringProvider, ASMMissing, states.DiscoveringProvider, move, rules.ASMProbeOrder},
	{states.DiscoveringProvider, ASMTrouble, states.DiscoveringProvider, move, rules.NetBackoffBounded},
	{states.DiscoveringProvider, MethodUnusable, states.Withdrawing, move, rules.ExtEMAIdPClientAuth},
	{states.DiscoveringProvider, ASMIssuerMismatch, states.Withdrawing, move, rules.ASMIssuerMatch},
	{states.DiscoveringProvider, ASMRefused, states.Withdrawing, move, rules.ExtEMAHTTPS},
	{states.DiscoveringProvider, ASMUnreachable, states.Withdrawing, move, rules.ASM5xxNotAbsent},
	{states.DiscoveringProvider, ASMAbsent, states.Withdrawing, move, rules.ASMServed},
	{states.DiscoveringProvider, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.Identifying, IdentityGiven, states.ExchangingIdentity, move, rules.ExtEMAIDTokenStays},
	{states.Identifying, IdentityUnusable, states.Withdrawing, move, rules.ExtEMAIDTokenStays},
	{states.Identifying, IdentityMissing, states.Withdrawing, move, rules.ExtEMARenew},
	{states.Identifying, UserNeeded, states.Withdrawing, move, rules.ExtEMARenew},
	{states.Identifying, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.ExchangingIdentity, JAGGiven, states.Redeeming, move, rules.ExtEMAExchangeResponse},
	{states.ExchangingIdentity, JAGGivenToSign, states.SigningToRedeem, move, rules.ExtDPoPFresh},
	{states.ExchangingIdentity, JAGUnusable, states.Withdrawing, move, rules.ExtEMAJAGClaims},
	{states.ExchangingIdentity, IdentityStale, states.Identifying, move, rules.ExtEMARenew},
	{states.ExchangingIdentity, MethodRetriedToIdentify, states.Identifying, move, rules.ClientauthFallbackOnce},
	{states.ExchangingIdentity, RequestTroubleToIdentify, states.Identifying, move, rules.NetBackoffBounded},
	{states.ExchangingIdentity, AskedAgainToIdentify, states.Identifying, move, rules.HouseAskAgain},
	{states.ExchangingIdentity, ClientRefused, states.Withdrawing, move, rules.PreregNeverReplaced},
	{states.ExchangingIdentity, RequestDenied, states.Withdrawing, move, rules.ExtEMAExchange},
	{states.ExchangingIdentity, TokenRefused, states.Withdrawing, move, rules.ExtEMAExchangeResponse},
	{states.ExchangingIdentity, RequestUnreachable, states.Withdrawing, move, rules.NetBackoffBounded},

	{states.SigningToRedeem, ProofSigned, states.Redeeming, move, rules.ExtDPoPTokenProof},
	{states.SigningToRedeem, AskedAgainToIdentify, states.Identifying, move, rules.ExtEMAReplay},
	{states.SigningToRedeem, KeyFailed, states.Withdrawing, move, rules.ExtDPoPTokenProof},
	{states.SigningToRedeem, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.Redeeming, TokenIssued, states.Saving, move, rules.ExtEMAGrant},
	{states.Redeeming, TokenNarrowed, states.Saving, move, rules.TokenRespScopeNarrowed},
	{states.Redeeming, MethodRetriedToIdentify, states.Identifying, move, rules.ExtEMAReplay},
	{states.Redeeming, RequestTroubleToIdentify, states.Identifying, move, rules.ExtEMAReplay},
	{states.Redeeming, AskedAgainToIdentify, states.Identifying, move, rules.ExtEMAReplay},
	{states.Redeeming, NonceDemanded, states.Identifying, move, rules.ExtEMAReplay},
	{states.Redeeming, ClockLearned, states.Identifying, move, rules.ExtEMAReplay},
	{states.Redeeming, ClientRefused, states.Withdrawing, move, rules.PreregNeverReplaced},
	{states.Redeeming, AssertionRefused, states.Withdrawing, move, rules.ExtEMANoASRedirect},
	{states.Redeeming, RequestDenied, states.Withdrawing, move, rules.ExtEMANoASRedirect},
	{states.Redeeming, TokenRefused, states.Withdrawing, move, rules.TokenRespJSONStrict},
	{states.Redeeming, RequestUnreachable, states.Withdrawing, move, rules.NetBackoffBounded},

	{states.IdentifyingAgain, IdentityGiven, states.ExchangingIdentityAgain, move, rules.ExtEMAIDTokenStays},
	{states.IdentifyingAgain, IdentityMissing, states.Unmarking, move, rules.RefreshValidTokenUsable},
	{states.IdentifyingAgain, IdentityUnusable, states.Relinquishing, move, rules.ExtEMARenew},
	{states.IdentifyingAgain, UserNeeded, states.Relinquishing, move, rules.ExtEMARenew},

	{states.ExchangingIdentityAgain, JAGGiven, states.RedeemingAgain, move, rules.ExtEMAExchangeResponse},
	{states.ExchangingIdentityAgain, JAGGivenToSign, states.SigningToRedeemAgain, move, rules.ExtDPoPFresh},
	{states.ExchangingIdentityAgain, JAGUnusable, states.Unmarking, move, rules.ExtEMAJAGClaims},
	{states.ExchangingIdentityAgain, IdentityStale, states.IdentifyingAgain, move, rules.ExtEMARenew},
	{states.ExchangingIdentityAgain, UserNeeded, states.Relinquishing, move, rules.ExtEMARenew},
	{states.ExchangingIdentityAgain, MethodRetriedToIdentify, states.IdentifyingAgain, move, rules.ClientauthFallbackOnce},
	{states.ExchangingIdentityAgain, RefreshTroubleToIdentify, states.IdentifyingAgain, move, rules.NetBackoffBounded},
	{states.ExchangingIdentityAgain, AskedAgainToIdentify, states.IdentifyingAgain, move, rules.HouseAskAgain},
	{states.ExchangingIdentityAgain, RefreshUnreachable, states.Unmarking, move, rules.RefreshValidTokenUsable},
	{states.ExchangingIdentityAgain, RefreshRefused, states.Unmarking, move, rules.RefreshValidTokenUsable},
	{states.ExchangingIdentityAgain, RenewalDenied, states.Unmarking, move, rules.ExtEMAExchange},

	{states.SigningToRedeemAgain, ProofSigned, states.RedeemingAgain, move, rules.ExtDPoPTokenProof},
	{states.SigningToRedeemAgain, AskedAgainToIdentify, states.IdentifyingAgain, move, rules.ExtEMAReplay},
	{states.SigningToRedeemAgain, KeyFailed, states.Unmarking, move, rules.RefreshValidTokenUsable},

	{states.RedeemingAgain, TokenRefreshed, states.Rotating, move, rules.ExtEMARenew},
	{states.RedeemingAgain, MethodRetriedToIdentify, states.IdentifyingAgain, move, rules.ExtEMAReplay},
	{states.RedeemingAgain, RefreshTroubleToIdentify, states.IdentifyingAgain, move, rules.ExtEMAReplay},
	{states.RedeemingAgain, AskedAgainToIdentify, states.IdentifyingAgain, move, rules.ExtEMAReplay},
	{states.RedeemingAgain, NonceDemanded, states.IdentifyingAgain, move, rules.ExtEMAReplay},
	{states.RedeemingAgain, ClockLearned, states.IdentifyingAgain, move, rules.ExtEMAReplay},
	{states.RedeemingAgain, RefreshUnreachable, states.Unmarking, move, rules.RefreshValidTokenUsable},
	{states.RedeemingAgain, RefreshRefused, states.Unmarking, move, rules.RefreshValidTokenUsable},
	{states.RedeemingAgain, RenewalDenied, states.Unmarking, move, rules.ExtEMANoASRedirect},

	// Signing: the client's assertion or the proof for one request is signed by a key
	// that the machine does not hold.
	{states.SigningToExchange, AssertionSigned, states.Exchanging, move, rules.ClientauthJWTClaims},
	{states.SigningToExchange, ProofNext, states.SigningToExchange, move, rules.ExtDPoPTokenProof},
	{states.SigningToExchange, ProofSigned, states.Exchanging, move, rules.ExtDPoPTokenProof},
	{states.SigningToExchange, KeyFailed, states.Withdrawing, move, rules.ClientauthConfidential},
	{states.SigningToExchange, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.SigningToRequest, AssertionSigned, states.Requesting, move, rules.ClientauthJWTClaims},
	{states.SigningToRequest, ProofNext, states.SigningToRequest, move, rules.ExtDPoPTokenProof},
	{states.SigningToRequest, ProofSigned, states.Requesting, move, rules.ExtDPoPTokenProof},
	{states.SigningToRequest, KeyFailed, states.Withdrawing, move, rules.ClientauthConfidential},
	{states.SigningToRequest, Cancelled, states.Withdrawing, move, rules.HouseCancel},

	{states.SigningToRetire, AssertionSigned, states.Retiring, move, rules.RevokeClientAuth},
	{states.SigningToRetire, KeyFailed, states.Authorized, move, rules.RevokeBestEffort},
	{states.SigningToRetire, RevocationPutOff, states.Authorized, move, rules.IssuerChangeKeepsOld},

	{states.SigningToRefresh, AssertionSigned, states.Refreshing, move, rules.ClientauthJWTClaims},
	{states.SigningToRefresh, ProofNext, states.SigningToRefresh, move, rules.ExtDPoPTokenProof},
	{states.SigningToRefresh, ProofSigned, states.Refreshing, move, rules.ExtDPoPTokenProof},
	{states.SigningToRefresh, KeyFailed, states.Unmarking, move, rules.RefreshTransientKeeps},

	{states.SigningToRenew, AssertionSigned, states.Renewing, move, rules.ClientauthJWTClaims},
	{states.SigningToRenew, ProofNext, states.SigningToRenew, move, rules.ExtDPoPTokenProof},
	{states.SigningToRenew, ProofSigned, states.Renewing, move, rules.ExtDPoPTokenProof},
	{states.SigningToRenew, KeyFailed, states.Unmarking, move, rules.RefreshValidTokenUsable},

	{states.SigningToDispose, AssertionSigned, states.Disposing, move, rules.RevokeClientAuth},
	{states.SigningToDispose, KeyFailed, states.Anonymous, move, rules.RevokeBestEffort},

	{states.SigningToRevoke, AssertionSigned, states.Revoking, move, rules.RevokeClientAuth},
	{states.SigningToRevoke, KeyFailed, states.Erasing, move, rules.RevokeBestEffort},

	// Saving: what a login obtained is stored; nothing that others stored
	// meanwhile is lost.
	{states.Saving, CredentialSaved, states.Withdrawing, move, rules.RefreshCASSave},
	{states.Saving, CodeSpent, states.Closing, move, rules.ExtDeviceEnd},
	{states.Saving, MethodLearned, states.Refiling, move, rules.ClientauthFallbackOnce},
	{states.Saving, CredentialChanged, states.Merging, move, rules.RefreshCASSave},
	{states.Saving, SaveFailed, states.Resaving, move, rules.RefreshStaleRestore},

	{states.Merging, PutOver, states.Saving, move, rules.StoreSchemaPreserving},
	{states.Merging, AlreadySaved, states.Withdrawing, move, rules.RefreshCASSave},
	{states.Merging, CodeSpent, states.Closing, move, rules.ExtDeviceEnd},
	{states.Merging, SaveFailed, states.Resaving, move, rules.RefreshStaleRestore},
	{states.Merging, RecordUnreadable, states.Withdrawing, move, rules.StoreVersioned},

	{states.Resaving, CredentialSaved, states.Withdrawing, move, rules.RefreshCASSave},
	{states.Resaving, CodeSpent, states.Closing, move, rules.ExtDeviceEnd},
	{states.Resaving, Rotated, states.Authorized, move, rules.RefreshCASSave},
	{states.Resaving, CredentialChanged, states.Merging, move, rules.RefreshCASSave},
	{states.Resaving, RotationConflict, states.Reconciling, move, rules.RefreshStaleRestore},
	{states.Resaving, SaveFailed, states.Resaving, move, rules.NetBackoffBounded},

	// Ending: a login has succeeded or failed. What it left in the store and what it
	// has replaced is cleared away.
	{states.Distrusting, RegistrationDropped, states.Closing, move, rules.RegReregisterOnce},
	{states.Distrusting, RegistrationKept, states.Closing, move, rules.StoreLeaseTristate},

	{states.Closing, LoginClosed, states.Withdrawing, move, rules.LogoutConditional},

	{states.Withdrawing, LoginDone, states.Authorized, move, rules.StepupOldTokenKept},
	{states.Withdrawing, GrantsLeft, states.Retiring, move, rules.IssuerChangeKeepsOld},
	{states.Withdrawing, GrantsLeftToSign, states.SigningToRetire, move, rules.IssuerChangeKeepsOld},
	{states.Withdrawing, GrantsUnrevocable, states.Pruning, move, rules.RevokeNoEndpoint},
	{states.Withdrawing, DeniedWhileHolding, states.Authorized, move, rules.StepupOldTokenKept},
	{states.Withdrawing, LoginFailed, states.Failed, move, rules.LogFirstCause},

	{states.Retiring, RevokedOne, states.Retiring, move, rules.RevokeOrder},
	{states.Retiring, RevocationTrouble, states.Retiring, move, rules.Revoke503Retry},
	{states.Retiring, RevokedOneToSign, states.SigningToRetire, move, rules.ClientauthJWTFresh},
	{states.Retiring, RevocationTroubleToSign, states.SigningToRetire, move, rules.ClientauthJWTFresh},
	{states.Retiring, RevocationDone, states.Pruning, move, rules.RevokeBestEffort},
	{states.Retiring, RevocationPutOff, states.Authorized, move, rules.IssuerChangeKeepsOld},

	{states.Pruning, GrantsRetired, states.Authorized, move, rules.IssuerChangeKeepsOld},
	{states.Pruning, GrantsKept, states.Authorized, move, rules.RefreshCASSave},

	{states.Accepting, AcceptanceSaved, states.Authorized, move, rules.ChallengeFreshTokenLoop},
	{states.Accepting, AcceptanceLost, states.Authorized, move, rules.RefreshCASSave},

	// Lease: one of the processes that share the store refreshes. It stores the intent
	// in the record before it sends anything.
	{states.Leasing, Leased, states.Reloading, move, rules.RefreshTransaction},
	{states.Leasing, LeaseHeld, states.Waiting, move, rules.StoreLeaseTristate},
	{states.Leasing, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Leasing, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},

	{states.Waiting, LookAgain, states.Looking, move, rules.RefreshTransaction},

	{states.Looking, Adopted, states.Authorized, move, rules.RefreshReloadFirst},
	{states.Looking, StillHeld, states.Leasing, move, rules.RefreshTransaction},
	{states.Looking, WaitedTooLong, states.Failed, move, rules.NetBackoffBounded},
	{states.Looking, WaitedWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Looking, CredentialGone, states.Anonymous, move, rules.LogoutConditional},
	{states.Looking, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Looking, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Looking, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},

	{states.Reloading, LeaseRanOut, states.Leasing, move, rules.RefreshTransaction},
	{states.Reloading, RefreshDue, states.Marking, move, rules.RefreshReloadFirst},
	{states.Reloading, Adopted, states.Authorized, move, rules.RefreshReloadFirst},
	{states.Reloading, IntentLive, states.Waiting, move, rules.RefreshTransaction},
	{states.Reloading, WaitedTooLong, states.Failed, move, rules.NetBackoffBounded},
	{states.Reloading, WaitedWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Reloading, RefreshGivenUp, states.Relinquishing, move, rules.RefreshAmbiguousOnce},
	{states.Reloading, RefreshPutOff, states.Failed, move, rules.RefreshAmbiguousOnce},
	{states.Reloading, RefreshPutOffWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Reloading, NothingToSpend, states.Announcing, move, rules.TokenRespRefreshOptional},
	{states.Reloading, NothingToSpendQuietly, states.Anonymous, move, rules.TokenRespRefreshOptional},
	{states.Reloading, NothingToSpendWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Reloading, CredentialGone, states.Anonymous, move, rules.LogoutConditional},
	{states.Reloading, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Reloading, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Reloading, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},

	{states.Marking, IntentMarked, states.Refreshing, move, rules.RefreshTransaction},
	{states.Marking, IntentMarkedToSign, states.SigningToRefresh, move, rules.RefreshTransaction},
	{states.Marking, IntentMarkedToRenew, states.Renewing, move, rules.ExtCCRenew},
	{states.Marking, IntentMarkedToSignRenewal, states.SigningToRenew, move, rules.ExtCCRenew},
	{states.Marking, IntentMarkedToAssert, states.AssertingAgain, move, rules.ExtWIFAssertion},
	{states.Marking, IntentMarkedToIdentify, states.IdentifyingAgain, move, rules.ExtEMARenew},
	{states.Marking, IntentConflict, states.Reloading, move, rules.RefreshCASSave},
	{states.Marking, WaitedTooLong, states.Failed, move, rules.NetBackoffBounded},
	{states.Marking, WaitedWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Marking, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Marking, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},

	// Refresh: the refresh token is spent under the lease and the stored intent.
	{states.Refreshing, TokenRefreshed, states.Rotating, move, rules.RefreshRotationAdopt},
	{states.Refreshing, GrantInvalid, states.Doubting, move, rules.RefreshInvalidGrantReload},
	{states.Refreshing, MethodRetried, states.Refreshing, move, rules.ClientauthFallbackOnce},
	{states.Refreshing, MethodRetriedToSign, states.SigningToRefresh, move, rules.ExtDPoPFresh},
	{states.Refreshing, NonceDemanded, states.SigningToRefresh, move, rules.ExtDPoPASNonce},
	{states.Refreshing, ClockLearned, states.SigningToRefresh, move, rules.ExtDPoPClock},
	{states.Refreshing, RefreshTrouble, states.Refreshing, move, rules.RefreshTransientKeeps},
	{states.Refreshing, RefreshTroubleToSign, states.SigningToRefresh, move, rules.ClientauthJWTFresh},
	{states.Refreshing, AnswerLost, states.Reloading, move, rules.RefreshAmbiguousOnce},
	{states.Refreshing, AnswerLostAgain, states.Unmarking, move, rules.RefreshAmbiguousOnce},
	{states.Refreshing, RefreshGivenUp, states.Relinquishing, move, rules.RefreshAmbiguousOnce},
	{states.Refreshing, RefreshUnreachable, states.Unmarking, move, rules.RefreshTransientKeeps},
	{states.Refreshing, RefreshRefused, states.Unmarking, move, rules.RefreshTransientKeeps},
	{states.Refreshing, RefreshDenied, states.Relinquishing, move, rules.RefreshInvalidGrantTerminal},
	{states.Refreshing, ClientUnknown, states.Relinquishing, move, rules.RegReregisterOnce},
	{states.Refreshing, ClientRefused, states.Relinquishing, move, rules.PreregNeverReplaced},
	{states.Refreshing, EndpointGone, states.RereadingToRefresh, move, rules.ASMCacheBounded},

	{states.RereadingToRefresh, EndpointMoved, states.Refreshing, move, rules.IssuerRefreshBound},
	{states.RereadingToRefresh, EndpointMovedToSign, states.SigningToRefresh, move, rules.IssuerRefreshBound},
	{states.RereadingToRefresh, ASMMissing, states.RereadingToRefresh, move, rules.ASMProbeOrder},
	{states.RereadingToRefresh, ASMTrouble, states.RereadingToRefresh, move, rules.NetBackoffBounded},
	{states.RereadingToRefresh, RefreshUnreachable, states.Unmarking, move, rules.RefreshTransientKeeps},
	{states.RereadingToRefresh, RefreshDenied, states.Relinquishing, move, rules.RefreshInvalidGrantTerminal},

	// Refusal: a refresh brought no token. What that says about the refresh token is
	// stored before the lease is given back.
	{states.Unmarking, Unmarked, states.Failed, move, rules.RefreshTransientKeeps},
	{states.Unmarking, UnmarkedWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Unmarking, IntentConflict, states.Reloading, move, rules.RefreshCASSave},

	{states.Relinquishing, RefreshLost, states.Announcing, move, rules.RefreshAmbiguousOnce},
	{states.Relinquishing, RefreshLostQuietly, states.Anonymous, move, rules.RefreshAmbiguousOnce},
	{states.Relinquishing, RefreshLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Relinquishing, ClientRefused, states.Failed, move, rules.PreregNeverReplaced},
	{states.Relinquishing, IntentConflict, states.Reloading, move, rules.RefreshCASSave},

	{states.Doubting, Adopted, states.Authorized, move, rules.RefreshInvalidGrantReload},
	{states.Doubting, GrantDead, states.Disowning, move, rules.RefreshInvalidGrantTerminal},
	{states.Doubting, CredentialGone, states.Anonymous, move, rules.LogoutConditional},
	{states.Doubting, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Doubting, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Doubting, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},

	{states.Disowning, Disowned, states.Announcing, move, rules.RefreshInvalidGrantTerminal},
	{states.Disowning, DisownedQuietly, states.Anonymous, move, rules.RefreshInvalidGrantTerminal},
	{states.Disowning, DisownedWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Disowning, DisownConflict, states.Doubting, move, rules.StoreDeleteConditional},

	// Rotation: what a refresh obtained is stored over what it came from.
	{states.Rotating, Rotated, states.Authorized, move, rules.RefreshCASSave},
	{states.Rotating, RotationConflict, states.Reconciling, move, rules.RefreshStaleRestore},
	{states.Rotating, SaveFailed, states.Resaving, move, rules.RefreshStaleRestore},

	{states.Reconciling, PutOver, states.Rotating, move, rules.StoreSchemaPreserving},
	{states.Reconciling, AlreadySaved, states.Authorized, move, rules.RefreshCASSave},
	{states.Reconciling, Adopted, states.Authorized, move, rules.RefreshStaleRestore},
	{states.Reconciling, ObtainedUnwanted, states.Disposing, move, rules.LogoutConditional},
	{states.Reconciling, ObtainedUnwantedToSign, states.SigningToDispose, move, rules.LogoutConditional},
	{states.Reconciling, GoneUnrevocable, states.Anonymous, move, rules.LogoutConditional},
	{states.Reconciling, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Reconciling, SaveFailed, states.Resaving, move, rules.RefreshStaleRestore},

	{states.Disposing, RevokedOne, states.Disposing, move, rules.RevokeOrder},
	{states.Disposing, RevocationTrouble, states.Disposing, move, rules.Revoke503Retry},
	{states.Disposing, RevokedOneToSign, states.SigningToDispose, move, rules.ClientauthJWTFresh},
	{states.Disposing, RevocationTroubleToSign, states.SigningToDispose, move, rules.ClientauthJWTFresh},
	{states.Disposing, Disposed, states.Anonymous, move, rules.RevokeBestEffort},

	// Step-up: more scope is needed than the token has.
	{states.StepUp, StepUpAllowed, states.Tallying, move, rules.StepupTrack},
	{states.StepUp, ScopeShortAgain, states.Authorized, move, rules.StepupRetryLimit},
	{states.StepUp, Cancelled, states.Authorized, move, rules.HouseCancel},

	{states.Tallying, StepUpCounted, states.Announcing, move, rules.StepupTrack},

	// Log out: the credential is revoked and then removed, and the client too if that
	// is wanted.
	{states.Recalling, LogoutReady, states.Revoking, move, rules.RevokeOrder},
	{states.Recalling, LogoutReadyToSign, states.SigningToRevoke, move, rules.RevokeOrder},
	{states.Recalling, NothingToRevoke, states.Erasing, move, rules.RevokeNoEndpoint},
	{states.Recalling, CredentialMissing, states.Anonymous, move, rules.LogoutConditional},
	{states.Recalling, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Recalling, StoreLost, states.Failed, move, rules.StoreLeaseTristate},

	{states.Revoking, RevokedOne, states.Revoking, move, rules.RevokeOrder},
	{states.Revoking, RevocationTrouble, states.Revoking, move, rules.Revoke503Retry},
	{states.Revoking, RevokedOneToSign, states.SigningToRevoke, move, rules.ClientauthJWTFresh},
	{states.Revoking, RevocationTroubleToSign, states.SigningToRevoke, move, rules.ClientauthJWTFresh},
	{states.Revoking, RevocationDone, states.Erasing, move, rules.RevokeBestEffort},

	{states.Erasing, LogoutDone, states.Anonymous, move, rules.LogoutConditional},
	{states.Erasing, ClientToForget, states.LookingUpClient, move, rules.DCRDelete},
	{states.Erasing, CredentialChanged, states.Recalling, move, rules.LogoutConditional},
	{states.Erasing, StoreLost, states.Failed, move, rules.StoreLeaseTristate},

	{states.LookingUpClient, ClientManaged, states.ForgettingClient, move, rules.DCRDelete},
	{states.LookingUpClient, ClientUnmanaged, states.Unfiling, move, rules.DCRDelete},
	{states.LookingUpClient, LogoutDone, states.Anonymous, move, rules.LogoutConditional},
	{states.LookingUpClient, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.LookingUpClient, StoreLost, states.Failed, move, rules.StoreLeaseTristate},

	{states.ForgettingClient, ClientForgotten, states.Unfiling, move, rules.DCRDelete},
	{states.ForgettingClient, ForgetTrouble, states.ForgettingClient, move, rules.NetBackoffBounded},
	{states.ForgettingClient, ClientKept, states.Failed, move, rules.DCRDelete},

	{states.Unfiling, LogoutDone, states.Anonymous, move, rules.LogoutConditional},
	{states.Unfiling, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
}

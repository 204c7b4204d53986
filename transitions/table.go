package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Table is the whole protocol. Nothing else moves the machine: looplab's
// machine is built from it, Classify names an Event, Fire looks it up here.
//
// A few findings are the same in every state that has no row of its own for
// them; everywhere adds their rows at the end.
var Table = append(slices.Clip(laws), everywhere()...)

var laws = slices.Concat(loginLaws, refreshLaws)

// loginLaws are the rows of resting, opening, and a login.
var loginLaws = []Row{
	// Resting: nothing is asked; the machine waits for something from outside.

	{states.Idle, Begun, states.Loading, move, wire.RuleBearerUnauthenticatedFirst},
	{states.Idle, LogoutAsked, states.Recalling, move, wire.RuleLogoutConditional},
	{states.Idle, ChallengeNoted, states.Idle, hold, wire.RuleChallenge401Unauthenticated},

	{states.Anonymous, Begun, states.Loading, move, wire.RuleBearerUnauthenticatedFirst},
	{states.Anonymous, LoginNeeded, states.Announcing, move, wire.RuleChallenge401Unauthenticated},
	{states.Anonymous, LogoutAsked, states.Recalling, move, wire.RuleLogoutConditional},
	{states.Anonymous, Forbidden, states.Anonymous, hold, wire.RuleChallenge403WithoutChallenge},
	{states.Anonymous, ChallengeStale, states.Anonymous, hold, wire.RuleRefresh401One},

	{states.Authorized, LoginNeeded, states.Announcing, move, wire.RuleIssuerASChangeReregister},
	{states.Authorized, Expiring, states.Leasing, move, wire.RuleRefreshAhead},
	{states.Authorized, TokenRejected, states.Leasing, move, wire.RuleChallengeInvalidToken401},
	{states.Authorized, ScopeGrantedUnseen, states.Leasing, move, wire.RuleStepupNotByRefresh},
	{states.Authorized, ScopeShort, states.StepUp, move, wire.RuleStepupAttemptUser},
	{states.Authorized, ScopeShortAgain, states.Authorized, move, wire.RuleStepupSameChallengeTerminal},
	{states.Authorized, ScopeUnknown, states.Authorized, move, wire.RuleChallenge403Scope},
	{states.Authorized, TokenRejectedAgain, states.Failed, move, wire.RuleChallengeFreshTokenLoop},
	{states.Authorized, Forbidden, states.Authorized, hold, wire.RuleChallenge403WithoutChallenge},
	{states.Authorized, ChallengeStale, states.Authorized, hold, wire.RuleRefresh401One},
	{states.Authorized, TokenAccepted, states.Authorized, hold, wire.RuleChallengeFreshTokenLoop},
	{states.Authorized, AcceptedLate, states.Authorized, hold, wire.RuleChallengeFreshTokenLoop},
	{states.Authorized, LogoutAsked, states.Recalling, move, wire.RuleLogoutConditional},

	{states.Failed, Begun, states.Loading, move, wire.RuleBearerUnauthenticatedFirst},
	{states.Failed, LogoutAsked, states.Recalling, move, wire.RuleLogoutConditional},
	{states.Failed, ChallengeNoted, states.Failed, hold, wire.RuleChallengeFreshTokenLoop},

	// Opening: what is stored decides how it goes on.

	{states.Loading, CredentialFound, states.Authorized, move, wire.RuleRefreshSelfSufficient},
	{states.Loading, CredentialExpiring, states.Leasing, move, wire.RuleBearerNoExpired},
	{states.Loading, CredentialSpent, states.Anonymous, move, wire.RuleTokenRespRefreshOptional},
	{states.Loading, CredentialMissing, states.Anonymous, move, wire.RuleBearerUnauthenticatedFirst},
	{states.Loading, LoginNeeded, states.Announcing, move, wire.RuleChallenge401Unauthenticated},
	{states.Loading, RecordUnreadable, states.Failed, move, wire.RuleStoreVersioned},
	{states.Loading, RecordUnbound, states.Failed, move, wire.RuleIssuerUnboundQuarantine},
	{states.Loading, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
	{states.Loading, Cancelled, states.Failed, move, wire.RuleHouseCancel},

	// Finding out: who protects the resource, where its issuer is, who we are there.

	{states.Announcing, Announced, states.Confirming, move, wire.RuleRegSingleFlight},
	{states.Announcing, MarkDoubted, states.Recognizing, move, wire.RuleHouseAskAgain},
	{states.Announcing, LoginUnderWay, states.Queuing, move, wire.RuleRegSingleFlight},
	{states.Announcing, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},
	{states.Announcing, CancelNoted, states.Announcing, hold, wire.RuleHouseCancel},
	{states.Announcing, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
	{states.Announcing, StoreLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},

	{states.Recognizing, MarkRecognized, states.Confirming, move, wire.RuleRegSingleFlight},
	{states.Recognizing, MarkGone, states.Announcing, move, wire.RuleHouseAskAgain},
	{states.Recognizing, Announced, states.Confirming, move, wire.RuleRegSingleFlight},
	{states.Recognizing, LoginUnderWay, states.Queuing, move, wire.RuleRegSingleFlight},
	{states.Recognizing, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},
	{states.Recognizing, CancelNoted, states.Recognizing, hold, wire.RuleHouseCancel},
	{states.Recognizing, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
	{states.Recognizing, StoreLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},

	{states.Confirming, StillNeeded, states.DiscoveringPRM, move, wire.RulePRMClientUses},
	{states.Confirming, MetadataKnown, states.Binding, move, wire.RuleChallenge403ResourceMetadata},
	{states.Confirming, ScopesToChoose, states.ChoosingScopes, move, wire.RuleAuthzReqScopeMinimal},
	{states.Confirming, LoginAdopted, states.Withdrawing, move, wire.RuleRefreshReloadFirst},
	{states.Confirming, RecordUnreadable, states.Withdrawing, move, wire.RuleStoreVersioned},
	{states.Confirming, StoreLost, states.Withdrawing, move, wire.RuleStoreLeaseTristate},
	{states.Confirming, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.Queuing, LookAgain, states.Peeking, move, wire.RuleRegSingleFlight},
	{states.Queuing, Cancelled, states.Failed, move, wire.RuleHouseCancel},
	{states.Queuing, CancelledWhileHolding, states.Authorized, move, wire.RuleHouseCancel},

	{states.Peeking, LoginAdopted, states.Authorized, move, wire.RuleRefreshReloadFirst},
	{states.Peeking, StillUnderWay, states.Announcing, move, wire.RuleRegSingleFlight},
	{states.Peeking, RecordUnreadable, states.Failed, move, wire.RuleStoreVersioned},
	{states.Peeking, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
	{states.Peeking, StoreLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},
	{states.Peeking, Cancelled, states.Failed, move, wire.RuleHouseCancel},
	{states.Peeking, CancelledWhileHolding, states.Authorized, move, wire.RuleHouseCancel},

	{states.DiscoveringPRM, PRMFound, states.DiscoveringASM, move, wire.RulePRMASSelection},
	{states.DiscoveringPRM, ResourceToApprove, states.ApprovingResource, move, wire.RulePRMDisplayUntrusted},
	{states.DiscoveringPRM, IssuersToChoose, states.ChoosingIssuer, move, wire.RulePRMASSelection},
	{states.DiscoveringPRM, ScopesToChoose, states.ChoosingScopes, move, wire.RuleAuthzReqScopeMinimal},
	{states.DiscoveringPRM, PRMMissing, states.DiscoveringPRM, move, wire.RulePRMProbeOrder},
	{states.DiscoveringPRM, PRMTrouble, states.DiscoveringPRM, move, wire.RuleNetBackoffBounded},
	{states.DiscoveringPRM, PRMResourceMismatch, states.Withdrawing, move, wire.RulePRMResourceMatchWellknown},
	{states.DiscoveringPRM, PRMRefused, states.Withdrawing, move, wire.RulePRMJSONStrict},
	{states.DiscoveringPRM, PRMUnreachable, states.Withdrawing, move, wire.RuleASM5xxNotAbsent},
	{states.DiscoveringPRM, PRMAbsent, states.Withdrawing, move, wire.RulePRMServed},
	{states.DiscoveringPRM, IssuerConfigured, states.DiscoveringASM, move, wire.RulePRMServed},
	{states.DiscoveringPRM, LegacyServer, states.DiscoveringASM, move, wire.RuleASMLegacyBaseURL},
	{states.DiscoveringPRM, PreregisteredElsewhere, states.Withdrawing, move, wire.RuleIssuerPreregMismatch},
	{states.DiscoveringPRM, IssuerNotAllowed, states.Withdrawing, move, wire.RulePRMASSelection},
	{states.DiscoveringPRM, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.ApprovingResource, ResourceApproved, states.DiscoveringASM, move, wire.RulePRMASSelection},
	{states.ApprovingResource, IssuersToChoose, states.ChoosingIssuer, move, wire.RulePRMASSelection},
	{states.ApprovingResource, ScopesToChoose, states.ChoosingScopes, move, wire.RuleAuthzReqScopeMinimal},
	{states.ApprovingResource, ResourceDeclined, states.Withdrawing, move, wire.RuleIssuerTrustFirstUse},
	{states.ApprovingResource, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.ChoosingIssuer, IssuerChosen, states.DiscoveringASM, move, wire.RulePRMASSelection},
	{states.ChoosingIssuer, ScopesToChoose, states.ChoosingScopes, move, wire.RuleAuthzReqScopeMinimal},
	{states.ChoosingIssuer, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.ChoosingScopes, ScopesChosen, states.DiscoveringASM, move, wire.RuleAuthzReqScopeMinimal},
	{states.ChoosingScopes, ScopesChosenAgain, states.Binding, move, wire.RuleStepupUnion},
	{states.ChoosingScopes, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.DiscoveringASM, ASMFound, states.FindingClient, move, wire.RuleASMIssuerMatch},
	{states.DiscoveringASM, ClientConfigured, states.Binding, move, wire.RuleRegPriority},
	{states.DiscoveringASM, ASMMissing, states.DiscoveringASM, move, wire.RuleASMProbeOrder},
	{states.DiscoveringASM, ASMTrouble, states.DiscoveringASM, move, wire.RuleNetBackoffBounded},
	{states.DiscoveringASM, IssuerSkipped, states.DiscoveringASM, move, wire.RulePRMASResolves},
	{states.DiscoveringASM, ASMIssuerMismatch, states.Withdrawing, move, wire.RuleASMIssuerMatch},
	{states.DiscoveringASM, ASMNoPKCE, states.Withdrawing, move, wire.RuleASMPKCEAdvertised},
	{states.DiscoveringASM, ASMRefused, states.Withdrawing, move, wire.RuleASMEndpointsHTTPS},
	{states.DiscoveringASM, ASMUnreachable, states.Withdrawing, move, wire.RuleASM5xxNotAbsent},
	{states.DiscoveringASM, ASMAbsent, states.Withdrawing, move, wire.RuleASMServed},
	{states.DiscoveringASM, LegacyDefaults, states.FindingClient, move, wire.RuleASMLegacyDefaultEndpoints},
	{states.DiscoveringASM, LegacyDefaultsConfigured, states.Binding, move, wire.RuleASMLegacyDefaultEndpoints},
	{states.DiscoveringASM, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.FindingClient, RegistrationFound, states.Binding, move, wire.RuleRegReuse},
	{states.FindingClient, RegistrationStale, states.Binding, move, wire.RuleDCRSecretExpired},
	{states.FindingClient, RegistrationMissing, states.Binding, move, wire.RuleRegPriority},
	{states.FindingClient, RecordUnreadable, states.Withdrawing, move, wire.RuleStoreVersioned},
	{states.FindingClient, StoreLost, states.Withdrawing, move, wire.RuleStoreLeaseTristate},
	{states.FindingClient, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.Binding, ClientReady, states.Parking, move, wire.RuleRegBindBeforeRegister},
	{states.Binding, RegistrationWanted, states.Registering, move, wire.RuleRegPriority},
	{states.Binding, ClientNeeded, states.NeedingClient, move, wire.RuleRegAskUser},
	{states.Binding, ClientMissing, states.Withdrawing, move, wire.RuleRegAskUser},
	{states.Binding, MethodUnusable, states.Withdrawing, move, wire.RuleClientauthMTLSUnsupported},
	{states.Binding, RedirectUnavailable, states.Withdrawing, move, wire.RuleRegBindBeforeRegister},
	{states.Binding, RequestRefused, states.Withdrawing, move, wire.RuleAuthzReqParamOnce},
	{states.Binding, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.Registering, Registered, states.Filing, move, wire.RuleDCRResponseAuthoritative},
	{states.Registering, InitialTokenDemanded, states.Registering, move, wire.RuleDCRInitialAccessToken},
	{states.Registering, RegistrationAdjusted, states.Registering, move, wire.RuleDCRAdjustedRetry},
	{states.Registering, RegistrationTrouble, states.Registering, move, wire.RuleNetBackoffBounded},
	{states.Registering, RegistrationLost, states.Registering, move, wire.RuleRegReregisterOnce},
	{states.Registering, ClientNeeded, states.NeedingClient, move, wire.RuleRegAskUser},
	{states.Registering, RegistrationRefused, states.Withdrawing, move, wire.RuleDCRFailureShown},
	{states.Registering, RegistrationUnreachable, states.Withdrawing, move, wire.RuleNetBackoffBounded},
	{states.Registering, EndpointGone, states.RereadingToRegister, move, wire.RuleASMCacheBounded},
	{states.Registering, ClientMissing, states.Withdrawing, move, wire.RuleRegAskUser},

	{states.RereadingToRegister, EndpointMoved, states.Registering, move, wire.RuleASMCacheBounded},
	{states.RereadingToRegister, ASMMissing, states.RereadingToRegister, move, wire.RuleASMProbeOrder},
	{states.RereadingToRegister, ASMTrouble, states.RereadingToRegister, move, wire.RuleNetBackoffBounded},
	{states.RereadingToRegister, ClientNeeded, states.NeedingClient, move, wire.RuleRegAskUser},
	{states.RereadingToRegister, ClientMissing, states.Withdrawing, move, wire.RuleRegAskUser},
	{states.RereadingToRegister, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.Filing, RegistrationFiled, states.Parking, move, wire.RuleIssuerCredentialsKeyed},
	{states.Filing, RegistrationKept, states.Parking, move, wire.RuleRegSingleFlight},
	{states.Filing, RequestRefused, states.Withdrawing, move, wire.RuleAuthzReqParamOnce},
	{states.Filing, StoreLost, states.Withdrawing, move, wire.RuleStoreLeaseTristate},
	{states.Filing, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},
	{states.Filing, CancelNoted, states.Filing, hold, wire.RuleHouseCancel},

	{states.Dropping, RegistrationDropped, states.Registering, move, wire.RuleRegReregisterOnce},
	{states.Dropping, GivenClientDropped, states.Withdrawing, move, wire.RuleRegAskUser},
	{states.Dropping, GivenClientKept, states.Withdrawing, move, wire.RuleStoreLeaseTristate},

	{states.NeedingClient, ClientGiven, states.Filing, move, wire.RuleRegAskUser},
	{states.NeedingClient, ClientMissing, states.Withdrawing, move, wire.RuleRegAskUser},
	{states.NeedingClient, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	// The human and the code: park, visit, claim, exchange, save.

	{states.Parking, LoginParked, states.Authorizing, move, wire.RuleAuthzReqPendingFirst},
	{states.Parking, LoginRedrawn, states.Parking, move, wire.RuleAuthzReqVerifierFresh},
	{states.Parking, StoreLost, states.Withdrawing, move, wire.RuleAuthzReqPendingFirst},
	{states.Parking, Cancelled, states.Closing, move, wire.RuleHouseCancel},
	{states.Parking, CancelNoted, states.Parking, hold, wire.RuleHouseCancel},

	{states.Authorizing, CallbackReceived, states.Claiming, move, wire.RuleAuthzRespStateOnce},
	{states.Authorizing, StateMismatch, states.Authorizing, hold, wire.RuleAuthzRespStateMatch},
	{states.Authorizing, CallbackForeign, states.Authorizing, hold, wire.RuleAuthzRespRedirectExact},
	{states.Authorizing, CheckDue, states.Checking, move, wire.RuleAuthzRespClaimedOnce},
	{states.Authorizing, LoginExpired, states.Closing, move, wire.RuleAuthzRespDeadline},
	{states.Authorizing, RegistrationDoubted, states.Distrusting, move, wire.RuleRegReregisterOnce},
	{states.Authorizing, VisitRefused, states.Closing, move, wire.RuleAuthzReqURLHostPolicy},
	{states.Authorizing, VisitFailed, states.Closing, move, wire.RuleHouseVisit},
	{states.Authorizing, LoginResumed, states.Authorizing, hold, wire.RuleAuthzRespClaimedOnce},
	{states.Authorizing, Cancelled, states.Closing, move, wire.RuleHouseCancel},

	{states.Checking, NothingYet, states.Authorizing, move, wire.RuleAuthzRespClaimedOnce},
	{states.Checking, MarkDue, states.Remarking, move, wire.RuleRegSingleFlight},
	{states.Checking, LoginAdopted, states.Closing, move, wire.RuleAuthzRespClaimedOnce},
	{states.Checking, CallbackReceived, states.Claiming, move, wire.RuleAuthzRespStateOnce},
	{states.Checking, StateMismatch, states.Checking, hold, wire.RuleAuthzRespStateMatch},
	{states.Checking, CallbackForeign, states.Checking, hold, wire.RuleAuthzRespRedirectExact},
	{states.Checking, LoginExpired, states.Closing, move, wire.RuleAuthzRespDeadline},
	{states.Checking, RegistrationDoubted, states.Distrusting, move, wire.RuleRegReregisterOnce},
	{states.Checking, VisitRefused, states.Closing, move, wire.RuleAuthzReqURLHostPolicy},
	{states.Checking, VisitFailed, states.Closing, move, wire.RuleHouseVisit},
	{states.Checking, Cancelled, states.Closing, move, wire.RuleHouseCancel},

	{states.Remarking, MarkRenewed, states.Authorizing, move, wire.RuleRegSingleFlight},
	{states.Remarking, MarkLost, states.Authorizing, move, wire.RuleRegSingleFlight},
	{states.Remarking, CallbackReceived, states.Claiming, move, wire.RuleAuthzRespStateOnce},
	{states.Remarking, StateMismatch, states.Remarking, hold, wire.RuleAuthzRespStateMatch},
	{states.Remarking, CallbackForeign, states.Remarking, hold, wire.RuleAuthzRespRedirectExact},
	{states.Remarking, LoginExpired, states.Closing, move, wire.RuleAuthzRespDeadline},
	{states.Remarking, RegistrationDoubted, states.Distrusting, move, wire.RuleRegReregisterOnce},
	{states.Remarking, VisitRefused, states.Closing, move, wire.RuleAuthzReqURLHostPolicy},
	{states.Remarking, VisitFailed, states.Closing, move, wire.RuleHouseVisit},
	{states.Remarking, Cancelled, states.Closing, move, wire.RuleHouseCancel},

	{states.Claiming, CodeReceived, states.Exchanging, move, wire.RuleIssuerBeforeToken},
	{states.Claiming, ClaimLost, states.Queuing, move, wire.RuleAuthzRespClaimedOnce},
	{states.Claiming, ClaimDoubted, states.Queuing, move, wire.RuleAuthzRespClaimedOnce},
	{states.Claiming, IssuerMismatch, states.Withdrawing, move, wire.RuleIssuerResponseCompare},
	{states.Claiming, IssuerMissing, states.Withdrawing, move, wire.RuleIssuerResponseRequired},
	{states.Claiming, CallbackMalformed, states.Withdrawing, move, wire.RuleAuthzRespParamOnce},
	{states.Claiming, AuthorizationDenied, states.Withdrawing, move, wire.RuleAuthzRespDeniedKeeps},
	{states.Claiming, AuthorizationRefused, states.Withdrawing, move, wire.RuleAuthzRespErrorCode},
	{states.Claiming, ScopeRefused, states.Parking, move, wire.RuleAuthzReqScopeOmit},
	{states.Claiming, InteractionNeeded, states.Parking, move, wire.RuleAuthzRespErrorCode},
	{states.Claiming, DocumentRefused, states.Registering, move, wire.RuleCIMDAdvertisedButRefused},
	{states.Claiming, RegistrationTooNarrow, states.Dropping, move, wire.RuleDCRScopeIncluded},
	{states.Claiming, ClientUnknown, states.Dropping, move, wire.RuleRegReregisterOnce},
	{states.Claiming, GivenClientRefused, states.Dropping, move, wire.RuleRegAskUser},
	{states.Claiming, StoreLost, states.Withdrawing, move, wire.RuleStoreLeaseTristate},
	{states.Claiming, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},
	{states.Claiming, CancelNoted, states.Claiming, hold, wire.RuleHouseCancel},

	{states.Exchanging, TokenIssued, states.Saving, move, wire.RuleTokenRespAccessToken},
	{states.Exchanging, TokenNarrowed, states.Saving, move, wire.RuleTokenRespScopeNarrowed},
	{states.Exchanging, MethodRetried, states.Exchanging, move, wire.RuleClientauthFallbackOnce},
	{states.Exchanging, ExchangeTrouble, states.Exchanging, move, wire.RuleTokenReqCodeOnce},
	{states.Exchanging, CodeRefused, states.Parking, move, wire.RuleTokenReqCodeOnce},
	{states.Exchanging, ExchangeLost, states.Parking, move, wire.RuleTokenReqCodeOnce},
	{states.Exchanging, InteractionNeeded, states.Parking, move, wire.RuleTokenRespErrorVsTransient},
	{states.Exchanging, DocumentRefused, states.Registering, move, wire.RuleCIMDAdvertisedButRefused},
	{states.Exchanging, ClientUnknown, states.Dropping, move, wire.RuleRegReregisterOnce},
	{states.Exchanging, GivenClientRefused, states.Dropping, move, wire.RuleRegAskUser},
	{states.Exchanging, ClientRefused, states.Withdrawing, move, wire.RulePreregNeverReplaced},
	{states.Exchanging, ExchangeRefused, states.Withdrawing, move, wire.RuleTokenRespErrorStatus},
	{states.Exchanging, TokenRefused, states.Withdrawing, move, wire.RuleTokenRespJSONStrict},
	{states.Exchanging, ExchangeUnreachable, states.Withdrawing, move, wire.RuleNetBackoffBounded},
	{states.Exchanging, EndpointGone, states.RereadingToExchange, move, wire.RuleASMCacheBounded},

	{states.RereadingToExchange, EndpointMoved, states.Parking, move, wire.RuleTokenReqCodeOnce},
	{states.RereadingToExchange, ASMMissing, states.RereadingToExchange, move, wire.RuleASMProbeOrder},
	{states.RereadingToExchange, ASMTrouble, states.RereadingToExchange, move, wire.RuleNetBackoffBounded},
	{states.RereadingToExchange, TokenRefused, states.Withdrawing, move, wire.RuleTokenRespErrorStatus},
	{states.RereadingToExchange, RequestRefused, states.Withdrawing, move, wire.RuleAuthzReqParamOnce},
	{states.RereadingToExchange, Cancelled, states.Withdrawing, move, wire.RuleHouseCancel},

	{states.Saving, CredentialSaved, states.Withdrawing, move, wire.RuleRefreshCASSave},
	{states.Saving, CredentialChanged, states.Merging, move, wire.RuleRefreshCASSave},
	{states.Saving, SaveFailed, states.Resaving, move, wire.RuleRefreshStaleRestore},

	{states.Merging, PutOver, states.Saving, move, wire.RuleStoreSchemaPreserving},
	{states.Merging, AlreadySaved, states.Withdrawing, move, wire.RuleRefreshCASSave},
	{states.Merging, SaveFailed, states.Resaving, move, wire.RuleRefreshStaleRestore},
	{states.Merging, RecordUnreadable, states.Withdrawing, move, wire.RuleStoreVersioned},

	{states.Resaving, CredentialSaved, states.Withdrawing, move, wire.RuleRefreshCASSave},
	{states.Resaving, Rotated, states.Authorized, move, wire.RuleRefreshCASSave},
	{states.Resaving, CredentialChanged, states.Merging, move, wire.RuleRefreshCASSave},
	{states.Resaving, RotationConflict, states.Reconciling, move, wire.RuleRefreshStaleRestore},
	{states.Resaving, SaveFailed, states.Resaving, move, wire.RuleNetBackoffBounded},

	{states.Distrusting, RegistrationDropped, states.Closing, move, wire.RuleRegReregisterOnce},
	{states.Distrusting, RegistrationKept, states.Closing, move, wire.RuleStoreLeaseTristate},

	{states.Closing, LoginClosed, states.Withdrawing, move, wire.RuleLogoutConditional},

	{states.Withdrawing, LoginDone, states.Authorized, move, wire.RuleStepupOldTokenKept},
	{states.Withdrawing, GrantsLeft, states.Retiring, move, wire.RuleIssuerChangeKeepsOld},
	{states.Withdrawing, GrantsUnrevocable, states.Pruning, move, wire.RuleRevokeNoEndpoint},
	{states.Withdrawing, DeniedWhileHolding, states.Authorized, move, wire.RuleStepupOldTokenKept},
	{states.Withdrawing, LoginFailed, states.Failed, move, wire.RuleLogFirstCause},

	{states.Retiring, RevokedOne, states.Retiring, move, wire.RuleRevokeOrder},
	{states.Retiring, RevocationTrouble, states.Retiring, move, wire.RuleRevoke503Retry},
	{states.Retiring, RevocationDone, states.Pruning, move, wire.RuleRevokeBestEffort},
	{states.Retiring, RevocationPutOff, states.Authorized, move, wire.RuleIssuerChangeKeepsOld},

	{states.Pruning, GrantsRetired, states.Authorized, move, wire.RuleIssuerChangeKeepsOld},
	{states.Pruning, GrantsKept, states.Authorized, move, wire.RuleRefreshCASSave},
}

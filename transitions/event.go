package transitions

import "github.com/stile-oauth/stile/states"

// Event is what Classify found: the name of a row. What each means stands beside
// it; Describe gives that text. This file is long because it is one list.
type Event = states.Event

//go:generate go run ../cmd/stile-docs

// The findings, in the order in which the table first names them.
const (
	// Resting.

	Begun              Event = "Begun"              // the work began
	LogoutAsked        Event = "LogoutAsked"        // a log out was asked for
	ChallengeNoted     Event = "ChallengeNoted"     // a challenge came meanwhile and was put aside
	LoginNeeded        Event = "LoginNeeded"        // a login is needed
	Forbidden          Event = "Forbidden"          // the refusal says nothing about authorization: it is the caller's
	ChallengeStale     Event = "ChallengeStale"     // the refusal was about a token that is not in use any more
	Expiring           Event = "Expiring"           // the token is about to expire
	TokenRejected      Event = "TokenRejected"      // the server refused the token
	ScopeGrantedUnseen Event = "ScopeGrantedUnseen" // the server asks for scope that the token has: a fresh token may show it
	ScopeShort         Event = "ScopeShort"         // the server asks for more scope than the token has
	ScopeShortAgain    Event = "ScopeShortAgain"    // the server asks for the same scope again; asking again would not help
	ScopeUnknown       Event = "ScopeUnknown"       // the server asks for more scope and does not say which
	TokenRejectedAgain Event = "TokenRejectedAgain" // the server refused a token that its issuer had just given
	TokenAccepted      Event = "TokenAccepted"      // the server took the token
	AcceptedFirst      Event = "AcceptedFirst"      // the server took the token of a login for the first time
	AcceptedLate       Event = "AcceptedLate"       // the server had taken a token that is not in use any more

	// Opening.

	CredentialFound    Event = "CredentialFound"    // a usable credential was in the store
	CredentialExpiring Event = "CredentialExpiring" // the stored token has expired and can be refreshed
	KeyMissing         Event = "KeyMissing"         // the stored token is bound to a key that is not here, or to none where it has to be, or is an ID token, or none, where the other is wanted
	CredentialSpent    Event = "CredentialSpent"    // the stored credential is of no more use
	CredentialMissing  Event = "CredentialMissing"  // nothing is stored for this server
	RecordUnreadable   Event = "RecordUnreadable"   // the stored record cannot be read and was left as it is
	RecordUnbound      Event = "RecordUnbound"      // the stored record names no issuer, so nothing of it may be sent
	StoreLost          Event = "StoreLost"          // the store failed
	Cancelled          Event = "Cancelled"          // the login was cancelled

	// Announcing.

	Announced             Event = "Announced"             // other processes were told that a login is under way
	MarkFound             Event = "MarkFound"             // a login is announced already: whose, and since when, is read
	LoginUnderWay         Event = "LoginUnderWay"         // another process has a login under way
	CancelNoted           Event = "CancelNoted"           // the wish to cancel was noted; the answer on its way must not be lost
	StoreLostWhileHolding Event = "StoreLostWhileHolding" // the store failed; the token that is held still serves
	MarkRecognized        Event = "MarkRecognized"        // the login that is announced is this one
	MarkGone              Event = "MarkGone"              // no login is announced any more
	MarkAhead             Event = "MarkAhead"             // the mark is of a time too far ahead to be believed: it is written over
	ProviderLogin         Event = "ProviderLogin"         // the login is one at an identity provider itself; its metadata is fetched
	StillNeeded           Event = "StillNeeded"           // nobody finished the login meanwhile: it is still needed
	MetadataKnown         Event = "MetadataKnown"         // the metadata of the held token is recent enough to be used
	ScopesToChoose        Event = "ScopesToChoose"        // the host is to choose the scopes
	LoginAdopted          Event = "LoginAdopted"          // another process finished the login; its token is taken over
	LookAgain             Event = "LookAgain"             // it is time to look again
	CancelledWhileHolding Event = "CancelledWhileHolding" // the login was cancelled; the token that is held still serves
	StillUnderWay         Event = "StillUnderWay"         // the other process's login is still under way

	// Discovery.

	PRMFound                 Event = "PRMFound"                 // the resource metadata is sound
	ResourceToApprove        Event = "ResourceToApprove"        // the resource metadata is sound; the host is to approve the resource
	IssuersToChoose          Event = "IssuersToChoose"          // the host is to choose among the issuers
	PRMMissing               Event = "PRMMissing"               // no usable resource metadata at this address; the next one is asked
	PRMTrouble               Event = "PRMTrouble"               // no usable answer; the same address is asked again
	PRMResourceMismatch      Event = "PRMResourceMismatch"      // the resource metadata speaks for another resource
	PRMRefused               Event = "PRMRefused"               // the resource metadata breaks a rule that cannot be overlooked
	PRMUnreachable           Event = "PRMUnreachable"           // the resource metadata could not be fetched
	PRMAbsent                Event = "PRMAbsent"                // the server publishes no resource metadata
	IssuerConfigured         Event = "IssuerConfigured"         // no resource metadata; the configured issuer is used
	LegacyServer             Event = "LegacyServer"             // no resource metadata at all: the server is taken for one of 2025-03-26
	PreregisteredElsewhere   Event = "PreregisteredElsewhere"   // the configured client belongs to another issuer
	IssuerNotAllowed         Event = "IssuerNotAllowed"         // the server names an issuer that is not allowed
	ASMFound                 Event = "ASMFound"                 // the metadata of the authorization server is sound
	ClientConfigured         Event = "ClientConfigured"         // the metadata of the authorization server is sound; the configured client is used
	ASMMissing               Event = "ASMMissing"               // no usable metadata at this address; the next one is asked
	ASMTrouble               Event = "ASMTrouble"               // no usable answer; the same address is asked again
	IssuerSkipped            Event = "IssuerSkipped"            // this issuer has no usable metadata; the next one is tried
	ASMIssuerMismatch        Event = "ASMIssuerMismatch"        // the metadata is of another issuer than the one asked for
	ASMNoPKCE                Event = "ASMNoPKCE"                // the authorization server does not offer PKCE with S256
	ASMRefused               Event = "ASMRefused"               // the metadata of the authorization server breaks a rule that cannot be overlooked
	ASMUnreachable           Event = "ASMUnreachable"           // the metadata of the authorization server could not be fetched
	ASMAbsent                Event = "ASMAbsent"                // the authorization server publishes no metadata
	BindingUnavailable       Event = "BindingUnavailable"       // tokens have to be bound to a key, and the issuer does not offer that
	LegacyDefaults           Event = "LegacyDefaults"           // no metadata: the default endpoints of 2025-03-26 are used
	LegacyDefaultsConfigured Event = "LegacyDefaultsConfigured" // no metadata: the default endpoints of 2025-03-26 are used, with the configured client

	// Asking.

	ResourceApproved  Event = "ResourceApproved"  // the resource was approved
	ResourceDeclined  Event = "ResourceDeclined"  // the resource was declined
	IssuerChosen      Event = "IssuerChosen"      // the issuer was chosen
	ScopesChosen      Event = "ScopesChosen"      // the scopes were chosen
	ScopesChosenAgain Event = "ScopesChosenAgain" // the scopes were chosen

	// Client.

	RegistrationFound   Event = "RegistrationFound"   // a client that this issuer registered before is in the store
	RegistrationStale   Event = "RegistrationStale"   // the stored client is of no more use
	RegistrationMissing Event = "RegistrationMissing" // no client is stored for this issuer
	ClientReady         Event = "ClientReady"         // the client is ready; state and verifier were drawn
	RegistrationWanted  Event = "RegistrationWanted"  // a client is to be registered
	ClientUnread        Event = "ClientUnread"        // the client of the grant is of no more use; the stored registration is read
	ClientNeeded        Event = "ClientNeeded"        // the host is asked for a client id
	ClientMissing       Event = "ClientMissing"       // there is no way to a client id
	MethodUnusable      Event = "MethodUnusable"      // none of the issuer's ways to authenticate a client can be used
	RedirectUnavailable Event = "RedirectUnavailable" // no address listens for the redirect
	RequestRefused      Event = "RequestRefused"      // no sound authorization request can be made from the metadata
	ClientGiven         Event = "ClientGiven"         // the host gave a client id

	// Registration.

	Registered              Event = "Registered"              // the issuer registered a client
	InitialTokenDemanded    Event = "InitialTokenDemanded"    // the issuer registers only those who have an initial access token; the configured one is sent
	RegistrationAdjusted    Event = "RegistrationAdjusted"    // the registration was refused for its redirect URI; it is tried once more as another kind of application
	RegistrationTrimmed     Event = "RegistrationTrimmed"     // the registration was refused for what it carries; it is tried again with less
	RegistrationTrouble     Event = "RegistrationTrouble"     // no usable answer; the registration is tried again
	RegistrationLost        Event = "RegistrationLost"        // the answer to the registration was lost; one more try is made
	RegistrationRefused     Event = "RegistrationRefused"     // the registration was refused
	RegistrationUnreachable Event = "RegistrationUnreachable" // the registration could not be made
	EndpointGone            Event = "EndpointGone"            // the endpoint is not there; it may have moved
	EndpointMoved           Event = "EndpointMoved"           // the same issuer says that its endpoint has moved
	RegistrationFiled       Event = "RegistrationFiled"       // the registration was stored; state and verifier were drawn
	RegistrationKept        Event = "RegistrationKept"        // another process registered at the same time; this login keeps its own client
	MethodFiled             Event = "MethodFiled"             // the way to authenticate that worked was stored with the registration
	MethodUnfiled           Event = "MethodUnfiled"           // the way to authenticate that worked could not be stored; the next login finds it out again
	RegistrationDropped     Event = "RegistrationDropped"     // the registration that the issuer does not know was dropped
	GivenClientDropped      Event = "GivenClientDropped"      // the client id was removed; the next login asks for one
	GivenClientKept         Event = "GivenClientKept"         // the store failed, and the client id that the issuer does not take is still there

	// Visit.

	LoginParked         Event = "LoginParked"         // the login was stored; the user is sent to the issuer
	LoginRedrawn        Event = "LoginRedrawn"        // the login was parked before the interruption; state and verifier were drawn anew
	CallbackReceived    Event = "CallbackReceived"    // the callback of this login came
	StateMismatch       Event = "StateMismatch"       // a callback with a state that is not of this login was ignored
	CallbackForeign     Event = "CallbackForeign"     // a callback to another address was ignored
	CheckDue            Event = "CheckDue"            // it is time to see whether another replica finished the login
	LoginExpired        Event = "LoginExpired"        // nobody finished the login in time
	RegistrationDoubted Event = "RegistrationDoubted" // nobody came back from the issuer, which may not know the client that was stored
	VisitRefused        Event = "VisitRefused"        // the user was not sent to the address that the issuer named
	VisitFailed         Event = "VisitFailed"         // there was no way to send the user to the issuer
	LoginResumed        Event = "LoginResumed"        // another replica went on with the login
	NothingYet          Event = "NothingYet"          // no other replica has finished the login
	MarkDue             Event = "MarkDue"             // nobody has finished it yet; other processes are told again that it is under way
	MarkRenewed         Event = "MarkRenewed"         // other processes know that the login is still under way
	MarkLost            Event = "MarkLost"            // other processes could not be told; the login goes on

	// Claiming.

	CodeReceived          Event = "CodeReceived"          // the callback is sound and carries a code
	ClaimLost             Event = "ClaimLost"             // another replica claimed the callback first
	ClaimLostAgain        Event = "ClaimLostAgain"        // the parked login was gone once more, and nobody had finished the first: parked entries expire at once
	ClaimDoubted          Event = "ClaimDoubted"          // after the interruption it is not known who claimed the login; the code is not used
	IssuerMismatch        Event = "IssuerMismatch"        // the callback names another issuer: it may be mixed up, and is refused
	IssuerMissing         Event = "IssuerMissing"         // the callback names no issuer although one was promised
	CallbackMalformed     Event = "CallbackMalformed"     // the callback is malformed
	AuthorizationDenied   Event = "AuthorizationDenied"   // the user, or the issuer, denied the access
	AuthorizationRefused  Event = "AuthorizationRefused"  // the issuer refused the authorization request
	ScopeRefused          Event = "ScopeRefused"          // the issuer refused the scopes; fewer are asked for
	InteractionNeeded     Event = "InteractionNeeded"     // the issuer wants the user to take part again; one new authorization is made
	DocumentRefused       Event = "DocumentRefused"       // the issuer refused the client ID metadata document; a client is registered in its place
	RegistrationTooNarrow Event = "RegistrationTooNarrow" // the issuer grants only what the client was registered for
	ClientUnknown         Event = "ClientUnknown"         // the issuer does not know the client
	GivenClientRefused    Event = "GivenClientRefused"    // the issuer does not take the client id that was given by hand

	CodeReceivedToSign Event = "CodeReceivedToSign" // the callback is sound and carries a code; the client's assertion, or the proof, is signed first

	// Exchange.

	TokenIssued           Event = "TokenIssued"           // the issuer gave a token
	TokenNarrowed         Event = "TokenNarrowed"         // the issuer gave a token with less scope than was asked for
	MethodRetried         Event = "MethodRetried"         // the client was refused; the other way to authenticate is tried once
	ExchangeTrouble       Event = "ExchangeTrouble"       // no usable answer; the exchange is tried again
	CodeRefused           Event = "CodeRefused"           // the code was refused; one new authorization is made
	ExchangeLost          Event = "ExchangeLost"          // whether the code was spent is not known; one new authorization is made
	ClientRefused         Event = "ClientRefused"         // the issuer refused the client
	ExchangeRefused       Event = "ExchangeRefused"       // the issuer refused the exchange
	TokenRefused          Event = "TokenRefused"          // the token response cannot be used
	ExchangeUnreachable   Event = "ExchangeUnreachable"   // the code could not be exchanged
	ExchangeTroubleToSign Event = "ExchangeTroubleToSign" // no usable answer; the exchange is tried again with another assertion, or another proof

	MethodRetriedToSign Event = "MethodRetriedToSign" // the client was refused; the other way to authenticate is tried once, with another proof
	NonceDemanded       Event = "NonceDemanded"       // the issuer wants its nonce in the proof; the request is made once more with it
	ClockLearned        Event = "ClockLearned"        // the issuer refused the proof, and its clock is another; the request is made once more, dated by that

	// Device.

	DeviceWanted      Event = "DeviceWanted"      // the issuer is asked for a code for the user
	DeviceInstead     Event = "DeviceInstead"     // nothing can listen for the redirect; the user decides at another device
	DeviceMissing     Event = "DeviceMissing"     // the issuer offers no device authorization
	DeviceStarted     Event = "DeviceStarted"     // the issuer gave a code for the user; it is shown
	DeviceTrouble     Event = "DeviceTrouble"     // no usable answer; the code is asked for again
	DeviceRefused     Event = "DeviceRefused"     // the issuer gave no usable code
	DeviceUnreachable Event = "DeviceUnreachable" // no code could be asked for
	PollDue           Event = "PollDue"           // it is time to ask whether the user has decided
	PollDueToSign     Event = "PollDueToSign"     // the interval of the issuer is over; the proof is signed first
	PollPending       Event = "PollPending"       // the user has not decided yet
	PollSlowed        Event = "PollSlowed"        // the issuer wants to be asked less often, from now on
	PollTrouble       Event = "PollTrouble"       // no usable answer; the issuer is asked less often, from now on

	// Requesting.

	OwnTokenWanted       Event = "OwnTokenWanted"       // the client asks in its own name
	OwnTokenWantedToSign Event = "OwnTokenWantedToSign" // the client asks in its own name; its assertion, or the proof, is signed first
	RequestTrouble       Event = "RequestTrouble"       // no usable answer; the token is asked for again
	RequestTroubleToSign Event = "RequestTroubleToSign" // no usable answer; the token is asked for again with another assertion, or another proof
	RequestDenied        Event = "RequestDenied"        // the issuer gives the client no token in its own name
	RequestUnreachable   Event = "RequestUnreachable"   // no token could be asked for
	RenewalDenied        Event = "RenewalDenied"        // the issuer gives the client no other token, and would refuse the same again

	// Workload.

	WorkloadWanted         Event = "WorkloadWanted"         // the platform is asked for the workload's assertion
	AssertionGiven         Event = "AssertionGiven"         // the platform gave the workload's assertion
	AssertionGivenToSign   Event = "AssertionGivenToSign"   // the platform gave the workload's assertion; the proof is signed first
	AssertionUnusable      Event = "AssertionUnusable"      // the workload's assertion is not for this issuer, or has expired; it is not sent
	SourceFailed           Event = "SourceFailed"           // the platform gave no assertion
	RequestTroubleToAssert Event = "RequestTroubleToAssert" // no usable answer; the token is asked for again with the assertion of that moment
	AskedAgainToAssert     Event = "AskedAgainToAssert"     // after an interruption the question is asked again, with the assertion of that moment
	AssertionRefused       Event = "AssertionRefused"       // the issuer refused the assertion; it is not sent again
	RefreshTroubleToAssert Event = "RefreshTroubleToAssert" // no usable answer; another token is asked for again with the assertion of that moment
	IntentMarkedToAssert   Event = "IntentMarkedToAssert"   // the intent was stored; the platform is asked for the workload's assertion

	// Enterprise.

	EnterpriseWanted         Event = "EnterpriseWanted"         // the metadata of the identity provider is fetched
	ProviderFound            Event = "ProviderFound"            // usable metadata of the identity provider was found
	IdentityGiven            Event = "IdentityGiven"            // there is an ID token of the user
	IdentityUnusable         Event = "IdentityUnusable"         // the ID token is of another provider or for another client, or has expired; it is not sent
	IdentityMissing          Event = "IdentityMissing"          // there is no ID token of the user
	UserNeeded               Event = "UserNeeded"               // there is no ID token until the user logs in at the identity provider
	IdentityStale            Event = "IdentityStale"            // the identity provider did not take the ID token; another is asked for
	JAGGiven                 Event = "JAGGiven"                 // the identity provider gave an ID-JAG
	JAGGivenToSign           Event = "JAGGivenToSign"           // the identity provider gave an ID-JAG; the proof is signed first
	JAGUnusable              Event = "JAGUnusable"              // the ID-JAG is not for this issuer, client or resource, or has expired; it is not sent
	MethodRetriedToIdentify  Event = "MethodRetriedToIdentify"  // the client authenticates in another way, beginning with the ID token
	RequestTroubleToIdentify Event = "RequestTroubleToIdentify" // no usable answer; the token is asked for again, beginning with the ID token
	AskedAgainToIdentify     Event = "AskedAgainToIdentify"     // after an interruption the question is asked again, beginning with the ID token
	RefreshTroubleToIdentify Event = "RefreshTroubleToIdentify" // no usable answer; another token is asked for again, beginning with the ID token
	IntentMarkedToIdentify   Event = "IntentMarkedToIdentify"   // the intent was stored; the ID token of the user is asked for

	// Signing.

	AssertionSigned  Event = "AssertionSigned"  // the client's assertion was signed
	ProofNext        Event = "ProofNext"        // the client's assertion was signed; the proof is signed next
	ProofSigned      Event = "ProofSigned"      // the proof was signed
	KeyFailed        Event = "KeyFailed"        // the client's key could not be used
	AskedAgainToSign Event = "AskedAgainToSign" // after an interruption the question is asked again, with another assertion or proof, which is signed first

	// Saving.

	CredentialSaved   Event = "CredentialSaved"   // the credential was stored
	MethodLearned     Event = "MethodLearned"     // the credential was stored; the registration names a way to authenticate that the issuer did not take
	CredentialChanged Event = "CredentialChanged" // the stored credential changed meanwhile
	SaveFailed        Event = "SaveFailed"        // the store failed with a token in hand; the token is used, and storing it is tried again
	PutOver           Event = "PutOver"           // the new token goes over what is stored
	AlreadySaved      Event = "AlreadySaved"      // the new token is stored already
	Rotated           Event = "Rotated"           // the refreshed credential was stored
	RotationConflict  Event = "RotationConflict"  // the stored credential changed during the refresh

	// Ending.

	LoginClosed             Event = "LoginClosed"             // the parked login was removed
	LoginDone               Event = "LoginDone"               // the login is done
	GrantsLeft              Event = "GrantsLeft"              // the login is done; a grant of another issuer or client is left to revoke
	GrantsLeftToSign        Event = "GrantsLeftToSign"        // the login is done; a grant of another issuer or client is left to revoke, and the client's assertion is signed first
	GrantsUnrevocable       Event = "GrantsUnrevocable"       // the login is done; the grants that are left have an issuer that revokes nothing
	DeniedWhileHolding      Event = "DeniedWhileHolding"      // the login came to nothing; the token that is held still serves
	LoginFailed             Event = "LoginFailed"             // the login failed
	RevokedOne              Event = "RevokedOne"              // one token was revoked; the next follows
	RevocationTrouble       Event = "RevocationTrouble"       // no usable answer; the revocation is tried again
	RevokedOneToSign        Event = "RevokedOneToSign"        // one token was revoked; the next follows with another assertion
	RevocationTroubleToSign Event = "RevocationTroubleToSign" // no usable answer; the revocation is tried again with another assertion
	RevocationDone          Event = "RevocationDone"          // the tokens were revoked as far as possible
	RevocationPutOff        Event = "RevocationPutOff"        // what is left to revoke is left for later
	GrantsRetired           Event = "GrantsRetired"           // the grants that were left are gone
	GrantsKept              Event = "GrantsKept"              // the record could not be changed; the grants that are left stay in it
	AcceptanceSaved         Event = "AcceptanceSaved"         // every process can read that the server took the token
	AcceptanceLost          Event = "AcceptanceLost"          // that the server took the token could not be stored; this process alone knows

	// Lease.

	Leased                     Event = "Leased"                     // the right to refresh was obtained
	LeaseHeld                  Event = "LeaseHeld"                  // another process is refreshing
	Adopted                    Event = "Adopted"                    // another process wrote a newer token; it is taken over
	StillHeld                  Event = "StillHeld"                  // the other process is not done yet
	WaitedTooLong              Event = "WaitedTooLong"              // the other process did not finish in time
	WaitedWhileHolding         Event = "WaitedWhileHolding"         // the other process did not finish in time; the token that is held still serves
	CredentialGone             Event = "CredentialGone"             // the credential was removed meanwhile; nothing is brought back
	LeaseRanOut                Event = "LeaseRanOut"                // the process stood still until its lease was over; it asks for it again
	RefreshDue                 Event = "RefreshDue"                 // the stored credential is the one that is held: a refresh is due
	IntentLive                 Event = "IntentLive"                 // another process has a refresh under way
	RefreshPutOff              Event = "RefreshPutOff"              // the answer to a refresh was lost a moment ago; the next try has to wait
	RefreshPutOffWhileHolding  Event = "RefreshPutOffWhileHolding"  // the answer to a refresh was lost a moment ago; the token that is held still serves
	RefreshGivenUp             Event = "RefreshGivenUp"             // the refresh token has probably been spent without a usable answer: it is given up
	NothingToSpend             Event = "NothingToSpend"             // there is no refresh token to spend; a login follows
	NothingToSpendQuietly      Event = "NothingToSpendQuietly"      // there is no refresh token to spend
	NothingToSpendWhileHolding Event = "NothingToSpendWhileHolding" // there is no refresh token to spend; the token that is held still serves
	IntentMarked               Event = "IntentMarked"               // the intent to refresh was stored
	IntentMarkedToSign         Event = "IntentMarkedToSign"         // the intent to refresh was stored; the client's assertion, or the proof, is signed first
	IntentMarkedToRenew        Event = "IntentMarkedToRenew"        // the intent was stored to ask for another token in the client's own name
	IntentMarkedToSignRenewal  Event = "IntentMarkedToSignRenewal"  // the intent was stored to ask for another token in the client's own name; its assertion, or the proof, is signed first
	IntentConflict             Event = "IntentConflict"             // the stored credential changed before the intent could be written

	// Refresh.

	TokenRefreshed       Event = "TokenRefreshed"       // the issuer gave a fresh token
	GrantInvalid         Event = "GrantInvalid"         // the issuer refused the refresh token; the store is read before that is believed
	RefreshTrouble       Event = "RefreshTrouble"       // no usable answer; the refresh is tried again
	RefreshTroubleToSign Event = "RefreshTroubleToSign" // no usable answer; the refresh is tried again with another assertion, or another proof
	EndpointMovedToSign  Event = "EndpointMovedToSign"  // the same issuer says that its endpoint has moved; the client's assertion, or the proof, is signed first
	AnswerLost           Event = "AnswerLost"           // the answer to the refresh was lost
	RefreshUnreachable   Event = "RefreshUnreachable"   // the token could not be refreshed; the credential is kept
	RefreshRefused       Event = "RefreshRefused"       // the refresh could not be sent, or was not taken; the credential is kept
	AnswerLostAgain      Event = "AnswerLostAgain"      // the answer to the refresh was lost again; the refresh token is kept and tried again later
	RefreshDenied        Event = "RefreshDenied"        // the issuer refused the refresh, and would refuse the same again

	// Refusal.

	Unmarked                Event = "Unmarked"                // the intent was taken back
	UnmarkedWhileHolding    Event = "UnmarkedWhileHolding"    // the intent was taken back; the token that is held still serves
	RefreshLost             Event = "RefreshLost"             // the refresh token is not sent again; a login follows
	RefreshLostQuietly      Event = "RefreshLostQuietly"      // the refresh token is not sent again
	RefreshLostWhileHolding Event = "RefreshLostWhileHolding" // the refresh token is not sent again; the token that is held still serves
	GrantDead               Event = "GrantDead"               // the refresh token is dead
	Disowned                Event = "Disowned"                // the dead refresh token was dropped; a login follows
	DisownedQuietly         Event = "DisownedQuietly"         // the dead refresh token was dropped
	DisownedWhileHolding    Event = "DisownedWhileHolding"    // the dead refresh token was dropped; the token that is held still serves
	DisownConflict          Event = "DisownConflict"          // the stored credential changed before the dead token could be dropped

	// Rotation.

	ObtainedUnwanted       Event = "ObtainedUnwanted"       // the credential was removed meanwhile; what was obtained is revoked
	ObtainedUnwantedToSign Event = "ObtainedUnwantedToSign" // the credential was removed meanwhile; what was obtained is revoked, and the client's assertion is signed first
	GoneUnrevocable        Event = "GoneUnrevocable"        // the credential was removed meanwhile; the issuer offers no revocation
	Disposed               Event = "Disposed"               // what was obtained has been given up

	// Step-up.

	StepUpAllowed Event = "StepUpAllowed" // this scope was not asked for before
	StepUpCounted Event = "StepUpCounted" // the attempt to get more scope was counted

	// Log out.

	LogoutReady       Event = "LogoutReady"       // the tokens are to be revoked
	LogoutReadyToSign Event = "LogoutReadyToSign" // the tokens are to be revoked; the client's assertion is signed first
	NothingToRevoke   Event = "NothingToRevoke"   // there is nothing that can be revoked
	ClientToForget    Event = "ClientToForget"    // the credential was removed; its client is to be forgotten as well
	ClientManaged     Event = "ClientManaged"     // the issuer gave a way to have the client forgotten
	ClientUnmanaged   Event = "ClientUnmanaged"   // the issuer gave no way to have the client forgotten; the stored registration is removed
	ForgetTrouble     Event = "ForgetTrouble"     // no usable answer; the issuer is asked again to forget the client
	ClientForgotten   Event = "ClientForgotten"   // the issuer has forgotten the client
	ClientKept        Event = "ClientKept"        // the issuer did not forget the client; its registration stays, to try that again
	LogoutDone        Event = "LogoutDone"        // the credential was removed

	// In many states alike.

	ScopesWanted Event = "ScopesWanted" // another login was asked for meanwhile; what it wants is taken along or kept in mind
	TimePassed   Event = "TimePassed"   // nothing was due yet
	AskedAgain   Event = "AskedAgain"   // after an interruption the question is asked again
)

// Illegal is no finding: the caller gave an input that the state does not take.
const Illegal Event = ""

// Describe says in plain words what a finding means, as something that happened;
// it is empty for what is no finding.
func Describe(on Event) string { return meanings[on] }

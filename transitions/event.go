package transitions

import "github.com/stile-oauth/stile/states"

// Event names what Classify found; a row of the table is selected by it. The comment
// beside each event is its meaning, which Describe returns. This file is long because
// it is one list.
type Event = states.Event

//go:generate go run ../cmd/stile-docs

// The events, by room. An event of several rooms stands with one of them; those of many rooms are last.
const (
	// Resting.

	Begun              Event = "Begun"              // the work began
	LogoutAsked        Event = "LogoutAsked"        // a log out was asked for
	ChallengeNoted     Event = "ChallengeNoted"     // a challenge came meanwhile and was set aside
	LoginNeeded        Event = "LoginNeeded"        // a login is needed
	Forbidden          Event = "Forbidden"          // the refusal says nothing about authorization; it is passed on to the caller
	ChallengeStale     Event = "ChallengeStale"     // the refusal was about a token that is no longer in use
	Expiring           Event = "Expiring"           // the token is about to expire
	TokenRejected      Event = "TokenRejected"      // the server refused the token
	ScopeGrantedUnseen Event = "ScopeGrantedUnseen" // the server asks for a scope that the token already has; a fresh token may show it
	ScopeShort         Event = "ScopeShort"         // the server asks for more scope than the token has
	ScopeShortAgain    Event = "ScopeShortAgain"    // the server asks for the same scope again; asking again would not help
	ScopeUnknown       Event = "ScopeUnknown"       // the server asks for more scope but does not say which
	TokenRejectedAgain Event = "TokenRejectedAgain" // the server refused a token that its issuer had only just given
	TokenAccepted      Event = "TokenAccepted"      // the server accepted the token
	AcceptedFirst      Event = "AcceptedFirst"      // the server accepted the token of a login for the first time
	AcceptedLate       Event = "AcceptedLate"       // the server accepted a token that is no longer in use

	// Loading.

	CredentialFound    Event = "CredentialFound"    // a usable credential was in the store
	CredentialExpiring Event = "CredentialExpiring" // the stored token has expired and can be refreshed
	KeyMissing         Event = "KeyMissing"         // the stored token does not fit the configuration: the key it is bound to is missing, it is not bound although it must be, or it is an ID token where an access token is wanted, or the reverse
	CredentialSpent    Event = "CredentialSpent"    // the stored credential is no longer usable
	CredentialMissing  Event = "CredentialMissing"  // nothing is stored for this server
	RecordUnreadable   Event = "RecordUnreadable"   // the stored record cannot be read and was left as it is
	RecordUnbound      Event = "RecordUnbound"      // the stored record names no issuer, so nothing in it may be sent
	StoreLost          Event = "StoreLost"          // the store failed
	Cancelled          Event = "Cancelled"          // the login was cancelled

	// Announcing.

	Announced             Event = "Announced"             // other processes were told that a login is under way
	MarkFound             Event = "MarkFound"             // a login is already announced; its mark is read to see whose it is and since when
	LoginUnderWay         Event = "LoginUnderWay"         // another process has a login under way
	CancelNoted           Event = "CancelNoted"           // the cancellation was noted; the answer that is on its way must not be lost
	StoreLostWhileHolding Event = "StoreLostWhileHolding" // the store failed; the held token stays in use
	MarkRecognized        Event = "MarkRecognized"        // the announced login is this one
	MarkGone              Event = "MarkGone"              // no login is announced now
	MarkAhead             Event = "MarkAhead"             // the time of the mark is too far ahead to be believed; the mark is overwritten
	ProviderLogin         Event = "ProviderLogin"         // this is a login at an identity provider; the provider's metadata is fetched
	StillNeeded           Event = "StillNeeded"           // nobody finished the login meanwhile; it is still needed
	MetadataKnown         Event = "MetadataKnown"         // the metadata of the held token is recent enough to be used
	ScopesToChoose        Event = "ScopesToChoose"        // the host has to choose the scopes
	LoginAdopted          Event = "LoginAdopted"          // another process finished the login; its token is adopted
	LookAgain             Event = "LookAgain"             // it is time to look again
	CancelledWhileHolding Event = "CancelledWhileHolding" // the login was cancelled; the held token stays in use
	StillUnderWay         Event = "StillUnderWay"         // the other process's login is still under way

	// Discovery.

	PRMFound                 Event = "PRMFound"                 // the resource metadata is sound
	ResourceToApprove        Event = "ResourceToApprove"        // the resource metadata is sound; the host has to approve the resource
	IssuersToChoose          Event = "IssuersToChoose"          // the host has to choose one of the issuers
	PRMMissing               Event = "PRMMissing"               // there is no usable resource metadata at this address; the next one is asked
	PRMTrouble               Event = "PRMTrouble"               // there was no usable answer; the same address is asked again
	PRMResourceMismatch      Event = "PRMResourceMismatch"      // the resource metadata describes another resource
	PRMRefused               Event = "PRMRefused"               // the resource metadata breaks a rule that cannot be overlooked
	PRMUnreachable           Event = "PRMUnreachable"           // the resource metadata could not be fetched
	PRMAbsent                Event = "PRMAbsent"                // the server publishes no resource metadata
	IssuerConfigured         Event = "IssuerConfigured"         // there is no resource metadata; the configured issuer is used
	LegacyServer             Event = "LegacyServer"             // there is no resource metadata anywhere; the server is treated as one of 2025-03-26
	PreregisteredElsewhere   Event = "PreregisteredElsewhere"   // the configured client belongs to another issuer
	IssuerNotAllowed         Event = "IssuerNotAllowed"         // the server names an issuer that is not allowed
	ASMFound                 Event = "ASMFound"                 // the metadata of the authorization server is sound
	ClientConfigured         Event = "ClientConfigured"         // the metadata of the authorization server is sound; the configured client is used
	ASMMissing               Event = "ASMMissing"               // there is no usable metadata at this address; the next one is asked
	ASMTrouble               Event = "ASMTrouble"               // there was no usable answer; the same address is asked again
	IssuerSkipped            Event = "IssuerSkipped"            // this issuer has no usable metadata; the next one is tried
	ASMIssuerMismatch        Event = "ASMIssuerMismatch"        // the metadata names another issuer than the one that was asked for
	ASMNoPKCE                Event = "ASMNoPKCE"                // the authorization server does not offer PKCE with S256
	ASMRefused               Event = "ASMRefused"               // the metadata of the authorization server breaks a rule that cannot be overlooked
	ASMUnreachable           Event = "ASMUnreachable"           // the metadata of the authorization server could not be fetched
	ASMAbsent                Event = "ASMAbsent"                // the authorization server publishes no metadata
	BindingUnavailable       Event = "BindingUnavailable"       // tokens must be bound to a key, and the issuer does not offer that
	LegacyDefaults           Event = "LegacyDefaults"           // there is no metadata; the default endpoints of 2025-03-26 are used
	LegacyDefaultsConfigured Event = "LegacyDefaultsConfigured" // there is no metadata; the default endpoints of 2025-03-26 are used, with the configured client

	// Asking.

	ResourceApproved  Event = "ResourceApproved"  // the resource was approved
	ResourceDeclined  Event = "ResourceDeclined"  // the resource was declined
	IssuerChosen      Event = "IssuerChosen"      // the issuer was chosen
	ScopesChosen      Event = "ScopesChosen"      // the scopes were chosen
	ScopesChosenAgain Event = "ScopesChosenAgain" // the scopes were chosen; the issuer's metadata is known already

	// Client.

	RegistrationFound   Event = "RegistrationFound"   // the store has a client that this issuer registered before
	RegistrationStale   Event = "RegistrationStale"   // the stored client is no longer usable
	RegistrationMissing Event = "RegistrationMissing" // no client is stored for this issuer
	ClientReady         Event = "ClientReady"         // the client is ready; state and verifier were drawn
	RegistrationWanted  Event = "RegistrationWanted"  // a client has to be registered
	ClientUnread        Event = "ClientUnread"        // the client of the grant is no longer usable; the stored registration is read
	ClientNeeded        Event = "ClientNeeded"        // the host is asked for a client id
	ClientMissing       Event = "ClientMissing"       // there is no way to get a client id
	MethodUnusable      Event = "MethodUnusable"      // none of the issuer's methods of client authentication can be used
	RedirectUnavailable Event = "RedirectUnavailable" // no address is listening for the redirect
	RequestRefused      Event = "RequestRefused"      // no sound authorization request can be built from the metadata
	ClientGiven         Event = "ClientGiven"         // the host gave a client id

	// Registration.

	Registered              Event = "Registered"              // the issuer registered a client
	InitialTokenDemanded    Event = "InitialTokenDemanded"    // the issuer wants an initial access token for a registration; the configured one is sent
	RegistrationAdjusted    Event = "RegistrationAdjusted"    // the registration was refused for its redirect URI; it is tried once more as another kind of application
	RegistrationTrimmed     Event = "RegistrationTrimmed"     // the registration was refused for something that it carries; it is tried again with less
	RegistrationTrouble     Event = "RegistrationTrouble"     // there was no usable answer; the registration is tried again
	RegistrationLost        Event = "RegistrationLost"        // the answer to the registration was lost; it is tried once more
	RegistrationRefused     Event = "RegistrationRefused"     // the registration was refused
	RegistrationUnreachable Event = "RegistrationUnreachable" // the registration could not be made
	EndpointGone            Event = "EndpointGone"            // the endpoint is not at this address; it may have moved
	EndpointMoved           Event = "EndpointMoved"           // the same issuer says that its endpoint has moved
	RegistrationFiled       Event = "RegistrationFiled"       // the registration was stored; state and verifier were drawn
	RegistrationKept        Event = "RegistrationKept"        // another process registered at the same time; this login keeps its own client
	MethodFiled             Event = "MethodFiled"             // the authentication method that worked was stored with the registration
	MethodUnfiled           Event = "MethodUnfiled"           // the authentication method that worked could not be stored; the next login has to find it again
	RegistrationDropped     Event = "RegistrationDropped"     // the registration that the issuer does not know was removed
	GivenClientDropped      Event = "GivenClientDropped"      // the client id was removed; the next login asks for one
	GivenClientKept         Event = "GivenClientKept"         // the store failed, so the client id that the issuer does not accept is still stored

	// Visit.

	LoginParked         Event = "LoginParked"         // the login was stored; the user is sent to the issuer
	LoginRedrawn        Event = "LoginRedrawn"        // the login had been parked before the interruption; state and verifier were drawn anew
	CallbackReceived    Event = "CallbackReceived"    // the callback of this login arrived
	StateMismatch       Event = "StateMismatch"       // a callback was ignored because its state does not belong to this login
	CallbackForeign     Event = "CallbackForeign"     // a callback was ignored because it came to another address
	CheckDue            Event = "CheckDue"            // it is time to see whether another replica finished the login
	LoginExpired        Event = "LoginExpired"        // nobody finished the login in time
	RegistrationDoubted Event = "RegistrationDoubted" // nobody came back from the issuer, which may not know the stored client
	VisitRefused        Event = "VisitRefused"        // the address that the issuer named is not one to send the user to
	VisitFailed         Event = "VisitFailed"         // there was no way to send the user to the issuer
	LoginResumed        Event = "LoginResumed"        // another replica continued the login
	NothingYet          Event = "NothingYet"          // no other replica has finished the login
	MarkDue             Event = "MarkDue"             // nobody has finished the login yet; other processes are told again that it is under way
	MarkRenewed         Event = "MarkRenewed"         // other processes know that the login is still under way
	MarkLost            Event = "MarkLost"            // other processes could not be told; the login goes on

	// Claiming.

	CodeReceived          Event = "CodeReceived"          // the callback is sound and carries a code
	ClaimLost             Event = "ClaimLost"             // another replica claimed the callback first
	ClaimLostAgain        Event = "ClaimLostAgain"        // the parked login was gone a second time, and nobody had finished the first: parked logins expire at once
	ClaimDoubted          Event = "ClaimDoubted"          // after an interruption it is not known who claimed the login; the code is not used
	IssuerMismatch        Event = "IssuerMismatch"        // the callback names another issuer and is refused, because it may be a mix-up
	IssuerMissing         Event = "IssuerMissing"         // the callback names no issuer, although the metadata promised one
	CallbackMalformed     Event = "CallbackMalformed"     // the callback is malformed
	AuthorizationDenied   Event = "AuthorizationDenied"   // the user or the issuer denied the access
	AuthorizationRefused  Event = "AuthorizationRefused"  // the issuer refused the authorization request
	ScopeRefused          Event = "ScopeRefused"          // the issuer refused the scopes; fewer are asked for
	InteractionNeeded     Event = "InteractionNeeded"     // the issuer wants the user to take part again; one new authorization is made
	DocumentRefused       Event = "DocumentRefused"       // the issuer refused the client ID metadata document; a client is registered instead
	RegistrationTooNarrow Event = "RegistrationTooNarrow" // the issuer grants only what the client was registered for
	ClientUnknown         Event = "ClientUnknown"         // the issuer does not know the client
	GivenClientRefused    Event = "GivenClientRefused"    // the issuer does not accept the client id that was given by hand

	CodeReceivedToSign Event = "CodeReceivedToSign" // the callback is sound and carries a code; the client's assertion or the proof is signed first

	// Exchange.

	TokenIssued           Event = "TokenIssued"           // the issuer gave a token
	TokenNarrowed         Event = "TokenNarrowed"         // the issuer gave a token with less scope than was asked for
	MethodRetried         Event = "MethodRetried"         // the client was refused; the other authentication method is tried once
	ExchangeTrouble       Event = "ExchangeTrouble"       // there was no usable answer; the exchange is tried again
	CodeRefused           Event = "CodeRefused"           // the code was refused; one new authorization is made
	ExchangeLost          Event = "ExchangeLost"          // it is not known whether the code was spent; one new authorization is made
	ClientRefused         Event = "ClientRefused"         // the issuer refused the client
	ExchangeRefused       Event = "ExchangeRefused"       // the issuer refused the exchange
	TokenRefused          Event = "TokenRefused"          // the token response cannot be used
	ExchangeUnreachable   Event = "ExchangeUnreachable"   // the code could not be exchanged
	ExchangeTroubleToSign Event = "ExchangeTroubleToSign" // there was no usable answer; the exchange is tried again with a new assertion or proof

	MethodRetriedToSign Event = "MethodRetriedToSign" // the client was refused; the other authentication method is tried once, with a new proof
	NonceDemanded       Event = "NonceDemanded"       // the issuer wants its nonce in the proof; the request is made once more with that nonce
	ClockLearned        Event = "ClockLearned"        // the issuer refused the proof, and its clock differs; the request is made once more, dated by the issuer's clock

	// Device.

	DeviceWanted      Event = "DeviceWanted"      // the issuer is asked for a code for the user
	DeviceInstead     Event = "DeviceInstead"     // nothing can listen for the redirect; the user decides at another device instead
	DeviceMissing     Event = "DeviceMissing"     // the issuer offers no device authorization
	DeviceSought      Event = "DeviceSought"      // a code that an earlier process was given may still be good: it is looked for
	CodeResumed       Event = "CodeResumed"       // a parked code is still good; the login goes on with it
	CodeParked        Event = "CodeParked"        // the code is stored; any process can go on with it
	CodeUnparked      Event = "CodeUnparked"      // the code could not be stored; the login ends with this process
	CodeSpent         Event = "CodeSpent"         // the login has its token; the code is of no more use
	PollerReplaced    Event = "PollerReplaced"    // the mark is gone: another process may ask the issuer now
	DeviceStarted     Event = "DeviceStarted"     // the issuer gave a code for the user; it is shown
	DeviceTrouble     Event = "DeviceTrouble"     // there was no usable answer; the code is asked for again
	DeviceRefused     Event = "DeviceRefused"     // the issuer gave no usable code
	DeviceUnreachable Event = "DeviceUnreachable" // the code could not be asked for
	PollDue           Event = "PollDue"           // it is time to ask whether the user has decided
	PollDueToSign     Event = "PollDueToSign"     // it is time to ask whether the user has decided; the proof is signed first
	PollPending       Event = "PollPending"       // the user has not decided yet
	PollSlowed        Event = "PollSlowed"        // the issuer wants to be asked less often from now on
	PollTrouble       Event = "PollTrouble"       // there was no usable answer; the issuer is asked less often from now on

	// Requesting.

	OwnTokenWanted       Event = "OwnTokenWanted"       // the client asks for a token in its own name
	OwnTokenWantedToSign Event = "OwnTokenWantedToSign" // the client asks for a token in its own name; its assertion or the proof is signed first
	RequestTrouble       Event = "RequestTrouble"       // there was no usable answer; the token is asked for again
	RequestTroubleToSign Event = "RequestTroubleToSign" // there was no usable answer; the token is asked for again with a new assertion or proof
	RequestDenied        Event = "RequestDenied"        // the issuer gives the client no token
	RequestUnreachable   Event = "RequestUnreachable"   // the token could not be asked for
	RenewalDenied        Event = "RenewalDenied"        // the issuer gives the client no new token, and would refuse the same request again

	// Workload.

	WorkloadWanted         Event = "WorkloadWanted"         // the platform is asked for the workload's assertion
	AssertionGiven         Event = "AssertionGiven"         // the platform gave the workload's assertion
	AssertionGivenToSign   Event = "AssertionGivenToSign"   // the platform gave the workload's assertion; the proof is signed first
	AssertionUnusable      Event = "AssertionUnusable"      // the workload's assertion is not for this issuer or has expired; it is not sent
	SourceFailed           Event = "SourceFailed"           // the platform gave no assertion
	RequestTroubleToAssert Event = "RequestTroubleToAssert" // there was no usable answer; the token is asked for again with a newly fetched assertion
	AskedAgainToAssert     Event = "AskedAgainToAssert"     // after an interruption the question is asked again with a newly fetched assertion
	AssertionRefused       Event = "AssertionRefused"       // the issuer refused the assertion; it is not sent again
	RefreshTroubleToAssert Event = "RefreshTroubleToAssert" // there was no usable answer; another token is asked for again with a newly fetched assertion
	IntentMarkedToAssert   Event = "IntentMarkedToAssert"   // the intent was stored; the platform is asked for the workload's assertion

	// Enterprise.

	EnterpriseWanted         Event = "EnterpriseWanted"         // the metadata of the identity provider is fetched
	ProviderFound            Event = "ProviderFound"            // usable metadata of the identity provider was found
	IdentityGiven            Event = "IdentityGiven"            // an ID token of the user is available
	IdentityUnusable         Event = "IdentityUnusable"         // the ID token is from another provider, for another client or expired; it is not sent
	IdentityMissing          Event = "IdentityMissing"          // no ID token of the user is available
	UserNeeded               Event = "UserNeeded"               // there is no ID token until the user logs in at the identity provider
	IdentityStale            Event = "IdentityStale"            // the identity provider did not accept the ID token; another one is asked for
	JAGGiven                 Event = "JAGGiven"                 // the identity provider gave an ID-JAG
	JAGGivenToSign           Event = "JAGGivenToSign"           // the identity provider gave an ID-JAG; the proof is signed first
	JAGUnusable              Event = "JAGUnusable"              // the ID-JAG is not for this issuer, client or resource, or has expired; it is not sent
	MethodRetriedToIdentify  Event = "MethodRetriedToIdentify"  // the client was refused; the other authentication method is tried once, starting again from the ID token
	RequestTroubleToIdentify Event = "RequestTroubleToIdentify" // there was no usable answer; the token is asked for again, starting from the ID token
	AskedAgainToIdentify     Event = "AskedAgainToIdentify"     // after an interruption the question is asked again, starting from the ID token
	RefreshTroubleToIdentify Event = "RefreshTroubleToIdentify" // there was no usable answer; another token is asked for again, starting from the ID token
	IntentMarkedToIdentify   Event = "IntentMarkedToIdentify"   // the intent was stored; the user's ID token is asked for

	// Signing.

	AssertionSigned  Event = "AssertionSigned"  // the client's assertion was signed
	ProofNext        Event = "ProofNext"        // the client's assertion was signed; the proof is signed next
	ProofSigned      Event = "ProofSigned"      // the proof was signed
	KeyFailed        Event = "KeyFailed"        // the client's key could not be used
	AskedAgainToSign Event = "AskedAgainToSign" // after an interruption the question is asked again with a new assertion or proof, which is signed first

	// Saving.

	CredentialSaved   Event = "CredentialSaved"   // the credential was stored
	MethodLearned     Event = "MethodLearned"     // the credential was stored; the registration names an authentication method that the issuer did not accept
	CredentialChanged Event = "CredentialChanged" // the stored credential changed meanwhile
	SaveFailed        Event = "SaveFailed"        // the store failed when a token had been obtained; the token is used, and the save is tried again
	PutOver           Event = "PutOver"           // the new token is written over what is stored
	AlreadySaved      Event = "AlreadySaved"      // the new token is already stored
	Rotated           Event = "Rotated"           // the refreshed credential was stored
	RotationConflict  Event = "RotationConflict"  // the stored credential changed during the refresh

	// Ending.

	LoginClosed             Event = "LoginClosed"             // the parked login was removed
	LoginDone               Event = "LoginDone"               // the login is done
	GrantsLeft              Event = "GrantsLeft"              // the login is done; a grant of another issuer or client is left to revoke
	GrantsLeftToSign        Event = "GrantsLeftToSign"        // the login is done; a grant of another issuer or client is left to revoke, and the client's assertion is signed first
	GrantsUnrevocable       Event = "GrantsUnrevocable"       // the login is done; the issuers of the grants that are left revoke nothing
	DeniedWhileHolding      Event = "DeniedWhileHolding"      // the login brought no token; the held token stays in use
	LoginFailed             Event = "LoginFailed"             // the login failed
	RevokedOne              Event = "RevokedOne"              // one token was revoked; the next follows
	RevocationTrouble       Event = "RevocationTrouble"       // there was no usable answer; the revocation is tried again
	RevokedOneToSign        Event = "RevokedOneToSign"        // one token was revoked; the next follows with a new assertion
	RevocationTroubleToSign Event = "RevocationTroubleToSign" // there was no usable answer; the revocation is tried again with a new assertion
	RevocationDone          Event = "RevocationDone"          // the tokens were revoked as far as possible
	RevocationPutOff        Event = "RevocationPutOff"        // the remaining revocations are put off
	GrantsRetired           Event = "GrantsRetired"           // the grants that were left to revoke were removed from the record
	GrantsKept              Event = "GrantsKept"              // the record could not be changed; the grants that were left to revoke stay in it
	AcceptanceSaved         Event = "AcceptanceSaved"         // every process can now read that the server accepted the token
	AcceptanceLost          Event = "AcceptanceLost"          // it could not be stored that the server accepted the token; only this process knows

	// Lease.

	Leased                     Event = "Leased"                     // the right to refresh was obtained
	LeaseHeld                  Event = "LeaseHeld"                  // another process is refreshing
	Adopted                    Event = "Adopted"                    // another process wrote a newer token; it is adopted
	StillHeld                  Event = "StillHeld"                  // the other process is not done yet
	WaitedTooLong              Event = "WaitedTooLong"              // the other process did not finish in time
	WaitedWhileHolding         Event = "WaitedWhileHolding"         // the other process did not finish in time; the held token stays in use
	CredentialGone             Event = "CredentialGone"             // the credential was removed meanwhile; it is not restored
	LeaseRanOut                Event = "LeaseRanOut"                // the process stood still until its lease was over; it asks for the lease again
	RefreshDue                 Event = "RefreshDue"                 // the stored credential is the one that is held: a refresh is due
	IntentLive                 Event = "IntentLive"                 // another process has a refresh under way
	RefreshPutOff              Event = "RefreshPutOff"              // the answer to a refresh was lost a moment ago; the next try has to wait
	RefreshPutOffWhileHolding  Event = "RefreshPutOffWhileHolding"  // the answer to a refresh was lost a moment ago; the held token stays in use
	RefreshGivenUp             Event = "RefreshGivenUp"             // the refresh token has probably been spent without a usable answer; it is given up
	NothingToSpend             Event = "NothingToSpend"             // there is no refresh token to spend; a login follows
	NothingToSpendQuietly      Event = "NothingToSpendQuietly"      // there is no refresh token to spend
	NothingToSpendWhileHolding Event = "NothingToSpendWhileHolding" // there is no refresh token to spend; the held token stays in use
	IntentMarked               Event = "IntentMarked"               // the intent to refresh was stored
	IntentMarkedToSign         Event = "IntentMarkedToSign"         // the intent to refresh was stored; the client's assertion or the proof is signed first
	IntentMarkedToRenew        Event = "IntentMarkedToRenew"        // the intent to ask for another token in the client's own name was stored
	IntentMarkedToSignRenewal  Event = "IntentMarkedToSignRenewal"  // the intent to ask for another token in the client's own name was stored; the client's assertion or the proof is signed first
	IntentConflict             Event = "IntentConflict"             // the stored credential changed before the intent could be written

	// Refresh.

	TokenRefreshed       Event = "TokenRefreshed"       // the issuer gave a fresh token
	GrantInvalid         Event = "GrantInvalid"         // the issuer refused the refresh token; the store is read before that is believed
	RefreshTrouble       Event = "RefreshTrouble"       // there was no usable answer; the refresh is tried again
	RefreshTroubleToSign Event = "RefreshTroubleToSign" // there was no usable answer; the refresh is tried again with a new assertion or proof
	EndpointMovedToSign  Event = "EndpointMovedToSign"  // the same issuer says that its endpoint has moved; the client's assertion or the proof is signed first
	AnswerLost           Event = "AnswerLost"           // the answer to the refresh was lost
	RefreshUnreachable   Event = "RefreshUnreachable"   // the token could not be refreshed; the credential is kept
	RefreshRefused       Event = "RefreshRefused"       // the refresh could not be sent or was not accepted; the credential is kept
	AnswerLostAgain      Event = "AnswerLostAgain"      // the answer to the refresh was lost again; the refresh token is kept and tried again later
	RefreshDenied        Event = "RefreshDenied"        // the issuer refused the refresh and would refuse it again

	// Refusal.

	Unmarked                Event = "Unmarked"                // the intent was taken back
	UnmarkedWhileHolding    Event = "UnmarkedWhileHolding"    // the intent was taken back; the held token stays in use
	RefreshLost             Event = "RefreshLost"             // the refresh token is not sent again; a login follows
	RefreshLostQuietly      Event = "RefreshLostQuietly"      // the refresh token is not sent again
	RefreshLostWhileHolding Event = "RefreshLostWhileHolding" // the refresh token is not sent again; the held token stays in use
	GrantDead               Event = "GrantDead"               // the refresh token is dead
	Disowned                Event = "Disowned"                // the dead refresh token was dropped; a login follows
	DisownedQuietly         Event = "DisownedQuietly"         // the dead refresh token was dropped
	DisownedWhileHolding    Event = "DisownedWhileHolding"    // the dead refresh token was dropped; the held token stays in use
	DisownConflict          Event = "DisownConflict"          // the stored credential changed before the dead token could be dropped

	// Rotation.

	ObtainedUnwanted       Event = "ObtainedUnwanted"       // the credential was removed meanwhile; the token that was obtained is revoked
	ObtainedUnwantedToSign Event = "ObtainedUnwantedToSign" // the credential was removed meanwhile; the token that was obtained is revoked, and the client's assertion is signed first
	GoneUnrevocable        Event = "GoneUnrevocable"        // the credential was removed meanwhile; the issuer offers no revocation
	Disposed               Event = "Disposed"               // the token that was obtained has been given up

	// Step-up.

	StepUpAllowed Event = "StepUpAllowed" // this scope has not been asked for before
	StepUpCounted Event = "StepUpCounted" // the attempt to get more scope was counted

	// Log out.

	LogoutReady       Event = "LogoutReady"       // the tokens have to be revoked
	LogoutReadyToSign Event = "LogoutReadyToSign" // the tokens have to be revoked; the client's assertion is signed first
	NothingToRevoke   Event = "NothingToRevoke"   // there is nothing that can be revoked
	ClientToForget    Event = "ClientToForget"    // the credential was removed; its client has to be forgotten as well
	ClientManaged     Event = "ClientManaged"     // the issuer can be asked to forget the client
	ClientUnmanaged   Event = "ClientUnmanaged"   // the issuer cannot be asked to forget the client; the stored registration is removed
	ForgetTrouble     Event = "ForgetTrouble"     // there was no usable answer; the issuer is asked again to forget the client
	ClientForgotten   Event = "ClientForgotten"   // the issuer has forgotten the client
	ClientKept        Event = "ClientKept"        // the issuer did not forget the client; its registration stays, so that this can be tried again
	LogoutDone        Event = "LogoutDone"        // the credential was removed

	// In many states alike.

	ScopesWanted Event = "ScopesWanted" // another login was asked for meanwhile; the scopes it wants are added or kept in mind
	TimePassed   Event = "TimePassed"   // nothing was due yet
	AskedAgain   Event = "AskedAgain"   // after an interruption the question is asked again
)

// Illegal is not an event: the caller gave an input that the state does not take.
const Illegal Event = ""

// Describe says in plain words what an event means. It returns an empty string for
// anything that is not an event.
func Describe(on Event) string { return meanings[on] }

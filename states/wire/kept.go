package wire

// Keeping says which function of this package keeps a rule by the way it is
// built, so that no judgement ever cites it: rules that bind this client.
type Keeping struct {
	Rule RuleID
	By   string // the exported function or method
}

// Kept lists the rules that this package keeps without citing them.
func Kept() []Keeping {
	return []Keeping{
		{RuleChallengeClientParses, "JudgeChallenge"},
		{RuleChallengeMultiple, "ParseChallenges"},
		{RuleChallengeSchemeCase, "ParseChallenges"},
		{RuleChallengeBodyNotTrusted, "JudgeChallenge"},
		{RuleNetFuzzHeaders, "ParseChallenges"},

		{RulePRMGet, "GetMetadata"},
		{RulePRMNoCredentialsSent, "GetMetadata"},
		{RulePRMWellknownInsertion, "PRMPathURL"},
		{RulePRMIssuerVerbatim, "ParsePRM"},
		{RulePRMUnknownIgnored, "ParsePRM"},
		{RulePRMDisplayUntrusted, "ParsePRM"},

		{RuleASMClientBoth, "ASMURLs"},
		{RuleASMProbeOrder, "ASMURLs"},
		{RuleASMStripSlash, "ASMURLs"},
		{RuleASMNoRootForPathIssuer, "ASMURLs"},
		{RuleASMStringCompare, "ParseASM"},
		{RuleASMUnknownIgnored, "ParseASM"},
		{RuleASMEndpointForeignHost, "ParseASM"},
		{RuleASMNoCredentialsSent, "GetMetadata"},
		{RuleASMProtocolVersionHeader, "GetMetadata"},
		{RuleASMLegacyDefaultEndpoints, "DefaultASM"},
		{RuleASMAuthMethodsDefault, "ChooseMethod"},

		{RuleDCRPostJSON, "RegistrationRequest"},
		{RuleDCRRedirectURIs, "RegistrationRequest"},
		{RuleDCRApplicationType, "RegistrationRequest"},
		{RuleDCRApplicationTypeValue, "ApplicationType"},
		{RuleDCRAuthMethodAsked, "RegistrationRequest"},
		{RuleDCRGrantTypesRefresh, "RegistrationRequest"},
		{RuleDCRScopeIncluded, "RegistrationRequest"},
		{RuleDCRFailureShown, "ParseRegistration"},
		{RuleDCRNoSilentCopy, "ParseRegistration"},

		{RuleAuthzReqResponseType, "AuthorizationURL"},
		{RuleAuthzReqClientID, "AuthorizationURL"},
		{RuleAuthzReqPKCE, "AuthorizationURL"},
		{RuleAuthzReqPKCES256, "AuthorizationURL"},
		{RuleAuthzReqRedirectURI, "AuthorizationURL"},
		{RuleAuthzReqResourceCanonical, "CanonicalServer"},
		{RuleAuthzReqResourceSingle, "AuthorizationURL"},
		{RuleAuthzReqScopeSyntax, "ParseScope"},
		{RuleAuthzReqNoSecret, "AuthorizationURL"},

		{RuleAuthzRespStateOnce, "SameState"},
		{RuleAuthzRespUnknownIgnored, "ParseCallback"},
		{RuleAuthzRespQueryMode, "ParseCallback"},
		{RuleAuthzRespErrorCharset, "ParseCallback"},
		{RuleAuthzRespErrorEscaped, "Clean"},
		{RuleAuthzRespPasteBack, "ParseCallback"},
		{RuleAuthzRespRedirectExact, "SameRedirect"},
		{RuleIssuerNoNormalization, "JudgeIss"},
		{RuleIssuerResponseAbsentOk, "JudgeIss"},
		{RuleIssuerIssSyntax, "JudgeIss"},

		{RuleTokenReqPost, "TokenRequest"},
		{RuleTokenReqForm, "EncodeForm"},
		{RuleTokenReqGrantType, "TokenRequest"},
		{RuleTokenReqCodeVerifier, "TokenRequest"},
		{RuleTokenReqRedirectURI, "TokenRequest"},
		{RuleTokenReqResource, "TokenRequest"},
		{RuleTokenReqClientID, "TokenRequest"},
		{RuleTokenReqNoQuery, "TokenRequest"},
		{RuleTokenReqParamOnce, "TokenRequest"},
		{RuleTokenReqAcceptJSON, "TokenRequest"},
		{RuleTokenReqNoScopeOnCode, "TokenRequest"},
		{RuleRefreshResource, "RefreshRequest"},

		{RuleTokenRespExpiresZero, "ParseToken"},
		{RuleTokenRespExpiresAbsent, "ParseToken"},
		{RuleTokenRespUnknownIgnored, "ParseToken"},
		{RuleTokenRespNoRecordFields, "ParseToken"},
		{RuleTokenRespIDToken, "ParseToken"},
		{RuleTokenRespOkFalse, "ParseOAuthError"},
		{RuleTokenRespErrorCharset, "ParseOAuthError"},
		{RuleTokenRespInvalidClient401, "ParseOAuthError"},
		{RuleTokenRespOpaque, "ParseToken"},

		{RuleClientauthOneMethod, "TokenRequest"},
		{RuleClientauthBasicNoBodyID, "TokenRequest"},
		{RuleClientauthBasicEncoding, "TokenRequest"},
		{RuleClientauthNone, "TokenRequest"},
		{RuleClientauthMethodFromRegistration, "ChooseMethod"},
		{RuleClientauthDefaultBasic, "ChooseMethod"},
		{RuleClientauthPostSupported, "OtherMethod"},
		{RuleClientauthFallbackOnce, "OtherMethod"},

		{RuleRevokeFormPost, "RevokeRequest"},
		{RuleRevokeClientAuth, "RevokeRequest"},
		{RuleRevokeJSONPNever, "RevokeRequest"},
		{RuleRevokeBodyIgnored, "JudgeRevocation"},
		{RuleRevoke200Unknown, "JudgeRevocation"},
		{RuleRevokeUnsupportedType, "JudgeRevocation"},

		{RuleURLLoopbackException, "CheckURL"},
		{RuleNetRetryAfter, "RetryAfter"},
		{RuleLogErrorEcho, "ParseObject"},
	}
}

package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// refreshLaws are the rows of the refresh, of step-up and of logging out: the
// second half of Table.
var refreshLaws = []Row{
	// Refresh: lease, reload, decide, mark, send, compare-and-swap, release.

	{states.Leasing, Leased, states.Reloading, move, wire.RuleRefreshTransaction},
	{states.Leasing, LeaseHeld, states.Waiting, move, wire.RuleStoreLeaseTristate},
	{states.Leasing, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
	{states.Leasing, StoreLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},

	{states.Waiting, LookAgain, states.Looking, move, wire.RuleRefreshTransaction},

	{states.Looking, Adopted, states.Authorized, move, wire.RuleRefreshReloadFirst},
	{states.Looking, StillHeld, states.Leasing, move, wire.RuleRefreshTransaction},
	{states.Looking, WaitedTooLong, states.Failed, move, wire.RuleNetBackoffBounded},
	{states.Looking, WaitedWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},
	{states.Looking, CredentialGone, states.Anonymous, move, wire.RuleLogoutConditional},
	{states.Looking, RecordUnreadable, states.Failed, move, wire.RuleStoreVersioned},
	{states.Looking, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
	{states.Looking, StoreLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},

	{states.Reloading, LeaseRanOut, states.Leasing, move, wire.RuleRefreshTransaction},
	{states.Reloading, RefreshDue, states.Marking, move, wire.RuleRefreshReloadFirst},
	{states.Reloading, Adopted, states.Authorized, move, wire.RuleRefreshReloadFirst},
	{states.Reloading, IntentLive, states.Waiting, move, wire.RuleRefreshTransaction},
	{states.Reloading, WaitedTooLong, states.Failed, move, wire.RuleNetBackoffBounded},
	{states.Reloading, WaitedWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},
	{states.Reloading, RefreshGivenUp, states.Relinquishing, move, wire.RuleRefreshAmbiguousOnce},
	{states.Reloading, RefreshLost, states.Announcing, move, wire.RuleRefreshAmbiguousOnce},
	{states.Reloading, RefreshLostQuietly, states.Anonymous, move, wire.RuleRefreshAmbiguousOnce},
	{states.Reloading, RefreshLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},
	{states.Reloading, NothingToSpend, states.Announcing, move, wire.RuleTokenRespRefreshOptional},
	{states.Reloading, NothingToSpendQuietly, states.Anonymous, move, wire.RuleTokenRespRefreshOptional},
	{states.Reloading, NothingToSpendWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},
	{states.Reloading, CredentialGone, states.Anonymous, move, wire.RuleLogoutConditional},
	{states.Reloading, RecordUnreadable, states.Failed, move, wire.RuleStoreVersioned},
	{states.Reloading, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
	{states.Reloading, StoreLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},

	{states.Marking, IntentMarked, states.Refreshing, move, wire.RuleRefreshTransaction},
	{states.Marking, IntentConflict, states.Reloading, move, wire.RuleRefreshCASSave},
	{states.Marking, WaitedTooLong, states.Failed, move, wire.RuleNetBackoffBounded},
	{states.Marking, WaitedWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},
	{states.Marking, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
	{states.Marking, StoreLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},

	{states.Refreshing, TokenRefreshed, states.Rotating, move, wire.RuleRefreshRotationAdopt},
	{states.Refreshing, GrantInvalid, states.Doubting, move, wire.RuleRefreshInvalidGrantReload},
	{states.Refreshing, MethodRetried, states.Refreshing, move, wire.RuleClientauthFallbackOnce},
	{states.Refreshing, RefreshTrouble, states.Refreshing, move, wire.RuleRefreshTransientKeeps},
	{states.Refreshing, AnswerLost, states.Reloading, move, wire.RuleRefreshAmbiguousOnce},
	{states.Refreshing, RefreshUnreachable, states.Unmarking, move, wire.RuleRefreshTransientKeeps},
	{states.Refreshing, RefreshRefused, states.Unmarking, move, wire.RuleRefreshTransientKeeps},
	{states.Refreshing, ClientUnknown, states.Unmarking, move, wire.RuleRegReregisterOnce},
	{states.Refreshing, ClientRefused, states.Unmarking, move, wire.RulePreregNeverReplaced},
	{states.Refreshing, EndpointGone, states.RereadingToRefresh, move, wire.RuleASMCacheBounded},

	{states.RereadingToRefresh, EndpointMoved, states.Refreshing, move, wire.RuleIssuerRefreshBound},
	{states.RereadingToRefresh, ASMMissing, states.RereadingToRefresh, move, wire.RuleASMProbeOrder},
	{states.RereadingToRefresh, ASMTrouble, states.RereadingToRefresh, move, wire.RuleNetBackoffBounded},
	{states.RereadingToRefresh, RefreshRefused, states.Unmarking, move, wire.RuleRefreshTransientKeeps},

	{states.Unmarking, Unmarked, states.Failed, move, wire.RuleRefreshTransientKeeps},
	{states.Unmarking, UnmarkedWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},
	{states.Unmarking, IntentConflict, states.Reloading, move, wire.RuleRefreshCASSave},
	{states.Unmarking, LoginNeeded, states.Announcing, move, wire.RuleRegReregisterOnce},
	{states.Unmarking, LoginNeededQuietly, states.Anonymous, move, wire.RuleRegReregisterOnce},

	{states.Relinquishing, RefreshLost, states.Announcing, move, wire.RuleRefreshAmbiguousOnce},
	{states.Relinquishing, RefreshLostQuietly, states.Anonymous, move, wire.RuleRefreshAmbiguousOnce},
	{states.Relinquishing, RefreshLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},
	{states.Relinquishing, IntentConflict, states.Reloading, move, wire.RuleRefreshCASSave},

	{states.Doubting, Adopted, states.Authorized, move, wire.RuleRefreshInvalidGrantReload},
	{states.Doubting, GrantDead, states.Disowning, move, wire.RuleRefreshInvalidGrantTerminal},
	{states.Doubting, CredentialGone, states.Anonymous, move, wire.RuleLogoutConditional},
	{states.Doubting, RecordUnreadable, states.Failed, move, wire.RuleStoreVersioned},
	{states.Doubting, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
	{states.Doubting, StoreLostWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},

	{states.Disowning, Disowned, states.Announcing, move, wire.RuleRefreshInvalidGrantTerminal},
	{states.Disowning, DisownedQuietly, states.Anonymous, move, wire.RuleRefreshInvalidGrantTerminal},
	{states.Disowning, DisownedWhileHolding, states.Authorized, move, wire.RuleRefreshValidTokenUsable},
	{states.Disowning, DisownConflict, states.Doubting, move, wire.RuleStoreDeleteConditional},

	{states.Rotating, Rotated, states.Authorized, move, wire.RuleRefreshCASSave},
	{states.Rotating, RotationConflict, states.Reconciling, move, wire.RuleRefreshStaleRestore},
	{states.Rotating, SaveFailed, states.Resaving, move, wire.RuleRefreshStaleRestore},

	{states.Reconciling, PutOver, states.Rotating, move, wire.RuleStoreSchemaPreserving},
	{states.Reconciling, AlreadySaved, states.Authorized, move, wire.RuleRefreshCASSave},
	{states.Reconciling, Adopted, states.Authorized, move, wire.RuleRefreshStaleRestore},
	{states.Reconciling, ObtainedUnwanted, states.Disposing, move, wire.RuleLogoutConditional},
	{states.Reconciling, GoneUnrevocable, states.Anonymous, move, wire.RuleLogoutConditional},
	{states.Reconciling, RecordUnreadable, states.Failed, move, wire.RuleStoreVersioned},
	{states.Reconciling, SaveFailed, states.Resaving, move, wire.RuleRefreshStaleRestore},

	{states.Disposing, RevokedOne, states.Disposing, move, wire.RuleRevokeOrder},
	{states.Disposing, RevocationTrouble, states.Disposing, move, wire.RuleRevoke503Retry},
	{states.Disposing, Disposed, states.Anonymous, move, wire.RuleRevokeBestEffort},

	// Step-up: more scope than the token has.

	{states.StepUp, StepUpAllowed, states.Tallying, move, wire.RuleStepupTrack},
	{states.StepUp, ScopeShortAgain, states.Authorized, move, wire.RuleStepupRetryLimit},
	{states.StepUp, Cancelled, states.Authorized, move, wire.RuleHouseCancel},

	{states.Tallying, StepUpCounted, states.Announcing, move, wire.RuleStepupTrack},

	// Log out: revoke, then forget.

	{states.Recalling, LogoutReady, states.Revoking, move, wire.RuleRevokeOrder},
	{states.Recalling, NothingToRevoke, states.Erasing, move, wire.RuleRevokeNoEndpoint},
	{states.Recalling, CredentialMissing, states.Anonymous, move, wire.RuleLogoutConditional},
	{states.Recalling, RecordUnreadable, states.Failed, move, wire.RuleStoreVersioned},
	{states.Recalling, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},

	{states.Revoking, RevokedOne, states.Revoking, move, wire.RuleRevokeOrder},
	{states.Revoking, RevocationTrouble, states.Revoking, move, wire.RuleRevoke503Retry},
	{states.Revoking, RevocationDone, states.Erasing, move, wire.RuleRevokeBestEffort},

	{states.Erasing, LogoutDone, states.Anonymous, move, wire.RuleLogoutConditional},
	{states.Erasing, CredentialChanged, states.Recalling, move, wire.RuleLogoutConditional},
	{states.Erasing, StoreLost, states.Failed, move, wire.RuleStoreLeaseTristate},
}

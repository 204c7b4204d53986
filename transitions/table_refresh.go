package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// refreshLaws are the rows of the refresh, of step-up and of logging out: the
// second half of Table.
var refreshLaws = []Row{
	// Refresh: lease, reload, decide, mark, send, compare-and-swap, release.

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
	{states.Reloading, RefreshLost, states.Announcing, move, rules.RefreshAmbiguousOnce},
	{states.Reloading, RefreshLostQuietly, states.Anonymous, move, rules.RefreshAmbiguousOnce},
	{states.Reloading, RefreshLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Reloading, NothingToSpend, states.Announcing, move, rules.TokenRespRefreshOptional},
	{states.Reloading, NothingToSpendQuietly, states.Anonymous, move, rules.TokenRespRefreshOptional},
	{states.Reloading, NothingToSpendWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Reloading, CredentialGone, states.Anonymous, move, rules.LogoutConditional},
	{states.Reloading, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Reloading, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Reloading, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},

	{states.Marking, IntentMarked, states.Refreshing, move, rules.RefreshTransaction},
	{states.Marking, IntentConflict, states.Reloading, move, rules.RefreshCASSave},
	{states.Marking, WaitedTooLong, states.Failed, move, rules.NetBackoffBounded},
	{states.Marking, WaitedWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Marking, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
	{states.Marking, StoreLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},

	{states.Refreshing, TokenRefreshed, states.Rotating, move, rules.RefreshRotationAdopt},
	{states.Refreshing, GrantInvalid, states.Doubting, move, rules.RefreshInvalidGrantReload},
	{states.Refreshing, MethodRetried, states.Refreshing, move, rules.ClientauthFallbackOnce},
	{states.Refreshing, RefreshTrouble, states.Refreshing, move, rules.RefreshTransientKeeps},
	{states.Refreshing, AnswerLost, states.Reloading, move, rules.RefreshAmbiguousOnce},
	{states.Refreshing, RefreshUnreachable, states.Unmarking, move, rules.RefreshTransientKeeps},
	{states.Refreshing, RefreshRefused, states.Unmarking, move, rules.RefreshTransientKeeps},
	{states.Refreshing, ClientUnknown, states.Unmarking, move, rules.RegReregisterOnce},
	{states.Refreshing, ClientRefused, states.Unmarking, move, rules.PreregNeverReplaced},
	{states.Refreshing, EndpointGone, states.RereadingToRefresh, move, rules.ASMCacheBounded},

	{states.RereadingToRefresh, EndpointMoved, states.Refreshing, move, rules.IssuerRefreshBound},
	{states.RereadingToRefresh, ASMMissing, states.RereadingToRefresh, move, rules.ASMProbeOrder},
	{states.RereadingToRefresh, ASMTrouble, states.RereadingToRefresh, move, rules.NetBackoffBounded},
	{states.RereadingToRefresh, RefreshRefused, states.Unmarking, move, rules.RefreshTransientKeeps},

	{states.Unmarking, Unmarked, states.Failed, move, rules.RefreshTransientKeeps},
	{states.Unmarking, UnmarkedWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
	{states.Unmarking, IntentConflict, states.Reloading, move, rules.RefreshCASSave},
	{states.Unmarking, LoginNeeded, states.Announcing, move, rules.RegReregisterOnce},
	{states.Unmarking, LoginNeededQuietly, states.Anonymous, move, rules.RegReregisterOnce},

	{states.Relinquishing, RefreshLost, states.Announcing, move, rules.RefreshAmbiguousOnce},
	{states.Relinquishing, RefreshLostQuietly, states.Anonymous, move, rules.RefreshAmbiguousOnce},
	{states.Relinquishing, RefreshLostWhileHolding, states.Authorized, move, rules.RefreshValidTokenUsable},
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

	{states.Rotating, Rotated, states.Authorized, move, rules.RefreshCASSave},
	{states.Rotating, RotationConflict, states.Reconciling, move, rules.RefreshStaleRestore},
	{states.Rotating, SaveFailed, states.Resaving, move, rules.RefreshStaleRestore},

	{states.Reconciling, PutOver, states.Rotating, move, rules.StoreSchemaPreserving},
	{states.Reconciling, AlreadySaved, states.Authorized, move, rules.RefreshCASSave},
	{states.Reconciling, Adopted, states.Authorized, move, rules.RefreshStaleRestore},
	{states.Reconciling, ObtainedUnwanted, states.Disposing, move, rules.LogoutConditional},
	{states.Reconciling, GoneUnrevocable, states.Anonymous, move, rules.LogoutConditional},
	{states.Reconciling, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Reconciling, SaveFailed, states.Resaving, move, rules.RefreshStaleRestore},

	{states.Disposing, RevokedOne, states.Disposing, move, rules.RevokeOrder},
	{states.Disposing, RevocationTrouble, states.Disposing, move, rules.Revoke503Retry},
	{states.Disposing, Disposed, states.Anonymous, move, rules.RevokeBestEffort},

	// Step-up: more scope than the token has.

	{states.StepUp, StepUpAllowed, states.Tallying, move, rules.StepupTrack},
	{states.StepUp, ScopeShortAgain, states.Authorized, move, rules.StepupRetryLimit},
	{states.StepUp, Cancelled, states.Authorized, move, rules.HouseCancel},

	{states.Tallying, StepUpCounted, states.Announcing, move, rules.StepupTrack},

	// Log out: revoke, then forget.

	{states.Recalling, LogoutReady, states.Revoking, move, rules.RevokeOrder},
	{states.Recalling, NothingToRevoke, states.Erasing, move, rules.RevokeNoEndpoint},
	{states.Recalling, CredentialMissing, states.Anonymous, move, rules.LogoutConditional},
	{states.Recalling, RecordUnreadable, states.Failed, move, rules.StoreVersioned},
	{states.Recalling, StoreLost, states.Failed, move, rules.StoreLeaseTristate},

	{states.Revoking, RevokedOne, states.Revoking, move, rules.RevokeOrder},
	{states.Revoking, RevocationTrouble, states.Revoking, move, rules.Revoke503Retry},
	{states.Revoking, RevocationDone, states.Erasing, move, rules.RevokeBestEffort},

	{states.Erasing, LogoutDone, states.Anonymous, move, rules.LogoutConditional},
	{states.Erasing, CredentialChanged, states.Recalling, move, rules.LogoutConditional},
	{states.Erasing, StoreLost, states.Failed, move, rules.StoreLeaseTristate},
}

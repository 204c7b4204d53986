package audit

import (
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// runTraps are about what a client does while it runs, whether it keeps anything or not.
var runTraps = []Trap{
	observes(trap("once", Medium, DoS, "Counts registrations and logins of a client whose token is good for an hour.", "It registers once at most, and asks the user once.", "Let one request log in while the others wait, and use the token until it is refused.", judgeOnce, nil, rules.RegReuse, rules.RegSingleFlight)),
	inRun(trap("run-rotate", Critical, Replay, "Lets each of the first three tokens expire after its first use, and rotates the refresh token.", "Each refresh token is sent once.", "Take the new refresh token before anything else is sent.", ifRefreshed(judgeRefreshTwice), nil, rules.RefreshRotationAdopt, rules.Refresh401One), 3),
	inRun(trap("run-omitted", High, Interop, "Lets each of the first two tokens expire after its first use, and answers refreshes without a new refresh token.", "The old refresh token is used again; no login.", "Keep the refresh token when the answer has none.", ifRefreshed(judgeNoLoginAfter), []string{"refresh-no-rotation"}, rules.RefreshOmittedKeep), 2),
	failing(inRun(trap("run-503", High, Interop, "Lets the token expire after its first use, and answers the first refresh 503 with Retry-After.", "The user is not asked.", "Keep the refresh token after every failure but invalid_grant.", ifRefreshed(judgeNoLoginAfter), nil, rules.RefreshTransientKeeps), 1), "503"),
	failing(inRun(trap("run-html", High, Interop, "Lets the token expire after its first use, and answers the first refresh with a page.", "The user is not asked.", "Keep the refresh token after every failure but invalid_grant.", ifRefreshed(judgeNoLoginAfter), nil, rules.RefreshTransientKeeps), 1), "html"),
	inRun(trap("run-dead", High, DoS, "Lets the token expire after its first use, and answers every refresh invalid_grant.", "The refresh token is sent once.", "Drop the refresh token at invalid_grant.", ifRefreshed(judgeRefreshDead), []string{"refresh-invalid-grant"}, rules.RefreshInvalidGrantTerminal), 1),
	inRun(keyed(refreshing("refresh-secret", High, Takeover, "Registers the client for a secret in the form, and lets the token expire.", "The refresh is authenticated as the exchange was.", "Authenticate every token request as the registration says.", judgeRefreshSecret, nil, 1, rules.RefreshClientAuth, rules.ClientauthConfidential), "client_secret_post"), 1),
	trap("logs-failure", High, Leak, "Refuses the exchange, and searches the client's output for what was sent.", "Neither code nor verifier is in it.", "Mask what is logged, in errors as well.", judgePrintedFailure, []string{"token-invalid-grant"}, rules.LogNoSecrets),
	inRun(storing(keyed(trap("secret-kept", High, Leak, "Registers the client with a secret, and searches output and files for it.", "It is in no output, and in no file that others can read.", "Treat the client's secret as a token: mask it, and encrypt it or use the keychain.", all(judgePrinted, judgeStore), nil, rules.LogNoSecrets, rules.StoreMode, rules.StoreEncrypted), "client_secret_post")), 1),
	patient(hanging(trap("token-silent", Low, DoS, "Takes the exchange and never answers.", "The client ends the request in its own time.", "Set a deadline for every request.", judgeSilent, nil, rules.NetTimeout, rules.TokenReqDeadline)), silentTime),
	patient(nobody(trap("no-answer", Low, DoS, "Lets nobody come back from the browser.", "The client asks once, waits for as long as it likes, and says in the end that nobody came.", "Give the user a deadline, tell that it is over, and do not ask again by yourself.", judgeNobody, nil, rules.AuthzRespDeadline)), silentTime),
}

// silentTime is how long a client is waited for in a trap that does not answer.
const silentTime = 60 * time.Second

func hanging(t Trap) Trap { t.Silent = true; return t }
func nobody(t Trap) Trap  { t.Nobody = true; return t }

func patient(t Trap, d time.Duration) Trap { t.Patience = d; return t }

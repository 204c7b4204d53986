package states

import "time"

// Step-up: more scope is needed than the token has.
const (
	StepUp   State = "StepUp"
	Tallying State = "Tallying"
)

// LedgerLife is how long an attempt to get more scope is remembered.
const LedgerLife = time.Hour

var stepUpRoom = []about{
	{
		state: StepUp, group: groupStepUp, doing: "asking for more scope",
		says: "More scope is needed. The ledger is read, to see what was tried before.",
		enter: func(d *Data) []Effect {
			return []Effect{Load{Serial: d.Serial, Key: d.Config.LedgerKey()}}
		},
		holds: all(loginUnderWay, tokenHeld),
	},
	{
		state: Tallying, group: groupStepUp, doing: "counting the step-up",
		says: "The attempt to get more scope is counted.",
		enter: func(d *Data) []Effect {
			return []Effect{Save{
				Serial: d.Serial, Key: d.Config.LedgerKey(), Value: mustEncode(d.Flow.Ledger),
				Expected: d.Flow.LedgerAt, Expires: d.At.Add(LedgerLife),
			}}
		},
		holds: loginUnderWay,
	},
}

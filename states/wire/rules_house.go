package wire

// rulesHouse holds group 20: rules that this project needs and the catalogue
// does not have. Every row is a house rule; its clause says why it exists.
// The constants stand in rule_ids_house.go.
var rulesHouse = []Rule{
	{ID: RuleHouseCancel, Level: "MUST", House: true, Who: "C", Since: "all", Group: 20,
		Clause:   "house rule: a caller's context ends his wait only",
		Requires: "A wish to cancel ends what may be ended at once; while an answer is on its way that must not be lost, it waits for answer and save.",
		Breach:   "SELF"},
	{ID: RuleHouseAskAgain, Level: "MUST", House: true, Who: "C", Since: "all", Group: 20,
		Clause:   "house rule: Once is never blindly repeated after a restart",
		Requires: "After an interruption a question is asked again unless it is a Once; a Once is treated as sent with an unknown outcome.",
		Breach:   "SELF"},
	{ID: RuleHouseUnreachable, Level: "MUST", House: true, Who: "AS, RS", Since: "all", Group: 20,
		Clause:   "house table T8a, the rows of transport",
		Requires: "A server can be reached: its name is found, it takes the connection, and it answers.",
		Breach:   "tried again within bounds, then transient; nothing stored changes"},
	{ID: RuleHouseVisit, Level: "MUST", House: true, Who: "C", Since: "all", Group: 20,
		Clause:   "house rule: nothing waits without an end, and every error says its first cause",
		Requires: "A human who cannot be sent to the issuer ends the login at once; nobody waits for a callback that cannot come.",
		Breach:   "SELF"},
	{ID: RuleHouseTime, Level: "MUST", House: true, Who: "C", Since: "all", Group: 20,
		Clause:   "house rule: time arrives with the input",
		Requires: "Time that is not due moves nothing.",
		Breach:   "SELF"},
}

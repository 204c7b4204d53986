package wire

// Group 20: this project's own rows. A rule is added here and in rulesHouse.
const (
	RuleHouseCancel   RuleID = "house-cancel"
	RuleHouseAskAgain RuleID = "house-ask-again"
	RuleHouseTime     RuleID = "house-time"
)

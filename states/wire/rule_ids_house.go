package wire

// Group 20: this project's own rows. A rule is added here and in rulesHouse.
const (
	RuleHouseCancel      RuleID = "house-cancel"
	RuleHouseAskAgain    RuleID = "house-ask-again"
	RuleHouseUnreachable RuleID = "house-unreachable"
	RuleHouseVisit       RuleID = "house-visit"
	RuleHouseTime        RuleID = "house-time"
)

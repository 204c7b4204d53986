package wire

// rulesHouse holds group 20: rules that this project needs and the catalogue
// does not have. Every row is a house rule; its clause says why it exists.
// The constants stand in rule_ids_house.go.
var rulesHouse = []Rule{}

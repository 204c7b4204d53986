// Package states holds the states of the machine, what each asks on arriving,
// and the values that inputs, effects and records are made of.
package states

package transitions

// Mover is what a Law asks, and Ask makes the Law of another one than looplab's.
type Mover = mover

// Ask makes the law of what m answers.
func Ask(m Mover, rows []Row) *Law { return ask(m, rows) }

package peer

import "slices"

// faultSet is the faults that a server was told to commit. How often each
// bounded one has acted is part of the server's state, so that copies and
// snapshots carry it.
type faultSet []armed

// distort applies the transforming faults of an endpoint to a finished reply and
// gives the name of the last one that changed it.
func (fs faultSet) distort(fired *[]tally, endpoint string, r *reply, s scene) string {
	acted := ""
	for _, f := range fs {
		if f.fault.apply == nil || f.fault.Endpoint != endpoint || f.spent(*fired) {
			continue
		}
		if f.fault.apply(r, s) {
			acted = f.fault.Name
			f.count(fired)
		}
	}
	return acted
}

// decide says whether the fault that a decision asks for by name acts now, and
// counts it.
func (fs faultSet) decide(fired *[]tally, name string) bool {
	for _, f := range fs {
		if f.fault.Name == name && !f.spent(*fired) {
			f.count(fired)
			return true
		}
	}
	return false
}

// has says that a fault of that name was asked for, whether it still acts or not.
func (fs faultSet) has(name string) bool {
	return slices.ContainsFunc(fs, func(f armed) bool { return f.fault.Name == name })
}

// spent says that a bounded fault has acted as often as it may.
func (f armed) spent(fired []tally) bool {
	if f.left < 0 {
		return false
	}
	i := slices.IndexFunc(fired, func(t tally) bool { return t.Key == f.fault.Name })
	return i >= 0 && fired[i].Count >= f.left
}

// count records nothing for an unbounded fault, so that two servers that behave
// alike stay equal.
func (f armed) count(fired *[]tally) {
	if f.left < 0 {
		return
	}
	i := slices.IndexFunc(*fired, func(t tally) bool { return t.Key == f.fault.Name })
	if i < 0 {
		*fired = append(*fired, tally{Key: f.fault.Name, Count: 1})
		return
	}
	(*fired)[i].Count++
}

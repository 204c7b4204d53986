package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// flagNeeds is the annotation of a flag with what it has no effect without.
const flagNeeds = "needs"

// needs says what the flags have no effect without, and are refused without: one of the flags
// in what, as in "register|login". "NAME=A,B" is a flag with one of these values. With "!" in front,
// what names the one flag beside which they have no effect. A flag can have several needs.
func needs(fl *pflag.FlagSet, what string, flags ...string) {
	for _, name := range flags {
		_ = fl.SetAnnotation(name, flagNeeds, append(slices.Clone(fl.Lookup(name).Annotations[flagNeeds]), what))
	}
}

// unheeded refuses a flag that was given and would have no effect.
func unheeded(fl *pflag.FlagSet) (err error) {
	fl.Visit(func(f *pflag.Flag) {
		if !given(f) || err != nil {
			return
		}
		for _, what := range f.Annotations[flagNeeds] {
			if err = unmet(fl, f.Name, what); err != nil {
				return
			}
		}
	})
	return err
}

// given reports whether a flag was given, and not only its default.
func given(f *pflag.Flag) bool { return f.Changed && f.Value.String() != f.DefValue }

func unmet(fl *pflag.FlagSet, name, what string) error {
	if other, not := strings.CutPrefix(what, "!"); not {
		if !holds(fl, other) {
			return nil
		}
		return &failure{
			code: exitUsage, err: errors.New("--" + name + " has no effect with " + spoken(fl, other)),
			advice: "leave one of the two out",
		}
	}
	var others []string
	for one := range strings.SplitSeq(what, "|") {
		if holds(fl, one) {
			return nil
		}
		if other := spoken(fl, one); other != "" {
			others = append(others, other)
		}
	}
	add := others[0]
	if len(others) > 1 {
		add = "one of these flags"
	}
	return &failure{
		code: exitUsage, err: errors.New("--" + name + " has no effect without " + strings.Join(others, " or ")),
		advice: "add " + add + ", or leave --" + name + " out",
	}
}

// holds reports whether the flag of a need is given, or has one of its values.
func holds(fl *pflag.FlagSet, need string) bool {
	name, values, valued := strings.Cut(need, "=")
	f := fl.Lookup(name)
	switch {
	case f == nil:
		return false
	case valued:
		return slices.Contains(strings.Split(values, ","), f.Value.String())
	}
	return given(f)
}

// spoken is a need as it is written on a command line; empty if the command has no such flag.
func spoken(fl *pflag.FlagSet, need string) string {
	name, values, valued := strings.Cut(need, "=")
	f := fl.Lookup(name)
	switch {
	case f == nil:
		return ""
	case !valued:
		return "--" + name
	case slices.Contains(strings.Split(values, ","), f.Value.String()):
		return "--" + name + " " + f.Value.String()
	}
	return "--" + name + " " + strings.ReplaceAll(values, ",", " or ")
}

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states/rules"
)

func newRules(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rules [ID]",
		Short: "List the rules, or show one",
		Long: `Lists the rules of MCP authorization that Stile cites, by chapter, or shows one:
the clause, what it requires, how a breach shows and what Stile does about it. If ID
is only a part of an id, the command lists all rules whose ids contain it.`,
		Example: "  stile rules asm-issuer-match",
		Args:    takes("[ID]"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, r := range rules.All() {
				ids = append(ids, string(r.ID))
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, given []string) error {
			if len(given) == 1 {
				if r, ok := rules.Lookup(rules.ID(given[0])); ok {
					return a.result(r, func() { a.printRule(r) })
				}
			}
			list := []rules.Rule{}
			for _, r := range rules.All() {
				if len(given) == 0 || strings.Contains(string(r.ID), given[0]) {
					list = append(list, r)
				}
			}
			if len(list) == 0 {
				return &failure{code: exitUsage, err: fmt.Errorf("there is no rule %q", given[0]), advice: "stile rules lists all of them"}
			}
			return a.result(list, func() {
				p := paint(a.colours(a.out))
				group := 0
				for _, r := range list {
					if r.Group != group {
						group = r.Group
						a.say("%s\n", p.bold(groupTitle(group)))
					}
					a.say("  %-34s %-10s %s\n", string(r.ID), r.Level, p.dim(r.Clause))
				}
			})
		},
	}
}

func groupTitle(n int) string {
	for _, g := range rules.Groups() {
		if g.Number == n {
			return fmt.Sprintf("%d. %s", g.Number, g.Title)
		}
	}
	return fmt.Sprint(n)
}

func (a *app) printRule(r rules.Rule) {
	p := paint(a.colours(a.out))
	a.say("%s\n", p.bold(string(r.ID)))
	line := func(name, value string) {
		if value != "" {
			a.say("  %-10s %s\n", name, value)
		}
	}
	level := r.Level
	if r.House {
		level += " (of this project; no specification states it)"
	}
	line("chapter", groupTitle(r.Group))
	line("level", level)
	line("binds", r.Who)
	line("since", r.Since)
	line("clause", r.Cited())
	line("requires", r.Requires)
	line("seen in", r.Observe)
	line("breach", r.Breach)
}

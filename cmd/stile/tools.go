package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states"
)

func newTools(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "tools URL",
		Short: "List the tools of an MCP server",
		Long:  "Lists the tools of the MCP server at URL. If the server asks for a login, the command begins one.",
		Args:  takes("URL"),
		RunE: func(c *cobra.Command, given []string) error {
			return f.withSession(c.Context(), a, given[0], "listing the tools", func(ctx context.Context, s *mcp.ClientSession) error {
				all := []*mcp.Tool{}
				for t, err := range s.Tools(ctx, nil) {
					if err != nil {
						return err
					}
					if all = append(all, t); len(all) > 10_000 {
						return &failure{code: exitPeer, party: states.PartyPeer, err: errors.New("the server lists more than 10000 tools"), advice: "tell the operator of the server"}
					}
				}
				all, err := masked(&a.secrets, all)
				if err != nil {
					return err
				}
				return a.result(all, func() {
					p := paint(a.colours(a.out))
					for _, t := range all {
						a.say("%s\n", p.bold(t.Name))
						if t.Description != "" {
							a.say("  %s\n", strings.Join(strings.Fields(t.Description), " "))
						}
						if names := parameters(t.InputSchema); names != "" {
							a.say("  arguments: %s\n", names)
						}
					}
				})
			})
		},
	}
	f.addLogin(c)
	return c
}

// parameters lists the arguments of a tool from its schema, with those that are not
// required in brackets.
func parameters(schema any) string {
	b, err := json.Marshal(schema)
	if err != nil {
		return ""
	}
	var s struct {
		Properties map[string]any `json:"properties"`
		Required   []string       `json:"required"`
	}
	if json.Unmarshal(b, &s) != nil {
		return ""
	}
	var names []string
	for n := range s.Properties {
		names = append(names, n)
	}
	return strings.Join(bracketed(names, s.Required), " ")
}

// bracketed sorts names, the required first and the others in brackets.
func bracketed(names, required []string) []string {
	slices.Sort(names)
	var first, rest []string
	for _, n := range names {
		if slices.Contains(required, n) {
			first = append(first, n)
		} else {
			rest = append(rest, "["+n+"]")
		}
	}
	return append(first, rest...)
}

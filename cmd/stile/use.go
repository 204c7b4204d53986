package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver"
)

func newToken(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "token URL",
		Short: "Print a valid access token, for scripts",
		Long: `Prints a valid access token for URL to standard output, and nothing else: it is
renewed first if need be. It never begins a login; with nobody logged in the exit
status is 3.

Whoever has the token can use the server in your name until it expires. Hand it
to a program by a pipe or a variable, not by its arguments.`,
		Example: `  TOKEN=$(stile token https://mcp.example/mcp)`,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) (err error) {
			cl, err := f.open(c.Context(), a, given[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cl.close()) }()
			st, err := cl.driver.Status(c.Context(), cl.account)
			if err != nil {
				return storeFailed(err)
			}
			t, err := cl.driver.Token(c.Context(), cl.account)
			if errors.Is(err, httpdriver.ErrNoToken) {
				return cl.noToken(st)
			}
			if err != nil {
				return cl.explain(c.Context(), &f, err)
			}
			if a.terminal(a.out) {
				a.notice("warning: a secret is shown on this terminal; pipe it instead")
			}
			v := struct {
				AccessToken string `json:"access_token"`
				Type        string `json:"token_type"`
				Expires     string `json:"expires,omitempty"`
			}{t.AccessToken, t.Type(), stamp(t.Expiry)}
			return a.result(v, func() { a.say("%s\n", t.AccessToken) })
		},
	}
	f.addNetwork(c)
	return c
}

func newTools(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "tools URL",
		Short: "List the tools of an MCP server",
		Long:  "Lists the tools of the MCP server at URL. A login that is needed begins by itself.",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			return f.withSession(c.Context(), a, given[0], func(ctx context.Context, s *mcp.ClientSession) error {
				all := []*mcp.Tool{}
				for t, err := range s.Tools(ctx, nil) {
					if err != nil {
						return fmt.Errorf("listing the tools: %w", err)
					}
					if all = append(all, t); len(all) > 10_000 {
						return errors.New("listing the tools: the server has no end of them")
					}
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

// parameters lists the arguments of a tool by its schema; those that are not
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

func newCall(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "call URL TOOL [JSON]",
		Short: "Call a tool of an MCP server",
		Long: `Calls a tool of the MCP server at URL with the arguments in JSON, an object; - is
standard input. A login, and more scope that the tool needs, are asked for by
themselves. A tool that fails makes the exit status 1. A tool that takes its time
needs --server-timeout.`,
		Example: `  stile call https://mcp.example/mcp get_time '{"zone":"Europe/Berlin"}'`,
		Args:    args(cobra.RangeArgs(2, 3)),
		RunE: func(c *cobra.Command, given []string) error {
			arguments, err := toolArguments(a, given[2:])
			if err != nil {
				return err
			}
			return f.withSession(c.Context(), a, given[0], func(ctx context.Context, s *mcp.ClientSession) error {
				r, err := s.CallTool(ctx, &mcp.CallToolParams{Name: given[1], Arguments: arguments})
				if err != nil && ctx.Err() == nil {
					return &failure{code: exitFailed, err: fmt.Errorf("calling %s: %w", given[1], err), advice: "stile tools " + given[0] + " lists the tools and their arguments"}
				}
				if err != nil {
					return fmt.Errorf("calling %s: %w", given[1], err)
				}
				if err := a.result(r, func() { a.printContent(r) }); err != nil {
					return err
				}
				if r.IsError {
					return failed("the tool %s says that it failed", given[1])
				}
				return nil
			})
		},
	}
	f.addLogin(c)
	return c
}

func toolArguments(a *app, given []string) (map[string]any, error) {
	out := map[string]any{}
	if len(given) == 0 {
		return out, nil
	}
	text := []byte(given[0])
	if given[0] == "-" {
		var err error
		if text, err = io.ReadAll(io.LimitReader(a.in, 16<<20)); err != nil {
			return nil, usage("standard input: %w", err)
		}
	}
	if err := json.Unmarshal(text, &out); err != nil || out == nil {
		return nil, &failure{code: exitUsage, err: errors.New("the arguments are not a JSON object"), advice: `for example '{"zone":"UTC"}'`}
	}
	return out, nil
}

// printContent prints what a tool answered: a stranger's text.
func (a *app) printContent(r *mcp.CallToolResult) {
	for _, c := range r.Content {
		switch c := c.(type) {
		case *mcp.TextContent:
			a.block(c.Text)
		case *mcp.ImageContent:
			a.say("(an image of type %s, %d bytes)\n", c.MIMEType, len(c.Data))
		case *mcp.AudioContent:
			a.say("(audio of type %s, %d bytes)\n", c.MIMEType, len(c.Data))
		case *mcp.ResourceLink:
			a.say("(a link to %s)\n", c.URI)
		case *mcp.EmbeddedResource:
			if c.Resource != nil && c.Resource.Text != "" {
				a.block(c.Resource.Text)
			} else {
				a.say("(a resource)\n")
			}
		}
	}
}

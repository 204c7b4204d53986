package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
)

func newCall(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "call URL TOOL [JSON]",
		Short: "Call a tool of an MCP server",
		Long: `Calls a tool of the MCP server at URL. JSON is an object with the arguments; -
reads it from standard input. If the server asks for a login, or the tool for
more scopes, the command begins a login. The exit status is 1 if the tool fails.
For a slow tool, increase --server-timeout.`,
		Example: `  stile call https://mcp.example/mcp get_time '{"zone":"Europe/Berlin"}'`,
		Args:    takes("URL", "TOOL", "[JSON]"),
		RunE: func(c *cobra.Command, given []string) error {
			arguments, err := toolArguments(a, given[2:])
			if err != nil {
				return err
			}
			return f.withSession(c.Context(), a, given[0], "calling "+given[1], func(ctx context.Context, s *mcp.ClientSession) error {
				r, err := s.CallTool(ctx, &mcp.CallToolParams{Name: given[1], Arguments: arguments})
				if err != nil {
					return callFailure(ctx, s, given[0], given[1], err)
				}
				if r, err = masked(&a.secrets, r); err != nil {
					return err
				}
				if err := a.result(r, func() { a.printContent(r) }); err != nil {
					return err
				}
				if r.IsError {
					return failed("the tool %s reported a failure", given[1])
				}
				return nil
			})
		},
	}
	f.addLogin(c)
	return c
}

// callFailure says of a call that the server refused as one that it cannot carry out whether
// it has the tool at all, whatever the HTTP status. Other errors it leaves alone.
func callFailure(ctx context.Context, s *mcp.ClientSession, server, tool string, err error) error {
	var said *jsonrpc.Error
	if !errors.As(err, &said) || said.Code != jsonrpc.CodeInvalidParams && said.Code != jsonrpc.CodeMethodNotFound {
		return err
	}
	f := &failure{
		code: exitFailed, see: "tool-arguments", step: "calling " + tool, err: fmt.Errorf("calling %s: the server answered: %s", tool, said.Message),
		advice: "stile tools " + server + " lists the tools and their arguments",
	}
	var near []string
	for t, e := range s.Tools(ctx, nil) {
		switch {
		case e != nil || t.Name == tool:
			return f
		case isNear(tool, t.Name):
			near = append(near, t.Name)
		}
	}
	f.code, f.err, f.advice = exitUsage, fmt.Errorf("there is no tool %q at %s", tool, server), suggestion(near, "stile tools "+server+" lists the tools")
	return f
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
		return nil, &failure{code: exitUsage, err: errors.New("the arguments are not a JSON object"), advice: `pass an object, for example '{"zone":"UTC"}'`}
	}
	return out, nil
}

// printContent prints the answer of a tool, which is untrusted text.
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

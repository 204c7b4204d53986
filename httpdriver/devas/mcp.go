package devas

import (
	"context"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type timeInput struct {
	Zone string `json:"zone,omitempty" jsonschema:"IANA name of a time zone; UTC when left out"`
}

type timeOutput struct {
	Time string `json:"time" jsonschema:"the time now, RFC 3339"`
	Zone string `json:"zone" jsonschema:"the zone it is told in"`
}

type whoOutput struct {
	Subject  string   `json:"subject" jsonschema:"who the token speaks for"`
	ClientID string   `json:"client_id" jsonschema:"the application that calls"`
	Scopes   []string `json:"scopes" jsonschema:"what the token allows"`
}

// stateless is the first revision of MCP that has no sessions: each request
// stands alone.
const stateless = "2026-07-28"

// NewMCP is the MCP server that the development resource server protects: the
// tools get_time and whoami. It speaks every revision that the go-sdk has, those
// before 2026-07-28 with sessions. get_time tells the time of the given clock.
func NewMCP(now func() time.Time) http.Handler {
	s := mcp.NewServer(&mcp.Implementation{Name: "stile development server", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "get_time", Description: "The time now, in a zone."},
		func(_ context.Context, _ *mcp.CallToolRequest, in timeInput) (*mcp.CallToolResult, timeOutput, error) {
			zone := in.Zone
			if zone == "" {
				zone = "UTC"
			}
			at, err := time.LoadLocation(zone)
			if err != nil {
				return nil, timeOutput{}, errUnknownZone
			}
			return nil, timeOutput{Time: now().In(at).Format(time.RFC3339), Zone: zone}, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "whoami", Description: "Who the token speaks for."},
		func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, whoOutput, error) {
			out := whoOutput{Scopes: []string{}}
			if req.Extra != nil && req.Extra.TokenInfo != nil {
				out.Subject = req.Extra.TokenInfo.UserID
				out.ClientID, _ = req.Extra.TokenInfo.Extra["client_id"].(string)
				out.Scopes = append(out.Scopes, req.Extra.TokenInfo.Scopes...)
			}
			return nil, out, nil
		})
	server := func(*http.Request) *mcp.Server { return s }
	sessions := mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{SessionTimeout: time.Hour})
	single := mcp.NewStreamableHTTPHandler(server, &mcp.StreamableHTTPOptions{Stateless: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("MCP-Protocol-Version") >= stateless {
			single.ServeHTTP(w, r)
			return
		}
		sessions.ServeHTTP(w, r)
	})
}

type zoneError struct{}

func (zoneError) Error() string { return "that time zone is not known" }

var errUnknownZone error = zoneError{}

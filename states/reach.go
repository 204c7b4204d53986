package states

import "github.com/stile-oauth/stile/states/wire"

// Reach gives the addresses to which a token for resource, the string that was sent to the
// issuer, may be sent: the resource and everything below it. A token for no resource may be
// sent to the whole origin of the MCP server. A token for a resource that is accepted only
// because the host pinned it (quirk resource-alias) may be sent to the MCP server's own
// address, and nowhere else.
// Rules: bearer-bound-resource.
func (c *Config) Reach(resource string) wire.Reach {
	if resource == "" {
		return c.Resource.OriginReach()
	}
	if _, bad := wire.MatchResource(c.Resource, resource, false); bad != nil {
		return c.Resource.ReachHere()
	}
	u, _ := wire.ParseURL(resource) // MatchResource has read it
	return u.Reach()
}

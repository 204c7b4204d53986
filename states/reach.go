package states

import "github.com/stile-oauth/stile/states/wire"

// Reach gives where a token may go that was issued for resource, the string that
// was sent to the issuer: to the resource and below. A token for no resource may
// go to the whole origin of the MCP server. One for a resource that is only
// accepted because the host pinned it (quirk resource-alias) may go to the MCP
// server's own address, and nowhere else.
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

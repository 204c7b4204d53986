package states

import "github.com/stile-oauth/stile/states/wire"

// enterRefreshing: the refresh token is spent.
func enterRefreshing(d *Data) []Effect {
	t := d.Token()
	send := post(d, wire.RefreshRequest(wire.TokenParams{
		Endpoint: t.Server.TokenEndpoint, Client: t.Client, RefreshToken: t.RefreshToken, Resource: t.Resource,
	}))
	send.Once = true
	return []Effect{withinLease(d, send)}
}

// withinLease bounds an exchange so that it ends before the lease does.
func withinLease(d *Data, send Send) Send {
	send.NotAfter = d.Lease.Until.Add(-d.Config.LeaseFor() / 6)
	send.Timeout = min(send.Timeout, d.Config.LeaseFor()/2)
	return send
}

func invariantRefreshing(d *Data) string {
	if d.Lease.Fence == 0 || d.Token() == nil || d.Record.Intent == nil {
		return "the token or the intent is missing"
	}
	return ""
}

package states

import "github.com/stile-oauth/stile/states/wire"

// How requests are sent, independent of their content.

// get is the Send of a metadata document: no credentials, a few same-origin
// redirects (rules prm-no-credentials-sent, asm-no-credentials-sent,
// net-redirect-get).
func get(d *Data, url string, r Revision) Send {
	version := string(r)
	if version == "" {
		version = string(R4)
	}
	return Send{
		Serial: d.Serial, Request: wire.GetMetadata(url, version), NotBefore: d.NotBefore,
		Timeout: d.Config.HTTP(), Hops: 3, MaxBody: MaxMetadata, Loopback: d.Config.Loopback,
	}
}

// post is the Send of a form or a registration: never redirected
// (rule net-redirect-post).
func post(d *Data, r wire.Request) Send {
	return Send{
		Serial: d.Serial, Request: r, NotBefore: d.NotBefore,
		Timeout: d.Config.HTTP(), MaxBody: MaxMetadata, Loopback: d.Config.Loopback,
	}
}

// revoke is the revocation of the first remaining token: the refresh token first (rule
// revoke-order).
func revoke(d *Data) Send {
	t := d.Retiring[0]
	token, hint := t.AccessToken, wire.HintAccessToken
	if t.RefreshToken != "" {
		token, hint = t.RefreshToken, wire.HintRefreshToken
	}
	return post(d, wire.RevokeRequest(t.Server.RevocationEndpoint, d.proven(t.Client), token, hint))
}

// withinLease bounds an exchange so that it ends before the lease does.
func withinLease(d *Data, send Send) Send {
	send.NotAfter = d.Lease.Until.Add(-d.Config.LeaseFor() / 6)
	send.Timeout = min(send.Timeout, d.Config.LeaseFor()/2)
	return send
}

package wire

import "github.com/stile-oauth/stile/states/rules"

// DeleteClientRequest asks the issuer to forget a client that it registered (RFC 7592
// §2.3), with the registration's own token.
//
// Rules: dcr-delete.
func DeleteClientRequest(c Client) Request {
	return Request{Method: "DELETE", URL: c.RegistrationURI, Header: Fields{
		{Name: "Accept", Value: "application/json"},
		{Name: "Authorization", Value: "Bearer " + c.RegistrationToken.Reveal(), Secret: true},
	}}
}

// JudgeDeletion judges the answer (RFC 7592 §2.3). nil means that the issuer does not
// know the client now: either it says so, or it refuses the token because it does
// not have that client.
//
// Rules: dcr-delete.
func JudgeDeletion(r Response) *Problem {
	switch {
	case r.Status >= 200 && r.Status < 300, r.Status == 401, r.Status == 404, r.Status == 410:
		return nil
	case r.Status >= 300 && r.Status < 400:
		return refuse(rules.NetRedirectPost, statusDetail(r)+", a redirect that is not followed")
	}
	return &Problem{Rule: rules.DCRDelete, Detail: statusDetail(r), OAuth: ParseOAuthError(r)}
}

package main

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// provider is the identity provider of --grant enterprise; nil with other grants.
func (f *accountFlags) provider(a *app) (*states.Configured, error) {
	if grants[f.grant] != states.EnterpriseGrant {
		return nil, nil
	}
	switch {
	case f.idp == "" || f.idpClient == "":
		return nil, usage("--grant enterprise needs --idp and --idp-client-id: your company's identity provider, and the client that you log in with there")
	case f.issuer == "" || f.clientID == "" && f.cimd == "":
		return nil, usage("--grant enterprise needs --issuer with --client-id or --client-metadata: the server's issuer, and the client that is registered there")
	}
	p := &states.Configured{Issuer: f.idp, ID: f.idpClient, Secret: wire.Secret(a.getenv("STILE_IDP_CLIENT_SECRET"))}
	if f.idpSecretFile != "" {
		s, err := readSecret(a, "--idp-client-secret-file", f.idpSecretFile)
		if err != nil {
			return nil, err
		}
		p.Secret = s
	}
	return p, nil
}

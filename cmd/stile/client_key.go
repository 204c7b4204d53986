package main

import (
	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states"
)

// grants are the names of the grants on the command line.
var grants = map[string]states.GrantType{
	"": states.CodeGrant, "code": states.CodeGrant, "client-credentials": states.OwnGrant,
	"workload": states.WorkloadGrant, "device": states.DeviceGrant, "enterprise": states.EnterpriseGrant,
}

// key is the private key that the client signs its assertions with; nil if none is
// given. A key is never an argument, because process lists show arguments.
func (f *accountFlags) key(a *app) (*keys.Key, error) {
	text := a.getenv("STILE_CLIENT_KEY")
	if f.keyFile != "" {
		s, err := readSecret(a, "--client-key-file", f.keyFile)
		if err != nil {
			return nil, err
		}
		text = s.Reveal()
	}
	switch {
	case text == "" && (f.keyID != "" || f.keyAlg != ""):
		return nil, usage("--client-key-id and --client-key-alg need a key: --client-key-file, or STILE_CLIENT_KEY")
	case text == "":
		return nil, nil
	}
	k, err := keys.Parse([]byte(text), keys.Options{Alg: f.keyAlg, ID: f.keyID})
	if err != nil {
		return nil, usage("the client's key: %w", err)
	}
	return k, nil
}

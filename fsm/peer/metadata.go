package peer

import "slices"

type metadataPath struct {
	path  string
	serve func(*AS, call) *reply
}

// metadataPaths lists where metadata is served: RFC 8414 §3.1 inserted and
// appended, OpenID Connect Discovery §4 inserted and appended
// (as-meta-both-paths).
func (a *AS) metadataPaths() []metadataPath {
	_, path, _ := split(a.config.base())
	return []metadataPath{
		{"/.well-known/oauth-authorization-server" + path, (*AS).metadata},
		{"/.well-known/openid-configuration" + path, (*AS).discovery},
		{path + "/.well-known/oauth-authorization-server", (*AS).metadata},
		{path + "/.well-known/openid-configuration", (*AS).discovery},
	}
}

// metadata is the RFC 8414 document. What it lists works, and what works is
// listed (as-meta-truthful).
func (a *AS) metadata(c call) *reply {
	if a.config.NoMetadata {
		return notFound()
	}
	r := &reply{status: 200, doc: a.describe()}
	r.set("Cache-Control", "public, max-age=300")
	return r
}

func (a *AS) describe() document {
	cfg, base := &a.config, a.config.base()
	var d document
	d.put("issuer", cfg.Issuer)
	d.put("authorization_endpoint", base+"/authorize")
	d.put("token_endpoint", base+a.at("/token"))
	if cfg.DCR {
		d.put("registration_endpoint", base+a.at("/register"))
	}
	d.put("revocation_endpoint", base+"/revoke")
	d.put("introspection_endpoint", base+"/introspect")
	if len(cfg.JWKS) > 0 {
		d.put("jwks_uri", base+"/jwks.json")
	}
	d.add("scopes_supported", cfg.scopesSupported())
	d.put("response_types_supported", []string{"code"})
	d.put("response_modes_supported", []string{"query"})
	grants := []string{"authorization_code"}
	if !cfg.NoRefresh {
		grants = append(grants, "refresh_token")
	}
	if cfg.Device {
		d.put("device_authorization_endpoint", base+"/device_authorization")
		grants = append(grants, deviceGrant)
	}
	if cfg.ClientCredentials {
		grants = append(grants, "client_credentials")
	}
	if len(cfg.Trusted) > 0 {
		grants = append(grants, bearerGrant)
	}
	if cfg.Identity {
		grants = append(grants, exchangeGrant)
	}
	d.put("grant_types_supported", grants)
	if slices.ContainsFunc(cfg.Trusted, func(t Trusted) bool { return !t.Workloads }) {
		d.put("authorization_grant_profiles_supported", []string{idJAGProfile})
	}
	if cfg.Identity {
		d.put("identity_chaining_requested_token_types_supported", []string{typeIDJAG})
	}
	methods := cfg.methods()
	d.put("token_endpoint_auth_methods_supported", methods)
	d.put("revocation_endpoint_auth_methods_supported", methods)
	d.put("introspection_endpoint_auth_methods_supported", methods[1:])
	if cfg.Verify != nil {
		for _, endpoint := range []string{"token", "revocation", "introspection"} {
			d.put(endpoint+"_endpoint_auth_signing_alg_values_supported", assertionAlgs)
		}
	}
	if cfg.DPoP != NoDPoP {
		d.put("dpop_signing_alg_values_supported", proofAlgs)
	}
	d.put("code_challenge_methods_supported", []string{"S256"})
	d.add("authorization_response_iss_parameter_supported", cfg.Iss)
	d.add("client_id_metadata_document_supported", cfg.CIMD)
	d.add("protected_resources", cfg.Resources)
	return d
}

// methods are the ways in which clients can authenticate: none, then the others.
func (c *ASConfig) methods() []string {
	out := []string{"none", "client_secret_basic", "client_secret_post"}
	if c.Verify != nil {
		out = append(out, "private_key_jwt")
	}
	return out
}

// discovery is the same document with the members that OpenID Connect
// Discovery §3 demands. Only an identity provider issues ID tokens: elsewhere,
// openid is not a scope.
func (a *AS) discovery(c call) *reply {
	r := a.metadata(c)
	if r.doc != nil {
		r.doc.put("subject_types_supported", []string{"public"})
		alg := a.config.SignAlg
		if alg == "" {
			alg = "RS256"
		}
		r.doc.put("id_token_signing_alg_values_supported", []string{alg})
		r.doc.add("jwks_uri", a.config.base()+"/jwks.json")
	}
	return r
}

// jwks serves the configured keys, or an empty set.
func (a *AS) jwks(call) *reply {
	body := a.config.JWKS
	if len(body) == 0 {
		body = []byte(`{"keys":[]}`)
	}
	r := &reply{status: 200, ctype: "application/jwk-set+json", body: body}
	r.set("Cache-Control", "public, max-age=60")
	return r
}

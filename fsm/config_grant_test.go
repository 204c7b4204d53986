package fsm_test

import (
	"errors"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// TestGrantsAndKeys: who asks in its own name is registered beforehand, at an issuer
// that is named with it, and proves who it is, by a secret or by a key.
//
// Rules: ext-cc-confidential, ext-cc-preregistered, ext-cc-issuer-pinned,
// clientauth-one-method, clientauth-jwt-alg, ext-wif-issuer-pinned,
// ext-wif-no-client-id, ext-ema-idp-client-auth, ext-ema-https.
func TestGrantsAndKeys(t *testing.T) {
	robot := func(issuer, method string) *states.Configured {
		return &states.Configured{ID: "robot", Issuer: issuer, Method: method}
	}
	for _, c := range []struct {
		name   string
		change func(*states.Config)
		field  string // that is wrong
	}{
		{"a key", func(c *states.Config) { c.Key = model.Key() }, ""},
		{"a key and a client", func(c *states.Config) { c.Key, c.Client = model.Key(), robot(model.Issuer, "private_key_jwt") }, ""},
		{"in its own name, with a key", func(c *states.Config) {
			c.Grant, c.Key, c.Client = states.OwnGrant, model.Key(), robot(model.Issuer, "")
		}, ""},
		{"in its own name, with a secret", func(c *states.Config) {
			c.Grant, c.Client = states.OwnGrant, robot(model.Issuer, "")
			c.Client.Secret = "robots secret word"
		}, ""},
		{"no client", func(c *states.Config) { c.Grant, c.Key = states.OwnGrant, model.Key() }, "Client"},
		{"no issuer", func(c *states.Config) { c.Grant, c.Key, c.Client = states.OwnGrant, model.Key(), robot("", "") }, "Client"},
		{"no proof", func(c *states.Config) { c.Grant, c.Client = states.OwnGrant, robot(model.Issuer, "") }, "Client"},
		{"a public client", func(c *states.Config) {
			c.Grant, c.Client, c.Key = states.OwnGrant, robot(model.Issuer, "none"), model.Key()
		}, "Client"},
		{"a workload", func(c *states.Config) { c.Grant, c.Issuer = states.WorkloadGrant, model.Issuer }, ""},
		{"a workload for any issuer", func(c *states.Config) { c.Grant = states.WorkloadGrant }, "Issuer"},
		{"a workload with a client", func(c *states.Config) {
			c.Grant, c.Issuer, c.Client = states.WorkloadGrant, model.Issuer, robot(model.Issuer, "")
		}, "Client"},
		{"a workload with a key", func(c *states.Config) { c.Grant, c.Issuer, c.Key = states.WorkloadGrant, model.Issuer, model.Key() }, "Client"},
		{"a user of a company", model.Enterprise, ""},
		{"a user of a company without a provider", func(c *states.Config) { model.Enterprise(c); c.Provider = nil }, "Provider"},
		{"a provider without an issuer", func(c *states.Config) { model.Enterprise(c); c.Provider.Issuer = "" }, "Provider"},
		{"a provider over http", func(c *states.Config) { model.Enterprise(c); c.Provider.Issuer = "http://idp.example" }, "Provider"},
		{"a key at the provider", func(c *states.Config) { model.Enterprise(c); c.Provider.Method = wire.MethodJWT }, "Provider"},
		{"a user of a company without a client", func(c *states.Config) { model.Enterprise(c); c.Client = nil }, "Client"},
		{"a client of a company for any issuer", func(c *states.Config) { model.Enterprise(c); c.Client.Issuer = "" }, "Client"},
		{"a client of a company with a key", func(c *states.Config) { model.Enterprise(c); c.Client.Secret, c.Key = "", model.Key() }, "Key"},
		{"a company's client document", func(c *states.Config) {
			model.Enterprise(c)
			c.Client, c.CIMD, c.Issuer = nil, "https://app.example/client.json", model.Issuer
		}, ""},
		{"a login at a provider", func(c *states.Config) {
			c.Server, c.Grant, c.Client = model.Provider, states.IdentityGrant, robot(model.Provider, "")
		}, ""},
		{"a login at a provider as anybody", func(c *states.Config) { c.Grant = states.IdentityGrant }, "Client"},
		{"a login at a provider with a key", func(c *states.Config) {
			c.Grant, c.Client, c.Key = states.IdentityGrant, robot(model.Provider, ""), model.Key()
		}, "Provider"},
		{"at another device", func(c *states.Config) { c.Grant = states.DeviceGrant }, ""},
		{"at another device, with a key", func(c *states.Config) { c.Grant, c.Key = states.DeviceGrant, model.Key() }, "Key"},
		{"bound tokens", func(c *states.Config) { c.Binding, c.ProofKey = states.TryBinding, model.ProofKey() }, ""},
		{"a key for proofs that is not wanted", func(c *states.Config) { c.ProofKey = model.ProofKey() }, ""},
		{"a binding that nobody knows", func(c *states.Config) { c.Binding, c.ProofKey = "perhaps", model.ProofKey() }, "Binding"},
		{"bound tokens for a workload", func(c *states.Config) {
			c.Grant, c.Issuer, c.Binding, c.ProofKey = states.WorkloadGrant, model.Issuer, states.TryBinding, model.ProofKey()
		}, ""},
		{"a bound ID token", func(c *states.Config) {
			c.Server, c.Grant, c.Client = model.Provider, states.IdentityGrant, robot(model.Provider, "")
			c.Binding, c.ProofKey = states.TryBinding, model.ProofKey()
		}, "Binding"},
		{"bound tokens without a key", func(c *states.Config) { c.Binding = states.RequireBinding }, "ProofKey"},
		{"one key for both", func(c *states.Config) {
			c.Binding, c.Key, c.ProofKey = states.TryBinding, model.Key(), model.ProofKey()
			c.ProofKey.Name = c.Key.Name
		}, "ProofKey"},
		{"a symmetric algorithm for proofs", func(c *states.Config) {
			c.Binding, c.ProofKey = states.TryBinding, model.ProofKey()
			c.ProofKey.Alg = "HS256"
		}, "ProofKey"},
		{"a private key for proofs", func(c *states.Config) {
			c.Binding, c.ProofKey = states.TryBinding, model.ProofKey()
			c.ProofKey.Public = `{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}`
		}, "ProofKey"},
		{"a grant that nobody knows", func(c *states.Config) { c.Grant = "password" }, "Grant"},
		{"a key and a secret", func(c *states.Config) {
			c.Key, c.Client = model.Key(), robot(model.Issuer, "")
			c.Client.Secret = "robots secret word"
		}, "Key"},
		{"a symmetric algorithm", func(c *states.Config) { c.Key = &states.SigningKey{Name: "k", Alg: "HS256"} }, "Key"},
		{"no algorithm", func(c *states.Config) { c.Key = &states.SigningKey{Name: "k"} }, "Key"},
		{"none", func(c *states.Config) { c.Key = &states.SigningKey{Name: "k", Alg: "none"} }, "Key"},
		{"a method without its key", func(c *states.Config) { c.Client = robot(model.Issuer, "private_key_jwt") }, "Client"},
		{"a registration without its key", func(c *states.Config) { c.AuthMethod = "private_key_jwt" }, "AuthMethod"},
	} {
		config := model.Client("a")
		c.change(&config)
		_, err := fsm.New(config)
		var field *fsm.FieldError
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.field != "" && (!errors.As(err, &field) || field.Field != c.field):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

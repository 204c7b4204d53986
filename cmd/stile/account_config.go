package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// config is the policy that the flags describe.
func (f *accountFlags) config(a *app) (httpdriver.Policy, error) {
	c := httpdriver.Policy{
		ClientName: f.clientName, AuthMethod: f.authMethod, Grants: f.grants, CIMD: f.cimd, Issuer: f.issuer, Strict: f.strict, UserTime: f.timeout, Holder: "stile command",
	}
	if f.timeout < 0 {
		return c, usage("--timeout: %s is in the past", f.timeout)
	}
	if f.server < 0 {
		return c, usage("--server-timeout: %s is in the past", f.server)
	}
	if f.revision != "" && f.revision != "auto" {
		c.Revision = states.Revision(f.revision)
	}
	if f.redirect != "" {
		c.Redirects = []string{f.redirect}
	}
	var err error
	if c.Parameters, err = f.addedParameters(); err != nil {
		return c, err
	}
	for _, text := range f.quirks {
		name, values, has := strings.Cut(text, "=")
		q := states.Quirk{Name: states.QuirkName(name)}
		if has {
			q.Values = strings.Split(values, ",")
		}
		c.Quirks = append(c.Quirks, q)
	}
	secret := wire.Secret(a.getenv("STILE_CLIENT_SECRET"))
	if f.secretFile != "" {
		s, err := readSecret(a, "--client-secret-file", f.secretFile)
		if err != nil {
			return c, err
		}
		secret = s
	}
	if f.keyFile != "" || f.secretFile == "" && a.getenv("STILE_CLIENT_KEY") != "" {
		secret = "" // the client has a key instead
	}
	grant, known := grants[f.grant]
	if !known {
		return c, usage("--grant: %q is not one of the grants: code, client-credentials, workload, device, enterprise", f.grant)
	}
	c.Grant = grant
	switch f.dpop {
	case "", "off":
	case "try", "require":
		c.Binding = states.TokenBinding(f.dpop)
	default:
		return c, usage("--dpop: %q is not one of off, try, require", f.dpop)
	}
	if c.Provider, err = f.provider(a); err != nil {
		return c, err
	}
	if f.clientID != "" {
		if f.issuer == "" {
			return c, &failure{
				code: exitUsage, err: errors.New("--client-id needs --issuer: a client belongs to the issuer that registered it, and is sent nowhere else"),
				advice: "name the issuer, for example --issuer https://login.example",
			}
		}
		c.Client = &states.Configured{Issuer: f.issuer, ID: f.clientID, Secret: secret, Method: f.authMethod}
	} else if grant == states.OwnGrant {
		return c, usage("--grant client-credentials needs --client-id and --issuer: the client is registered beforehand, and its secret or key goes to that issuer alone")
	}
	if f.initialTokenFile != "" {
		if f.issuer == "" {
			return c, &failure{
				code: exitUsage, err: errors.New("--initial-token-file needs --issuer: the token goes to the issuer that gave it, and nowhere else"),
				advice: "name the issuer, for example --issuer https://login.example",
			}
		}
		s, err := readSecret(a, "--initial-token-file", f.initialTokenFile)
		if err != nil {
			return c, err
		}
		c.InitialToken = s
	}
	return c, nil
}

// readSecret reads a secret from a file, without the final line end.
func readSecret(a *app, flag, path string) (wire.Secret, error) {
	r := a.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", usage("%s: %w", flag, err)
		}
		defer func() { _ = file.Close() }()
		r = file
	}
	b, err := io.ReadAll(io.LimitReader(r, 64<<10+1))
	if err != nil {
		return "", usage("%s: %w", flag, err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" || len(b) > 64<<10 {
		return "", usage("%s: the file holds no secret", flag)
	}
	return wire.Secret(s), nil
}

// transport applies the CA bundle and the other network settings; nil is the default.
func (f *accountFlags) transport() (*http.Transport, error) {
	if f.caBundle == "" && f.tune == nil {
		return nil, nil
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	if f.tune != nil {
		f.tune(t)
	}
	if f.caBundle == "" {
		return t, nil
	}
	pem, err := os.ReadFile(f.caBundle)
	if err != nil {
		return nil, &failure{code: exitUsage, err: fmt.Errorf("--ca-bundle: %w", err), advice: "name a file that exists and holds certificates in PEM form"}
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, usage("--ca-bundle: %s holds no certificate in PEM form", f.caBundle)
	}
	t.TLSClientConfig = tlsConfig(roots)
	return t, nil
}

func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func revisionNames() []string {
	out := make([]string, len(states.Revisions))
	for i, r := range states.Revisions {
		out[i] = string(r)
	}
	return out
}

// addedParameters are those of --authorize-param.
func (f *accountFlags) addedParameters() ([]states.Parameter, error) {
	var out []states.Parameter
	for _, text := range f.parameters {
		name, value, has := strings.Cut(text, "=")
		if !has {
			return nil, usage("--authorize-param: %q is not KEY=VALUE", text)
		}
		out = append(out, states.Parameter{Name: name, Value: value})
	}
	return out, nil
}

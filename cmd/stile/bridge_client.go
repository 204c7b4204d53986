package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// policy is what mcp-remote's JSON says about the client.
func (f *bridgeFlags) policy(a *app, p *httpdriver.Policy) error {
	if f.clientInfo != "" {
		info, err := f.info(a)
		if err != nil {
			return err
		}
		p.Client = &states.Configured{Issuer: f.issuer, ID: info.ID, Secret: wire.Secret(info.Secret), Method: info.Method}
	}
	if f.clientData == "" {
		return nil
	}
	var data struct {
		wire.ClientProfile
		Scope  string   `json:"scope"`
		Name   string   `json:"client_name"`
		URI    string   `json:"client_uri"`
		Method string   `json:"token_endpoint_auth_method"`
		Grants []string `json:"grant_types"`
	}
	if err := inlineJSON(a, "--static-oauth-client-metadata", f.clientData, &data); err != nil {
		return err
	}
	p.Scopes = append(p.Scopes, strings.Fields(data.Scope)...)
	p.ClientProfile = data.ClientProfile
	for _, text := range []struct {
		to   *string
		from string
	}{{&p.ClientName, data.Name}, {&p.ClientURI, data.URI}, {&p.AuthMethod, data.Method}} {
		if text.from != "" {
			*text.to = text.from
		}
	}
	if len(data.Grants) > 0 {
		p.Grants = data.Grants
	}
	return nil
}

// clientInfo is a client that was registered by hand.
type clientInfo struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
	Method string `json:"token_endpoint_auth_method"`
}

func (f *bridgeFlags) info(a *app) (clientInfo, error) {
	var info clientInfo
	err := inlineJSON(a, "--static-oauth-client-info", f.clientInfo, &info)
	if err == nil && info.ID == "" {
		err = usage("--static-oauth-client-info: client_id is missing")
	}
	return info, err
}

// inlineJSON reads JSON that was given as text or as @FILE. Its errors show nothing of
// the JSON.
func inlineJSON(a *app, flag, text string, v any) error {
	if name, file := strings.CutPrefix(text, "@"); file {
		s, err := readSecret(a, flag, name)
		if err != nil {
			return err
		}
		text = s.Reveal()
	}
	text, err := expand(a, flag, text)
	if err != nil {
		return err
	}
	if json.Unmarshal([]byte(text), v) != nil {
		return usage("%s: this is not a JSON object of the expected form", flag)
	}
	return nil
}

var (
	headerName  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	headerValue = regexp.MustCompile(`^[\t -~\x{80}-\x{10ffff}]*$`)
)

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand puts variables of the environment into a text.
func expand(a *app, flag, text string) (string, error) {
	var missing string
	out := variable.ReplaceAllStringFunc(text, func(v string) string {
		name := v[2 : len(v)-1]
		value := a.getenv(name)
		if value == "" {
			missing = name
		}
		return value
	})
	if missing != "" {
		return "", usage("%s: the environment has no %s", flag, missing)
	}
	return out, nil
}

// headers are the headers that are sent with every request.
func (f *bridgeFlags) headers(a *app) (http.Header, error) {
	var err error
	f.sent, err = f.headerLines(a)
	h := http.Header{}
	for _, line := range f.sent {
		h.Set(line[0], line[1])
	}
	return h, err
}

// headerLines are the names and values of --header and --header-file.
func (f *bridgeFlags) headerLines(a *app) ([][2]string, error) {
	lines := slices.Clone(f.header)
	if f.headerFile != "" {
		s, err := readSecret(a, "--header-file", f.headerFile)
		if err != nil {
			return nil, err
		}
		for in := bufio.NewScanner(strings.NewReader(s.Reveal())); in.Scan(); {
			if line := strings.TrimSpace(in.Text()); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
	}
	var out [][2]string
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		value, err := expand(a, "--header "+name, strings.TrimSpace(value))
		if err != nil {
			return nil, err
		}
		if !ok || !headerName.MatchString(name) || !headerValue.MatchString(value) {
			return nil, usage("--header: a header is NAME:VALUE, and this one is not")
		}
		out = append(out, [2]string{name, value})
	}
	return out, nil
}

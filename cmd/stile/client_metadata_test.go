package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClientMetadata(t *testing.T) {
	const id = "https://app.example/client.json"
	c := newCLI(t)
	d := decode[map[string]any](t, c.ok("client-metadata", id, "--client-name", "App", "--contact", "help@app.example",
		"--logo-uri", "https://app.example/logo.png", "--tos-uri", "https://app.example/terms", "--policy-uri", "https://app.example/privacy",
		"--software-id", "app", "--software-version", "2").out)
	for member, want := range map[string]any{
		"client_id": id, "client_name": "App", "logo_uri": "https://app.example/logo.png", "tos_uri": "https://app.example/terms",
		"policy_uri": "https://app.example/privacy", "software_id": "app", "software_version": "2", "token_endpoint_auth_method": "none",
	} {
		if d[member] != want {
			t.Errorf("%s is %v instead of %v", member, d[member], want)
		}
	}
	// Rules: cimd-methods-array.
	key := filepath.Join(t.TempDir(), "key.jwk")
	if err := os.WriteFile(key, []byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, c.ok("client-metadata", id, "--client-key-file", key).out, `"token_endpoint_auth_method":"private_key_jwt"`,
		`"token_endpoint_auth_methods_supported":["private_key_jwt","none"]`, `"jwks":{"keys":[{`)
	only := c.ok("client-metadata", id, "--client-key-file", key, "--auth-method", "private_key_jwt").out
	if d := decode[map[string]any](t, only); d["token_endpoint_auth_methods_supported"] != nil || d["token_endpoint_auth_method"] != "private_key_jwt" || strings.Contains(only, "nWGxne") {
		t.Error(only)
	}
	file := filepath.Join(t.TempDir(), "client.json")
	c.ok("client-metadata", id, "-o", file)
	if b, err := os.ReadFile(file); err != nil || decode[map[string]any](t, string(b))["client_id"] != id {
		t.Errorf("%s %v", b, err)
	}
	contains(t, c.exit(exitUsage, "client-metadata", "http://app.example/client.json").err, "--client-metadata", "https")
	contains(t, c.exit(exitUsage, "client-metadata", id, "--redirect-uri", "ftp://app.example/").err, "--redirect-uri")
}

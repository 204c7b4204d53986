package main

import (
	"os"
	"path/filepath"
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
	file := filepath.Join(t.TempDir(), "client.json")
	c.ok("client-metadata", id, "-o", file)
	if b, err := os.ReadFile(file); err != nil || decode[map[string]any](t, string(b))["client_id"] != id {
		t.Errorf("%s %v", b, err)
	}
	contains(t, c.exit(exitUsage, "client-metadata", "http://app.example/client.json").err, "--client-metadata", "https")
	contains(t, c.exit(exitUsage, "client-metadata", id, "--redirect-uri", "ftp://app.example/").err, "--redirect-uri")
}

// Package workload reads the assertions that common platforms give about a workload, for
// httpdriver.Options.Workload: a Kubernetes projected token, a SPIFFE JWT-SVID in a file,
// GitHub Actions, Azure's federated token file, an environment variable, a command.
//
//	d, err := httpdriver.New(httpdriver.Options{
//		Policy:   httpdriver.Policy{Grant: states.WorkloadGrant},
//		Workload: workload.For(workload.File("/var/run/secrets/tokens/mcp")),
//	})
//
// # Guarantees
//
//   - Each source is read anew for every request, because platforms replace their
//     assertions, and issuers may accept each of them only once.
//   - What is read is never logged.
//
// # Who should not use it
//
// A program that acts for a user, because it logs the user in.
package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// Source gives the assertion of this workload, issued for one of audiences.
type Source func(ctx context.Context, audiences []string) (string, error)

// For adapts a Source to httpdriver.Options.Workload. The workload is the same for every
// account.
func For(s Source) func(context.Context, httpdriver.Account, []string) (string, error) {
	return func(ctx context.Context, _ httpdriver.Account, audiences []string) (string, error) {
		return s(ctx, audiences)
	}
}

// most bounds the size of an assertion.
const most = 64 << 10

// File reads the assertion from a file: a projected token of Kubernetes, the JWT-SVID
// that a SPIFFE helper writes. The program that writes the file decides the audience.
func File(path string) Source {
	return func(context.Context, []string) (string, error) {
		f, err := os.Open(path) //nolint:gosec // the path is the host's
		if err != nil {
			return "", fmt.Errorf("workload: %w", err)
		}
		defer func() { _ = f.Close() }()
		return one(f, "the file "+path)
	}
}

// Env reads the assertion from an environment variable.
func Env(getenv func(string) string, name string) Source {
	return func(context.Context, []string) (string, error) {
		return one(strings.NewReader(getenv(name)), "the variable "+name)
	}
}

// Azure reads the file that AZURE_FEDERATED_TOKEN_FILE names.
func Azure(getenv func(string) string) Source {
	return func(ctx context.Context, audiences []string) (string, error) {
		path := getenv("AZURE_FEDERATED_TOKEN_FILE")
		if path == "" {
			return "", errors.New("workload: AZURE_FEDERATED_TOKEN_FILE is not set")
		}
		return File(path)(ctx, audiences)
	}
}

// Command runs a program and takes what it prints. The first audience is in its
// environment, as STILE_AUDIENCE.
func Command(name string, args ...string) Source {
	return func(ctx context.Context, audiences []string) (string, error) {
		c := exec.CommandContext(ctx, name, args...) //nolint:gosec // the program is the host's
		c.WaitDelay = time.Second
		c.Env = append(os.Environ(), "STILE_AUDIENCE="+first(audiences))
		out, err := c.Output()
		if err != nil {
			return "", fmt.Errorf("workload: the command %s: %w", name, err)
		}
		return one(bytes.NewReader(out), "the command "+name)
	}
}

// GitHub asks GitHub Actions for the token of the job, issued for the first audience. The
// job needs the permission id-token: write.
func GitHub(getenv func(string) string) Source {
	return func(ctx context.Context, audiences []string) (string, error) {
		address, token := getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
		if address == "" || token == "" {
			return "", errors.New("workload: this is no job of GitHub Actions, or it lacks the permission id-token: write")
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" && u.Hostname() != "127.0.0.1" {
			return "", errors.New("workload: ACTIONS_ID_TOKEN_REQUEST_URL is no https address")
		}
		q := u.Query()
		q.Set("audience", first(audiences))
		u.RawQuery = q.Encode()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return "", errors.New("workload: ACTIONS_ID_TOKEN_REQUEST_URL is no address")
		}
		req.Header.Set("Authorization", "Bearer "+token)
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			return "", fmt.Errorf("workload: GitHub Actions: %w", errors.Unwrap(err))
		}
		defer func() { _ = resp.Body.Close() }()
		var answer struct {
			Value string `json:"value"`
		}
		if resp.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(&answer) != nil || answer.Value == "" {
			return "", fmt.Errorf("workload: GitHub Actions answered %d, without a token", resp.StatusCode)
		}
		return answer.Value, nil
	}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// one returns the only assertion in a text.
func one(r io.Reader, whence string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return "", fmt.Errorf("workload: %s: %w", whence, err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" || len(b) > most || strings.ContainsAny(s, " \t\r\n") {
		return "", fmt.Errorf("workload: %s holds no assertion", whence)
	}
	return s, nil
}

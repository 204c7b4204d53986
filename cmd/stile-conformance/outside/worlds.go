package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

const user = devas.DemoUser

// world is a set of servers that a client can be tested with.
type world struct {
	name     string
	resource string // address of the MCP server
	issuer   string
	path     string // of the issuer
	client   string // registered beforehand
	document string // client ID metadata document
	stops    []func() error
	bound    bool // tokens are bound to keys
	tap      *tap // in front of the issuer, if the world has one
}

// stop ends the servers, in reverse order of their start.
func (w *world) stop() error {
	var all []error
	for i := range w.stops {
		all = append(all, w.stops[len(w.stops)-1-i]())
	}
	return errors.Join(all...)
}

// registrations is how many clients have to be registered.
func (w *world) registrations() int {
	if w.client != "" || w.document != "" {
		return 0
	}
	return 1
}

// recipe makes a world.
type recipe struct {
	name      string
	scenarios []scenario
	all       bool // every client is tested with it, not only the two SDKs
	make      func(ctx context.Context, o options, w *world) error
	// audits says that the servers are audited as well. Every finding then has to be
	// explained.
	audits    bool
	explained explained
}

// preregistered is the client that an authorization server is configured with; the port
// of a loopback redirect may vary (RFC 8252 §7.3).
const preregistered = "outsider"

var recipes = []recipe{
	{"stile serve as + rs", life, true, func(ctx context.Context, o options, w *world) error {
		return w.pair(ctx, o, nil)
	}, true, oursExplained},
	{"stile serve as --jwt + rs", []scenario{login}, false, func(ctx context.Context, o options, w *world) error {
		return w.pair(ctx, o, nil, "--jwt")
	}, true, oursExplained},
	{"stile serve as --tenant blue + rs", []scenario{login}, false, func(ctx context.Context, o options, w *world) error {
		w.path = "/blue"
		return w.pair(ctx, o, nil, "--tenant", "blue")
	}, true, oursExplained},
	{"stile serve as --no-registration --client + rs", []scenario{login}, false, func(ctx context.Context, o options, w *world) error {
		w.client = preregistered
		return w.pair(ctx, o, nil, "--no-registration", "--client", preregistered+"=http://127.0.0.1/callback")
	}, true, oursExplained},
	{"stile serve as --no-registration, client document + rs", []scenario{login, stepUpAtOnce}, false, func(ctx context.Context, o options, w *world) error {
		roots, err := w.publish(ctx, o)
		if err != nil {
			return err
		}
		return w.pair(ctx, o, []string{"SSL_CERT_FILE=" + roots}, "--no-registration", "--allow-private", "127.0.0.1")
	}, true, oursExplained},
	{"stile serve as + go-sdk server behind bearer", life, false, func(ctx context.Context, o options, w *world) error {
		as, err := w.serve(ctx, o, nil, "as", "--scope", "user", "--scope", "profile")
		if err != nil {
			return err
		}
		w.issuer = as.Issuer
		return w.protected(ctx, false)
	}, true, goSDKExplained},
	{"stile serve as --jwt + go-sdk server behind bearer", []scenario{login, stepUp}, false, func(ctx context.Context, o options, w *world) error {
		as, err := w.serve(ctx, o, nil, "as", "--jwt", "--scope", "user", "--scope", "profile")
		if err != nil {
			return err
		}
		w.issuer = as.Issuer
		return w.protected(ctx, true)
	}, true, jwtExplained},
	{"stile serve legacy", plain, false, func(ctx context.Context, o options, w *world) error { return w.legacy(ctx, o) }, false, nil},
	{"stile serve legacy --no-metadata", plain, false, func(ctx context.Context, o options, w *world) error {
		return w.legacy(ctx, o, "--no-metadata")
	}, false, nil},
}

// serve starts a server that ends with the world.
func (w *world) serve(ctx context.Context, o options, env []string, args ...string) (*server, error) {
	s, err := serve(ctx, o.stile, env, args...)
	if err == nil {
		w.stops = append(w.stops, s.stop)
	}
	return s, err
}

// pair starts an authorization server behind a tap and a resource server, whose
// whoami needs the scope profile.
func (w *world) pair(ctx context.Context, o options, env []string, args ...string) error {
	w.tap = &tap{}
	origin, err := w.tap.open(ctx)
	if err != nil {
		return err
	}
	w.stops = append(w.stops, w.tap.close)
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := w.tap.lead(fmt.Sprintf("http://127.0.0.1:%d", port)); err != nil {
		return err
	}
	as, err := w.serve(ctx, o, env, append([]string{
		"as", "--scope", "user", "--scope", "profile", "--port", strconv.Itoa(port), "--issuer", origin,
	}, args...)...)
	if err != nil {
		return err
	}
	w.issuer = as.Issuer + w.path
	rs, err := w.serve(ctx, o, nil, "rs", "--as", w.issuer, "--tool-scope", "whoami=profile")
	if err != nil {
		return err
	}
	w.resource = rs.Address
	return nil
}

func (w *world) legacy(ctx context.Context, o options, args ...string) error {
	s, err := w.serve(ctx, o, nil, append([]string{"legacy"}, args...)...)
	if err != nil {
		return err
	}
	w.issuer, w.resource = s.Issuer, s.Address
	return nil
}

// listen serves a handler of this process on loopback until the world ends.
func (w *world) listen(ctx context.Context, h func(origin string) (http.Handler, error), config *tls.Config) (string, error) {
	ln, err := devas.Listen("127.0.0.1:0")
	if err != nil {
		return "", err
	}
	origin := "http://" + ln.Addr().String()
	if config != nil {
		origin = "https://" + ln.Addr().String()
		ln = tls.NewListener(ln, config)
	}
	handler, err := h(origin)
	if err != nil {
		return "", errors.Join(err, ln.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- devas.Serve(ctx, ln, handler) }()
	w.stops = append(w.stops, func() error { cancel(); return <-done })
	return origin, nil
}

// publish serves a client ID metadata document over TLS and returns the file with the
// certificate to trust.
func (w *world) publish(ctx context.Context, o options) (string, error) {
	cert, roots, err := selfSigned()
	if err != nil {
		return "", err
	}
	file := filepath.Join(o.cache, "document-roots.pem")
	if err := os.WriteFile(file, roots, 0o644); err != nil {
		return "", err
	}
	_, err = w.listen(ctx, func(origin string) (http.Handler, error) {
		w.document = origin + "/client.json"
		b, err := json.Marshal(map[string]any{
			"client_id": w.document, "client_name": "outsider", "redirect_uris": []string{"http://127.0.0.1/callback"},
			"grant_types": []string{"authorization_code", "refresh_token"}, "token_endpoint_auth_method": "none",
			"application_type": "native", // any port of the redirect address
		})
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/client.json" {
				http.NotFound(rw, r)
				return
			}
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write(b)
		}), err
	}, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	return file, err
}

// selfSigned makes a certificate for 127.0.0.1, and the PEM with which to trust it.
func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

package httpdriver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// memnet is a network in memory: with it a test runs on a clock of its own
// (testing/synctest), so that no deadline is waited for. Every address that
// somebody tried to connect to is kept.
type memnet struct {
	mu     sync.Mutex
	at     map[string]*memListener
	dialed []string
	port   int
}

type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }

type memListener struct {
	addr   memAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memListener) Addr() net.Addr { return l.addr }

// listen opens an address; the empty one is a free port of 127.0.0.1.
func (n *memnet) listen(addr string) *memListener {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.at == nil {
		n.at, n.port = map[string]*memListener{}, 9000
	}
	if addr == "" {
		n.port++
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port))
	}
	l := &memListener{addr: memAddr(addr), conns: make(chan net.Conn), closed: make(chan struct{})}
	n.at[addr] = l
	return l
}

// dial connects to an address that is listened on, or to the one that stands
// for everything else ("*").
func (n *memnet) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed = append(n.dialed, addr)
	l := n.at[addr]
	if l == nil {
		l = n.at["*"]
	}
	n.mu.Unlock()
	if l == nil {
		return nil, errors.New("nobody listens there")
	}
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, errors.New("nobody listens there any more")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// elsewhere is every host that is none of the world's: it takes what it is
// sent, over TLS that is trusted, and is recorded under that name.
func (w *world) elsewhere(t *testing.T, h http.Handler) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		DNSNames: []string{"*.example", "elsewhere.example"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	ln := w.net.listen("*")
	srv := &http.Server{Handler: w.Tap.record("elsewhere", h), ReadHeaderTimeout: time.Minute}
	secure := tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	go func() { _ = srv.Serve(secure) }()
	w.ends = append(w.ends, func() { _ = srv.Close() })
	return &tls.Config{RootCAs: pool}
}

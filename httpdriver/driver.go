package httpdriver

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// Account says whose credential, at which server. The empty Tenant, Subject
// and Name are an account like any other.
type Account struct {
	// Server is the URL of the MCP server.
	Server string
	// Tenant and Subject separate the users of a host that has many.
	Tenant, Subject string
	// Name separates several accounts of one user at one server.
	Name string
}

// Options configure a Driver. The zero value is usable: credentials in memory,
// the browser of this machine, a redirect receiver on loopback.
type Options struct {
	// Store keeps credentials; nil keeps them in memory.
	Store storage.Store
	// Policy is what the host decides about logins.
	Policy Policy
	// Host sends users to the browser and receives the redirect; nil is
	// Browser{}. With Web nothing blocks: a login that needs the user ends in a
	// LoginRequiredError at once, and the redirect is handed to Redirected later,
	// in any replica.
	Host Host
	// Ask answers the questions named in Policy.Asks. Nil takes the defaults.
	Ask func(ctx context.Context, a Account, q states.Ask) (states.Answered, error)

	// Signer signs the assertions of a client that authenticates by private_key_jwt.
	// Policy.Key tells the machine what it must know of the key; it may be left out for a
	// keys.Key.
	Signer Signer

	// ProofSigner signs the proofs that bound tokens need (Policy.Binding): a keys.Key
	// that is not the one of Signer. Nil: the driver makes a key for each account, and
	// keeps it in Store, sealed as everything there.
	ProofSigner Signer

	// Workload gives the assertion of the workload that runs here, for Policy.Grant
	// states.WorkloadGrant: a JWT of its platform for one of audiences. It is called again
	// for each request, and must return when ctx ends. Package httpdriver/workload
	// supports common platforms.
	Workload func(ctx context.Context, a Account, audiences []string) (string, error)

	// Identity gives the ID token of the user, for Policy.Grant states.EnterpriseGrant,
	// if the host already has it. If it is nil, the driver logs in at Policy.Provider. It
	// is called again for each token, and must return when ctx ends. ErrUserNeeded says
	// that there is no ID token until the user has logged in.
	Identity func(ctx context.Context, a Account, q IdentityRequest) (idToken string, err error)

	// Show tells the user where to enter a code, for Policy.Grant states.DeviceGrant. It
	// is called once for each code, by the login's own goroutine, and must not block. With
	// Web, the code is also in the LoginRequiredError of the requests that wait.
	Show func(a Account, s states.Show)

	// Transport gives proxies and CA bundles to every hop; nil is a copy of
	// http.DefaultTransport.
	Transport *http.Transport
	// WrapTransport, if set, gets each of the guarded transports and returns the
	// transport that exchanges and Driver.Transport use instead. Instrumentation wraps the
	// transport that it gets. The guard's checks remain below it.
	WrapTransport func(http.RoundTripper) http.RoundTripper
	// AllowPrivate lists private hosts or networks that may be asked although
	// a server names them.
	AllowPrivate []string
	// AllowPrivateName is the name of that option in a refusal; commands give the name
	// of their flag.
	AllowPrivateName string
	// Send carries out an exchange of the machine in place of the guarded HTTP
	// client: for transports that are not HTTP, and for tests.
	Send func(ctx context.Context, s states.Send) states.Input

	// MaxReplay bounds how much of a request body without GetBody is kept while it is
	// sent, in case the request has to be sent again; 0 is 1 MiB.
	MaxReplay int64
	// IdleBytes is about how much memory the accounts may take that the host does not refer
	// to; 0 is 32 MiB, some 20,000 accounts. Their tokens are read from the store again
	// when needed. An account stays in memory as long as the host keeps its client,
	// transport, handler or token source, and does not count here.
	IdleBytes int64

	// MaxRefreshes bounds how many refreshes are under way at one token endpoint, in
	// this process; 0 is 64. Further refreshes wait, before an intent is stored or anything is sent.
	MaxRefreshes int

	// Logger hears every step at Debug, tolerated breaches at Info, failures
	// at Warn; nil is silent.
	Logger *slog.Logger
	// Slow is called, in a goroutine of its own, when an answer of a server takes longer
	// than ten seconds.
	Slow func(Slow)
	// Observe sees every step. Printing what it gets shows no secret.
	Observe func(Step)

	// Trace records every run; nil records nothing.
	Trace TraceTo

	// Clock and Rand are for tests; nil is the real ones. A store in memory that
	// the driver makes uses the same clock.
	Clock func() time.Time
	Rand  io.Reader
}

// Step is one step of a machine, for Options.Observe.
type Step struct {
	Account Account
	At      time.Time
	From    fsm.Machine
	Input   states.Input
	Result  fsm.Result
}

// Driver runs the machines of many accounts. It is safe for concurrent use.
type Driver struct {
	o     Options
	store storage.Store
	guard *guard.Guard
	host  Host
	log   *slog.Logger
	now   func() time.Time

	showsLinks bool // nothing blocks: the host is Web

	proofName string // what Options.ProofSigner knows its key by
	proofKey  states.ProofKey

	work sync.WaitGroup // runs and what runs beside them

	engines   sync.Pool
	spare     sync.Pool // configurations that no machine uses any more
	sessions  sessions
	configs   configs
	endpoints endpoints
	documents documents

	registrations registrations
}

// ErrClosed says that the driver was closed.
var ErrClosed = errors.New("httpdriver: the driver is closed")

// New makes a Driver, or says what is wrong with its options.
func New(o Options) (*Driver, error) {
	d := &Driver{o: o, store: o.Store, host: o.Host, log: o.Logger, now: o.Clock}
	if d.host == nil {
		d.host = Browser{}
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.store == nil {
		d.store = storage.NewMemory(storage.Clock(d.now))
	}
	if d.o.Rand == nil {
		d.o.Rand = new(randomness)
	}
	if d.o.MaxReplay == 0 {
		d.o.MaxReplay = 1 << 20
	}
	if d.o.IdleBytes <= 0 {
		d.o.IdleBytes = 32 << 20
	}
	d.endpoints.all = map[string]*endpoint{}
	if d.endpoints.most = o.MaxRefreshes; d.endpoints.most <= 0 {
		d.endpoints.most = 64
	}
	p := &d.o.Policy
	if p.LoginTime <= 0 {
		p.LoginTime = defaultLoginTime
	}
	switch h := d.host.(type) {
	case webHost:
		d.showsLinks = true
		p.Redirects = redirectsOf(p.Redirects, string(h))
	case Browser:
		p.Redirects = redirectsOf(p.Redirects, h.RedirectURI)
	}
	if len(p.Redirects) == 0 {
		p.Redirects = []string{"http://127.0.0.1/callback"}
		if p.has(states.RedirectLocalhost) {
			p.Redirects = []string{"http://localhost/callback"}
		}
	}
	if p.ClientName == "" {
		p.ClientName = "Stile"
	}
	if k, ok := o.Signer.(abouter); ok && p.Key == nil {
		about := k.About()
		p.Key = &about
	}
	if err := d.setBinding(); err != nil {
		return nil, err
	}
	p.Holder = holder(p.Holder)
	g, err := guard.New(guard.Options{Transport: o.Transport, Wrap: o.WrapTransport, AllowPrivate: o.AllowPrivate, AllowPrivateName: o.AllowPrivateName, Logger: d.log})
	if err != nil {
		return nil, fmt.Errorf("httpdriver: %w", err)
	}
	d.guard = g
	d.engines.New = func() any { return fsm.NewEngine() }
	d.spare.New = func() any { return new(states.Config) }
	d.sessions.init(d.o.IdleBytes)
	return d, nil
}

// redirectsOf gives the configured redirect URIs, or else those that the host itself
// listens on. A registration belongs to these URIs, and is not shared with another kind
// of host with the same store.
func redirectsOf(configured []string, own string) []string {
	if len(configured) > 0 || own == "" {
		return configured
	}
	return []string{own}
}

// holder names this process in intents and marks: a stable part if the host gave one,
// the process id, and a unique part.
func holder(name string) string {
	if name == "" {
		name = "stile"
	}
	var b [6]byte
	_, _ = rand.Read(b[:])
	return name + "-" + strconv.Itoa(os.Getpid()) + "-" + fmt.Sprintf("%x", b)
}

// Close ends everything that the driver started. It cancels logins that wait for a user,
// and gives a refresh under way the time to be saved.
func (d *Driver) Close() error {
	for _, s := range d.sessions.close() {
		s.end()
	}
	d.work.Wait()
	d.sessions.empty()
	d.guard.CloseIdleConnections()
	return nil
}

// session gives the one session of an account in this process.
func (d *Driver) session(a Account) (*session, error) {
	return d.sessions.get(a, func() (*session, error) { return newSession(d, a) })
}

// random fills b with random bytes.
func (d *Driver) random(b []byte) error {
	_, err := io.ReadFull(d.o.Rand, b)
	return err
}

// seed draws 32 random bytes, as text.
func (d *Driver) seed() wire.Secret {
	b := make([]byte, 32)
	if _, err := io.ReadFull(d.o.Rand, b); err != nil {
		panic("httpdriver: no randomness: " + err.Error())
	}
	return wire.Secret(base64.RawURLEncoding.EncodeToString(b))
}

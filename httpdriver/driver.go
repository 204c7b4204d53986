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
	// Config is the template of every account: all of it applies but Server,
	// Tenant, Subject and Account.
	Config states.Config
	// Host listens for the redirect and sends the human there; nil is Browser{}.
	Host Host
	// Ask answers the questions named in Config.Asks. Nil takes the defaults.
	Ask func(ctx context.Context, a Account, q states.Ask) (states.Answered, error)
	// NonBlocking makes a login that needs a human end in LoginRequired at
	// once; the host hands the redirect to Redirected later, in any replica.
	NonBlocking bool

	// Transport gives proxies and CA bundles to every hop; nil is a copy of
	// http.DefaultTransport.
	Transport *http.Transport
	// AllowPrivate lists private hosts or networks that may be asked although
	// a server names them.
	AllowPrivate []string
	// AllowPrivateName is how a refusal names that option to people; commands
	// give the name of their flag.
	AllowPrivateName string
	// Send carries out an exchange of the machine in place of the guarded HTTP
	// client: for transports that are not HTTP, and for tests.
	Send func(ctx context.Context, s states.Send) states.Input

	// MaxReplay bounds how much of a request body without GetBody is kept for
	// a retry; 0 is 1 MiB.
	MaxReplay int64
	// MaxIdle bounds how many accounts without requests stay in memory; 0 is
	// 10,000. Their tokens are read from the store again when needed.
	MaxIdle int

	// Logger hears every step at Debug, tolerated breaches at Info, failures
	// at Warn; nil is silent.
	Logger *slog.Logger
	// Observe sees every step. Printing what it gets shows no secret.
	Observe func(Step)

	// Trace records every run; nil looks at the environment variable
	// STILE_TRACE, which names a directory, and records nothing without it.
	Trace TraceTo

	// Clock and Rand are for tests; nil is the real ones.
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

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	engines  sync.Pool
	sessions sessions
}

// ErrClosed says that the driver was closed.
var ErrClosed = errors.New("httpdriver: the driver is closed")

// New makes a Driver, or says what is wrong with its options.
func New(o Options) (*Driver, error) {
	d := &Driver{o: o, store: o.Store, host: o.Host, log: o.Logger, now: o.Clock}
	if d.store == nil {
		d.store = storage.NewMemory()
	}
	if d.host == nil {
		d.host = Browser{}
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.o.Rand == nil {
		d.o.Rand = rand.Reader
	}
	if d.o.MaxReplay == 0 {
		d.o.MaxReplay = 1 << 20
	}
	if d.o.MaxIdle == 0 {
		d.o.MaxIdle = 10_000
	}
	switch h := d.host.(type) {
	case webHost:
		d.o.Config.Redirects = redirectsOf(d.o.Config.Redirects, string(h))
	case Browser:
		d.o.Config.Redirects = redirectsOf(d.o.Config.Redirects, h.RedirectURI)
	}
	if len(d.o.Config.Redirects) == 0 {
		d.o.Config.Redirects = []string{"http://127.0.0.1/callback"}
		if d.o.Config.Has(states.RedirectLocalhost) {
			d.o.Config.Redirects = []string{"http://localhost/callback"}
		}
	}
	if d.o.Config.ClientName == "" {
		d.o.Config.ClientName = "Stile"
	}
	if dir := os.Getenv(TraceEnv); dir != "" && d.o.Trace == nil {
		d.o.Trace = TraceDir(dir)
	}
	if d.o.NonBlocking {
		d.o.Config.Concurrent = true
	}
	d.o.Config.Holder = holder(d.o.Config.Holder)
	g, err := guard.New(guard.Options{Transport: o.Transport, AllowPrivate: o.AllowPrivate, AllowPrivateName: o.AllowPrivateName, Logger: d.log})
	if err != nil {
		return nil, fmt.Errorf("httpdriver: %w", err)
	}
	d.guard = g
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.engines.New = func() any { return fsm.NewEngine() }
	d.sessions.init(d.o.MaxIdle)
	return d, nil
}

// redirectsOf gives what was configured, or else what the host listens on by its
// own account: a registration belongs to it, and is shared with no other kind of
// host over the same store.
func redirectsOf(configured []string, own string) []string {
	if len(configured) > 0 || own == "" {
		return configured
	}
	return []string{own}
}

// holder names this process in intents and marks: a stable part if the host
// gave one, the process id, and something that no other process has.
func holder(name string) string {
	if name == "" {
		name = "stile"
	}
	var b [6]byte
	_, _ = rand.Read(b[:])
	return name + "-" + strconv.Itoa(os.Getpid()) + "-" + fmt.Sprintf("%x", b)
}

// Close ends everything that the driver started: logins that wait for a human
// are cancelled, a refresh under way is given the time to be saved.
func (d *Driver) Close() error {
	d.sessions.close()
	d.stop()
	d.work.Wait()
	d.sessions.empty()
	d.guard.CloseIdleConnections()
	return nil
}

// config is the template with the account filled in.
func (d *Driver) config(a Account) states.Config {
	c := d.o.Config
	c.Server, c.Tenant, c.Subject, c.Account = a.Server, a.Tenant, a.Subject, a.Name
	return c
}

// session gives the one session of an account in this process.
func (d *Driver) session(a Account) (*session, error) {
	if d.ctx.Err() != nil {
		return nil, ErrClosed
	}
	return d.sessions.get(a, func() (*session, error) {
		m, err := fsm.New(d.config(a))
		if err != nil {
			return nil, err
		}
		return newSession(d, a, m.Data.Config), nil
	})
}

// seed draws 32 random bytes, as text.
func (d *Driver) seed() wire.Secret {
	b := make([]byte, 32)
	if _, err := io.ReadFull(d.o.Rand, b); err != nil {
		panic("httpdriver: no randomness: " + err.Error())
	}
	return wire.Secret(base64.RawURLEncoding.EncodeToString(b))
}

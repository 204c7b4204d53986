package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Strategy says which transports are tried with the server, and in which order.
type Strategy string

// The strategies.
const (
	HTTPFirst Strategy = "http-first" // the default
	SSEFirst  Strategy = "sse-first"
	HTTPOnly  Strategy = "http-only"
	SSEOnly   Strategy = "sse-only"
)

// Options configure a bridge.
type Options struct {
	// Host is the side of the host; nil is standard input and output.
	Host mcp.Transport
	// Server is the URL of the MCP server.
	Server string
	// Client carries the requests to the server, and authorizes them.
	Client *http.Client
	// Header is sent with every request to the server.
	Header http.Header
	// Strategy chooses the transport.
	Strategy Strategy
	// SessionsOnly speaks to the server as up to MCP 2025-11-25, without a probe.
	SessionsOnly bool
	// Ignore names tools that are hidden from the host; * stands for any text.
	Ignore []string
	// Memory keeps what the server said the last time; nil keeps nothing.
	Memory Memory
	// PingEvery, when positive, pings the server that often in a session.
	PingEvery time.Duration

	// Login recognises an error of Client that says that the user has to log in
	// first. It returns nil for any other error; a nil Login recognises none.
	Login func(error) *Login
	// Wanted is told of each login that a request of the host needs. elicited says
	// that the host shows the address itself.
	Wanted func(l *Login, elicited bool)
	// LoginWait is how long a request waits for a login before it is answered with
	// an error that names the address; 0 does not wait.
	LoginWait time.Duration

	// Explain completes an error of the bridge's own before the host gets it. why is the
	// error behind it: ErrLoginNeeded, ErrHidden, or what a request failed with. What the
	// server answered with goes to the host unchanged. Nil changes nothing.
	Explain func(ctx context.Context, why error, e *jsonrpc.Error)

	// Logger hears of connections at Info and of failures at Warn; nil is silent.
	Logger *slog.Logger
}

// Login is a login that somebody has to finish.
type Login struct {
	// URL is where the user has to go. It holds `state`: it is for the user alone.
	// It is empty where another process shows the page.
	URL     string
	Issuer  string
	Expires time.Time
	// Code is the code that the user has to enter at URL; it is empty where there is none.
	Code string
	// Done is closed when the login has ended, well or not.
	Done <-chan struct{}
}

// Errors that Options.Explain is told of.
var (
	// ErrLoginNeeded: the user did not log in while the request waited.
	ErrLoginNeeded = errors.New("bridge: a login is needed")
	// ErrNoSSE: Options.Strategy is SSEOnly, and the server does not speak HTTP+SSE.
	ErrNoSSE = errors.New("bridge: the server has no HTTP+SSE")
	// ErrHidden: the host called a tool that is hidden from it.
	ErrHidden = errors.New("bridge: the tool is hidden")
)

// Memory keeps what a server said, from one start of the bridge to the next. It
// holds no secret.
type Memory interface {
	Load() (Greeting, bool)
	Save(Greeting)
}

// Greeting is what a server says about itself.
type Greeting struct {
	// Version is the protocol version that was agreed on.
	Version      string          `json:"version"`
	Capabilities json.RawMessage `json:"capabilities,omitempty"`
	Server       json.RawMessage `json:"server,omitempty"`
	Instructions string          `json:"instructions,omitempty"`
	// SSE says that the server speaks the HTTP+SSE of 2024-11-05.
	SSE bool      `json:"sse,omitempty"`
	At  time.Time `json:"at"`
}

// anything is what the host is told while the server is not known: methods that the
// server turns out to lack are answered with empty lists.
var anything = Greeting{
	Capabilities: json.RawMessage(`{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true}}`),
	Server:       json.RawMessage(`{"name":"stile bridge","version":"1"}`),
}

// Bridge relays between one host and one server.
type bridge struct {
	o    Options
	log  *slog.Logger
	ctx  context.Context // of everything that no request of the host waits for
	host *peer
	work sync.WaitGroup

	mu       sync.Mutex
	hello    hello      // how the host introduced itself
	told     Greeting   // what the host was told
	up       *upstream  // the connection to the server; nil while there is none
	joining  *attempt   // the attempt to connect that is under way
	level    string     // the log level that the host asked for
	watched  []string   // resources that the host subscribed to
	missed   bool       // a request failed for want of a login
	shown    *Login     // the login that the host was told of last
	listens  []listener // subscriptions of a modern host at a server with sessions
	parked   map[string]*parking
	parkings int
}

// hello is how a host introduces itself.
type hello struct {
	version      string // of the protocol; empty before the first message
	client, caps json.RawMessage
}

func (h hello) modern() bool { return h.version != "" && !session(h.version) }

// Run relays until the host closes its side (nil), or ctx ends (its error).
func Run(ctx context.Context, o Options) error {
	if o.Host == nil {
		o.Host = Stdio(os.Stdin, unclosed{os.Stdout})
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.Strategy == "" {
		o.Strategy = HTTPFirst
	}
	conn, err := o.Host.Connect(ctx)
	if err != nil {
		return err
	}
	inner, cancel := context.WithCancel(ctx)
	b := &bridge{o: o, log: o.Logger, ctx: inner, host: newPeer(conn, "stile-"), parked: map[string]*parking{}, told: anything}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if o.Memory != nil {
		if g, ok := o.Memory.Load(); ok {
			b.told = g
		}
	}
	b.host.request, b.host.notified = b.serve, b.heard
	unblock := context.AfterFunc(ctx, func() { _ = conn.Close() }) // nothing else ends a read from a pipe
	err = b.host.run(ctx)
	unblock()
	cancel()
	b.disconnect()
	b.work.Wait()
	if e := conn.Close(); err == nil {
		err = e
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// serve answers a request of the host, and explains an error of the bridge's own.
func (b *bridge) serve(ctx context.Context, id jsonrpc.ID, method string, params json.RawMessage) (json.RawMessage, error) {
	result, err := b.answer(ctx, id, method, params)
	if err == nil || ctx.Err() != nil || b.o.Explain == nil || saidBy(err) != nil {
		return result, err
	}
	e := wireError(err)
	var own *ours
	if errors.As(err, &own) {
		err = own.why
	}
	b.o.Explain(ctx, err, e)
	return nil, e
}

func (b *bridge) answer(ctx context.Context, id jsonrpc.ID, method string, params json.RawMessage) (json.RawMessage, error) {
	switch method {
	case initialize:
		return b.welcome(params), nil
	case discover:
		return b.introduce(params), nil
	case ping:
		return marshal(object{}), nil
	}
	if v := parse(parse(params)["_meta"]).text(metaVersion); v != "" && b.greeted(hello{version: v}) {
		b.meet(params)
	}
	if method == callTool && b.ignored(parse(params).text("name")) {
		return nil, &ours{ErrHidden, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "unknown tool: --ignore-tool hides it"}}
	}
	result, err := b.relay(ctx, id, method, params)
	if err != nil {
		return nil, err
	}
	if method == listTools {
		result = b.visible(result)
	}
	return result, nil
}

// heard takes a notification of the host.
func (b *bridge) heard(ctx context.Context, method string, params json.RawMessage) {
	if method == initialized {
		return // the bridge has sessions of its own with the server
	}
	b.mu.Lock()
	up := b.up
	b.mu.Unlock()
	if up == nil || up.modern() && (method == rootsChanged || !b.isModern()) {
		return // a server without sessions does not take them
	}
	if up.modern() {
		params = withMeta(params, up.meta(b))
	}
	if err := up.peer.notify(ctx, method, params); err != nil {
		b.log.Warn("a notification of the host did not reach the server", "method", method, "err", err)
	}
}

func (b *bridge) isModern() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hello.modern()
}

// canVisit reports whether the host itself can show addresses to its user.
func (b *bridge) canVisit() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := parse(parse(b.hello.caps)["elicitation"])["url"]
	return ok
}

func or(raw json.RawMessage, fallback string) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage(fallback)
	}
	return slices.Clone(raw)
}

package httpdriver

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/stile-oauth/stile/states/wire"
)

// A server of HTTP+SSE (MCP 2024-11-05) serves a stream at its own address. The first
// event of the stream names another address for messages, usually /messages beside /sse,
// which is outside the resource. The token may be sent there too, if the stream that was
// opened with this token named the address, and if the address is at the server's origin
// (rule bearer-bound-resource).

// maxFirstEvent bounds what is read for the first event. maxNamed bounds how many
// addresses are remembered, because each session has its own.
const (
	maxFirstEvent = 4096
	maxNamed      = 32
)

// messages are the addresses that streams have named, the newest last.
type messages struct {
	mu    sync.Mutex
	named []wire.Reach
}

func (m *messages) allows(req *http.Request) bool {
	if req.Method != http.MethodPost {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.named, func(r wire.Reach) bool { return r.Allows(req.URL) })
}

func (m *messages) name(r wire.Reach) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.named = append(m.named, r); len(m.named) > maxNamed {
		m.named = slices.Delete(m.named, 0, 1)
	}
}

// maySend reports whether the token may be sent to the address of the request.
func (t *transport) maySend(req *http.Request, tok *token) bool {
	return tok.within.Allows(req.URL) || !tok.within.Exact() && t.messages.allows(req)
}

// listen reads the first event of a stream that was requested with a token.
func (t *transport) listen(req *http.Request, resp *http.Response) {
	if req.Method != http.MethodGet || resp.StatusCode != http.StatusOK {
		return
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "text/event-stream" {
		return
	}
	resp.Body = &firstEvent{ReadCloser: resp.Body, tell: func(name, data string) {
		if name != "endpoint" {
			return
		}
		u, err := req.URL.Parse(data)
		if err != nil || !t.s.origin.SameOrigin(u) {
			return
		}
		if named, bad := wire.ParseURL(u.String()); bad == nil {
			t.messages.name(named.ReachHere())
		}
	}}
}

// firstEvent is a stream of events that reports the first event with data before the
// stream's reader has read all of it.
type firstEvent struct {
	io.ReadCloser
	seen []byte
	tell func(name, data string)
}

func (f *firstEvent) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.tell == nil {
		return n, err
	}
	f.seen = append(f.seen, p[:min(n, maxFirstEvent)]...)
	name, data, done := parseFirstEvent(f.seen)
	if done || len(f.seen) >= maxFirstEvent {
		if data != "" {
			f.tell(name, data)
		}
		f.seen, f.tell = nil, nil
	}
	return n, err
}

// parseFirstEvent reads the first event that has data; done says that it is
// complete. Lines end as in the HTML standard, §9.2.5. It is called with all that was read,
// so a line feed that follows a carriage return later adds no line.
func parseFirstEvent(b []byte) (name, data string, done bool) {
	b = bytes.ReplaceAll(bytes.TrimPrefix(b, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	b = bytes.ReplaceAll(b, []byte("\r"), []byte("\n"))
	blocks := strings.Split(string(b), "\n\n")
	for _, block := range blocks[:len(blocks)-1] {
		var lines []string
		name = ""
		for line := range strings.SplitSeq(block, "\n") {
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "event":
				name = value
			case "data":
				lines = append(lines, value)
			}
		}
		if data = strings.Join(lines, "\n"); data != "" {
			return name, data, true
		}
	}
	return "", "", false
}

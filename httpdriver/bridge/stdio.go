package bridge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Stdio is a transport to a host over two streams, a message on each line. A line that is
// no message is answered with an error of JSON-RPC, and the lines after it are read on; the
// SDK's own transport would end.
func Stdio(in io.ReadCloser, out io.WriteCloser) mcp.Transport {
	w := &lockedWriter{WriteCloser: out}
	return &mcp.IOTransport{Reader: &messageReader{ReadCloser: in, lines: bufio.NewReader(in), out: w}, Writer: w}
}

// lockedWriter lets two write to one stream, each call as a whole.
type lockedWriter struct {
	io.WriteCloser
	mu sync.Mutex
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.WriteCloser.Write(b)
}

// unclosed is standard output, which belongs to the program.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// messageReader gives the lines that are messages, and answers the others.
type messageReader struct {
	io.ReadCloser
	lines *bufio.Reader
	out   io.Writer
	rest  []byte // of the current line
	end   error  // how the stream ended
}

func (m *messageReader) Read(b []byte) (int, error) {
	for len(m.rest) == 0 {
		if m.end != nil {
			return 0, m.end
		}
		m.next()
	}
	n := copy(b, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// next reads a line. It leaves rest empty if the line is no message.
func (m *messageReader) next() {
	var line []byte
	for more := true; more && m.end == nil; {
		var piece []byte
		piece, m.end = m.lines.ReadSlice('\n')
		if more = errors.Is(m.end, bufio.ErrBufferFull); more {
			m.end = nil
		}
		if line = append(line, piece...); len(line) > mcp.DefaultMaxLineLength {
			m.end = errors.New("bridge: a line of the host is too long")
			return
		}
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return
	}
	if wrong := judged(line); wrong != nil {
		answer := marshal(map[string]any{"jsonrpc": "2.0", "id": nil, "error": wrong})
		_, _ = m.out.Write(append(answer, '\n')) // a broken stream ends the reading too
		return
	}
	m.rest = append(line, '\n')
}

// judged says what is wrong with a line of the host; nil if it is a message, or several.
func judged(line []byte) *jsonrpc.Error {
	if !json.Valid(line) {
		return &jsonrpc.Error{Code: jsonrpc.CodeParseError, Message: "this line is not JSON"}
	}
	messages := []json.RawMessage{line}
	if line[0] == '[' {
		_ = json.Unmarshal(line, &messages)
	}
	for _, one := range messages {
		if _, err := jsonrpc.DecodeMessage(one); err != nil {
			return &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "this line is not a message of JSON-RPC"}
		}
	}
	if len(messages) == 0 {
		return &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "this list of messages is empty"}
	}
	return nil
}

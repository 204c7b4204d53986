package trap

import (
	"bytes"
	"net/http"

	"github.com/stile-oauth/stile/states/wire"
)

// keeper is a ResponseWriter that keeps what was written.
type keeper struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	// begins is told the status before the client can see it.
	begins func(status int)
}

// begin takes the first status.
func (k *keeper) begin(status int) {
	if k.status == 0 {
		k.status = status
		k.begins(status)
	}
}

func (k *keeper) WriteHeader(status int) {
	k.begin(status)
	k.ResponseWriter.WriteHeader(status)
}

func (k *keeper) Write(b []byte) (int, error) {
	k.begin(http.StatusOK)
	if room := maxKept - k.body.Len(); room > 0 {
		k.body.Write(b[:min(len(b), room)])
	}
	return k.ResponseWriter.Write(b)
}

// Flush lets event streams through.
func (k *keeper) Flush() {
	if f, ok := k.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

func (k *keeper) response() *wire.Response {
	status := k.status
	if status == 0 {
		status = http.StatusOK
	}
	return &wire.Response{Status: status, Header: fields(k.Header()), Body: k.body.Bytes()}
}

// buffered is a ResponseWriter that keeps all until it is asked for.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffered) Header() http.Header         { return b.header }
func (b *buffered) WriteHeader(status int)      { b.status = status }
func (b *buffered) Write(p []byte) (int, error) { return b.body.Write(p) }

// fields keeps a header in the order of its names.
func fields(h http.Header) wire.Fields {
	var out wire.Fields
	for name, values := range h {
		for _, v := range values {
			out = append(out, wire.Field{Name: name, Value: v})
		}
	}
	sortFields(out)
	return out
}

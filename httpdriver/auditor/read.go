package auditor

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"slices"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// read reads a body of less than bound bytes. Of an event stream, which may never end, it
// reads only the first piece.
func read(body io.Reader, stream bool, bound int) (b []byte, oversized bool) {
	if stream {
		piece := make([]byte, 16<<10)
		n, _ := body.Read(piece)
		return piece[:n], false
	}
	b, err := io.ReadAll(io.LimitReader(body, int64(bound)))
	return b, err != nil || len(b) == bound
}

// sortFields puts header fields into one order, keeping that of equal names.
func sortFields(fs wire.Fields) {
	slices.SortStableFunc(fs, func(a, b wire.Field) int { return cmp.Compare(a.Name, b.Name) })
}

// failure says why there is no answer, in the guard's words if there are any.
func failure(err error) string {
	var f *guard.Error
	if errors.As(err, &f) {
		return f.Error()
	}
	return "no answer: " + wire.Clean(err.Error(), 200)
}

func tlsVersion(v uint16) string {
	switch v {
	case tls.VersionTLS10:
		return "1.0"
	case tls.VersionTLS11:
		return "1.1"
	case tls.VersionTLS12:
		return "1.2"
	}
	return "1.3"
}

package guard_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/guard"
)

// TestExcess: an answer that comes twice, or is longer than it says, is printed
// nowhere: no connection is left that net/http would read it from.
func TestExcess(t *testing.T) {
	var printed bytes.Buffer
	log.SetOutput(&printed)
	defer log.SetOutput(os.Stderr)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	over := make(chan struct{})
	go func() {
		defer close(over)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(c, answer, `{"refresh_token":"a-secret"}`, answer)
		_, _ = io.Copy(io.Discard, c) // until the client has closed it
	}()
	g := mustNew(t, guard.Options{AllowLoopbackHTTP: true})
	resp, f := g.Do(context.Background(), post("http://"+l.Addr().String()+"/token"))
	if f != nil || string(resp.Body) != "{}" {
		t.Fatalf("%q %v", resp.Body, f)
	}
	<-over
	if printed.Len() > 0 {
		t.Errorf("printed: %s", printed.String())
	}
}

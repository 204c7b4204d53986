package httpdriver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

const (
	libraryIssuer = "https://as.example"
	issuersPage   = libraryIssuer + "/.well-known/oauth-authorization-server"
)

// library is a network of metadata documents: of any server, and of the one issuer of all.
type library struct {
	// answer may give another answer to the nth request for a document, or take its time.
	answer func(ctx context.Context, s states.Send, nth int) states.Input
	keep   string // Cache-Control

	mu    sync.Mutex
	asked map[string]int
}

func (l *library) send(ctx context.Context, s states.Send) states.Input {
	l.mu.Lock()
	if l.asked == nil {
		l.asked = map[string]int{}
	}
	l.asked[s.Request.URL]++
	n := l.asked[s.Request.URL]
	l.mu.Unlock()
	if l.answer != nil {
		if in := l.answer(ctx, s, n); in != nil {
			return in
		}
	}
	doc := map[string]any{
		"issuer": libraryIssuer, "authorization_endpoint": libraryIssuer + "/authorize", "token_endpoint": libraryIssuer + "/token",
		"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
	}
	if server, ok := strings.CutSuffix(s.Request.URL, "/.well-known/oauth-protected-resource/mcp"); ok {
		doc = map[string]any{"resource": server + "/mcp", "authorization_servers": []string{libraryIssuer}}
	}
	body, _ := json.Marshal(doc)
	header := wire.Fields{{Name: "Content-Type", Value: "application/json"}}
	if l.keep != "" {
		header = append(header, wire.Field{Name: "Cache-Control", Value: l.keep})
	}
	return states.Responded{Serial: s.Serial, Response: wire.Response{Status: 200, Header: header, Body: body}}
}

func (l *library) count(url string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked[url]
}

// readers is a driver whose logins are over when all documents were read: the host shows
// the link.
func (l *library) readers(t *testing.T) *httpdriver.Driver {
	t.Helper()
	d, err := httpdriver.New(httpdriver.Options{
		Send: l.send, Host: httpdriver.Web(webCallback),
		Policy: httpdriver.Policy{Client: &states.Configured{Issuer: libraryIssuer, ID: "app"}, HTTPTime: 10 * time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// reader is a user at a server of their own.
func reader(name string) httpdriver.Account {
	return httpdriver.Account{Server: "https://" + name + ".example/mcp", Subject: name}
}

// reads begins a login and tells how it ends; nil is the link.
func reads(t *testing.T, d *httpdriver.Driver, a httpdriver.Account) <-chan error {
	t.Helper()
	ctx, end := t.Context(), make(chan error, 1)
	go func() {
		err := d.Challenge(ctx, a, refusal())
		if need := (*httpdriver.LoginRequiredError)(nil); errors.As(err, &need) {
			err = nil
		}
		end <- err
	}()
	return end
}

// TestADocumentOfAnotherLogin: logins that need a document at the same time send one request
// for it. A user who logs out meanwhile ends their own login alone: where it was the one that
// fetched, the next one fetches; where it waited, it waits no longer.
func TestADocumentOfAnotherLogin(t *testing.T) {
	for _, leaves := range []string{"one", "two"} {
		synctest.Test(t, func(t *testing.T) {
			open := make(chan struct{})
			l := &library{answer: func(ctx context.Context, s states.Send, _ int) states.Input {
				if s.Request.URL == issuersPage {
					select {
					case <-open:
					case <-ctx.Done():
						return states.Unreachable{Serial: s.Serial, Class: states.Lost, Detail: "given up"}
					}
				}
				return nil
			}}
			d := l.readers(t)
			began, ends := time.Now(), map[string]<-chan error{}
			for _, name := range []string{"one", "two"} {
				ends[name] = reads(t, d, reader(name))
				synctest.Wait()
			}
			if n := l.count(issuersPage); n != 1 {
				t.Fatalf("%d requests for two logins", n)
			}
			if err := d.Logout(t.Context(), reader(leaves)); err != nil {
				t.Error(err)
			}
			if err := <-ends[leaves]; err == nil {
				t.Errorf("%s logged out and got a link", leaves)
			}
			synctest.Wait()
			if n, want := l.count(issuersPage), map[string]int{"one": 2, "two": 1}[leaves]; n != want || time.Since(began) != 0 {
				t.Errorf("%s left: %d requests instead of %d, after %v", leaves, n, want, time.Since(began))
			}
			close(open)
			delete(ends, leaves)
			for name, end := range ends {
				if err := <-end; err != nil || time.Since(began) != 0 {
					t.Errorf("%s: %v, after %v", name, err, time.Since(began))
				}
			}
		})
	}
}

// TestAFailureIsShared: a document that cannot be fetched is no document for all logins that
// wait for it: they do not ask an issuer in trouble once each. It is not kept: when they try
// again, they fetch it.
func TestAFailureIsShared(t *testing.T) {
	for name, failure := range map[string]states.Input{
		"lost": states.Unreachable{Class: states.Lost, Detail: "the connection was reset"},
		"503":  states.Responded{Response: wire.Response{Status: 503}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open := make(chan struct{})
				l := &library{answer: func(_ context.Context, s states.Send, nth int) states.Input {
					switch {
					case s.Request.URL != issuersPage && strings.HasPrefix(s.Request.URL, libraryIssuer):
						return states.Responded{Serial: s.Serial, Response: wire.Response{Status: 404}}
					case s.Request.URL != issuersPage || nth > 1:
						return nil
					}
					<-open
					time.Sleep(10 * time.Millisecond)
					switch in := failure.(type) {
					case states.Unreachable:
						in.Serial = s.Serial
						return in
					case states.Responded:
						in.Serial = s.Serial
						return in
					default:
						return nil
					}
				}}
				d := l.readers(t)
				var ends []<-chan error
				for i := range 10 {
					ends = append(ends, reads(t, d, reader(fmt.Sprint("user", i))))
				}
				synctest.Wait()
				close(open)
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
				if n := l.count(issuersPage); n != 1 {
					t.Errorf("%d requests at once", n)
				}
				for i, end := range ends {
					if err := <-end; err != nil { // the next attempt succeeds
						t.Errorf("user %d: %v", i, err)
					}
				}
			})
		})
	}
}

// TestTooLateForAnotherLogin: a login waits for what another one fetches within its own time
// and no longer, and the user is told whose answer is missing.
func TestTooLateForAnotherLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &library{answer: func(ctx context.Context, s states.Send, _ int) states.Input {
			wait := time.Duration(0)
			switch {
			case strings.HasPrefix(s.Request.URL, "https://slow.example/"):
				wait = 50 * time.Second
			case strings.HasPrefix(s.Request.URL, libraryIssuer):
				wait = s.Timeout
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			if strings.HasPrefix(s.Request.URL, libraryIssuer) {
				return states.Unreachable{Serial: s.Serial, Class: states.Lost, Detail: "silence"}
			}
			return nil
		}}
		d, began := l.readers(t), time.Now()
		slow := reads(t, d, reader("slow"))
		time.Sleep(45 * time.Second)
		quick := reads(t, d, reader("quick"))
		err := <-slow
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "as.example") || took != time.Minute {
			t.Errorf("%v, after %v", err, took)
		}
		if n := l.count(issuersPage); n != 1 {
			t.Errorf("%d requests", n)
		}
		err = <-quick
		if took := time.Since(began); err == nil || took != 45*time.Second+time.Minute {
			t.Errorf("the one that asked: %v, after %v", err, took)
		}
	})
}

// TestHowManyDocumentsAreKept: a host with many tenants keeps 1,024 documents at most,
// whatever the servers allow. What somebody waits for is not dropped.
func TestHowManyDocumentsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		l := &library{keep: "max-age=3600", answer: func(_ context.Context, s states.Send, _ int) states.Input {
			if strings.HasPrefix(s.Request.URL, "https://waits") {
				<-open
			}
			return nil
		}}
		d := l.readers(t)
		page := func(name string) string {
			return "https://" + name + ".example/.well-known/oauth-protected-resource/mcp"
		}
		var ends []<-chan error
		wait := func(subject string) {
			for i := range 20 {
				a := reader(fmt.Sprint("waits", i))
				a.Subject = subject
				ends = append(ends, reads(t, d, a))
			}
			synctest.Wait()
		}
		wait("alice")
		const servers = 1100
		read := func(subject string, servers int) {
			for i := range servers {
				a := reader(fmt.Sprint("server", i))
				a.Subject = subject
				if err := <-reads(t, d, a); err != nil {
					t.Fatal(err)
				}
			}
		}
		read("alice", servers)
		wait("bob")
		close(open)
		for _, end := range ends {
			if err := <-end; err != nil {
				t.Error(err)
			}
		}
		for i := range 20 {
			if n := l.count(page(fmt.Sprint("waits", i))); n != 1 {
				t.Errorf("what two waited for was fetched %d times", n)
			}
		}
		const again = 200
		read("bob", again)
		fetched := 0
		for i := range again {
			fetched += l.count(page(fmt.Sprint("server", i))) - 1
		}
		if fetched == 0 || fetched > again*3/4 {
			t.Errorf("of %d documents of %d, %d were fetched again", again, servers, fetched)
		}
	})
}

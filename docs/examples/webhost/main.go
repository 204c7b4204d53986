// Command webhost is one replica of a web application whose users each have a login of
// their own at an MCP server. Any replica with the same store finishes a login that
// another one began.
//
//	stile serve as & stile serve rs &
//	go run ./webhost -listen 127.0.0.1:8080 -store file:$HOME/.webhost -server http://localhost:8001/mcp
//
// Then open http://127.0.0.1:8080/?user=ann in a browser.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage/open"
)

type app struct {
	driver         *httpdriver.Driver
	server, public string
}

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	public := flag.String("public", "http://127.0.0.1:8080", "what the application is called from outside: the load balancer")
	spec := flag.String("store", "memory", "the store that all replicas share; in production env:NAME with a postgres or redis URL")
	server := flag.String("server", "http://localhost:8001/mcp", "the MCP server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, *listen, *public, *spec, *server); err != nil {
		stop()
		log.Fatal(err) //nolint:gocritic // stop has run
	}
}

func serve(ctx context.Context, listen, public, spec, server string) error {
	store, closeStore, notice, err := open.Open(ctx, spec, open.Options{Getenv: os.Getenv})
	if err != nil {
		return err
	}
	defer closeStore() //nolint:errcheck // the program ends
	if notice != "" {
		log.Print(notice)
	}
	// Web does not block for a user: what needs one gets a LoginRequiredError with a link.
	driver, err := httpdriver.New(httpdriver.Options{Store: store, Host: httpdriver.Web(public + "/oauth/callback")})
	if err != nil {
		return err
	}
	defer driver.Close()
	a := &app{driver: driver, server: server, public: public}
	mux := http.NewServeMux()
	mux.HandleFunc("/", a.call)
	mux.HandleFunc("/oauth/callback", a.callback)
	s := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = s.Close()
	}()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// user is the application's own session. A real one does not believe a parameter.
func user(w http.ResponseWriter, r *http.Request) string {
	if u := r.FormValue("user"); u != "" {
		http.SetCookie(w, &http.Cookie{Name: "user", Value: u, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		return u
	}
	c, err := r.Cookie("user")
	if err != nil {
		return ""
	}
	return c.Value
}

// call asks the MCP server something in the name of the user.
func (a *app) call(w http.ResponseWriter, r *http.Request) {
	u := user(w, r)
	if u == "" {
		http.Error(w, "who are you? add ?user=NAME", http.StatusUnauthorized)
		return
	}
	client, err := a.driver.Client(httpdriver.Account{Server: a.server, Subject: u})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, a.server, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := client.Do(req)
	if need := (*httpdriver.LoginRequiredError)(nil); errors.As(err, &need) {
		http.Redirect(w, r, need.URL, http.StatusSeeOther)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	fmt.Fprintf(w, "%s is logged in; the server answers %d\n", u, resp.StatusCode)
}

// callback is where the issuer sends the browser back to. The owner is the user whose
// session the redirect arrived in: a login of somebody else is refused.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	owner := httpdriver.Owner{Subject: user(w, r)}
	if _, err := a.driver.Redirected(r.Context(), a.public+r.URL.RequestURI(), owner); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

package trace

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// story is a life that is recorded, checked and searched for secrets.
type story struct {
	name string
	setting
	live func(l *life)
	want []string // events, in this order
}

const awkward = `CANARY s3cr3t+/=&%"\<>~end`

func confidential(secret string, methods ...string) setting {
	return setting{
		config: func(c *states.Config) {
			c.Client = &states.Configured{Issuer: issuer, ID: "fixed client/1", Secret: wire.Secret(secret)}
			if len(methods) == 1 {
				c.Client.Method = methods[0]
			}
		},
		peers: func(a *peer.ASConfig, _ *peer.RSConfig) {
			a.Clients = []peer.PreClient{{ID: "fixed client/1", Secret: secret, RedirectURIs: []string{callback}}}
		},
	}
}

func faults(names ...string) setting {
	return setting{peers: func(a *peer.ASConfig, r *peer.RSConfig) {
		as, rs, err := peer.Side(names)
		if err != nil {
			panic(err)
		}
		a.Faults, r.Faults = as, rs
	}}
}

func login(l *life) { l.begin() }

func whole(l *life) {
	l.begin()
	l.call("get_time")
	l.expire()
	l.call("purge")
	l.call("purge")
	l.do(states.LoggedOut{Seed: l.seed()})
}

// registered is a whole life of a client to which registration gives a secret.
// The peer in memory makes public clients only, so its mail is opened on the way.
func registered(method string) func(*life) {
	return func(l *life) {
		id := ""
		l.send = func(l *life, s states.Send) states.Input {
			req := s.Request
			if method == wire.MethodBasic && len(req.Header.Header("Authorization")) > 0 {
				req.Header = wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}
				req.Form = append(slices.Clone(req.Form), wire.Field{Name: "client_id", Value: id})
			}
			req.Form = slices.DeleteFunc(slices.Clone(req.Form), func(f wire.Field) bool { return f.Name == "client_secret" })
			resp, ok := l.w.Answer(l.at, req)
			if !ok {
				return nil
			}
			if strings.HasSuffix(req.URL, "/register") {
				obj, _ := wire.ParseObject(resp.Body)
				id, _, _ = obj.String("client_id")
				resp.Body = fmt.Appendf(nil, `{"client_id":%q,"client_secret":%q,"client_secret_expires_at":0,"token_endpoint_auth_method":%q,
					"registration_access_token":"CANARY-manage-1234","registration_client_uri":"https://as.example/register/CANARY-manage-1234"}`, id, awkward, method)
			}
			return states.Responded{Serial: s.Serial, Response: resp}
		}
		whole(l)
	}
}

// stories are the lives of this package: the golden traces come from some.
var stories = []story{
	{"cold-login", setting{}, func(l *life) { l.begin(); l.call("get_time") }, []string{"CredentialMissing", "LoginNeeded", "PRMFound", "ASMFound", "Registered", "CodeReceived", "TokenIssued", "LoginDone", "AcceptedFirst", "AcceptanceSaved"}},
	{"refresh", setting{}, func(l *life) {
		l.begin()
		l.expire()
		l.restart()
		l.at = l.at.Add(2 * time.Hour)
		l.begin()
		l.call("get_time")
	}, []string{"TokenIssued", "TokenRefreshed", "CredentialExpiring", "Leased", "RefreshDue", "IntentMarked", "TokenRefreshed", "Rotated"}},
	{"step-up", setting{}, func(l *life) { l.begin(); l.call("purge"); l.call("purge") }, []string{"ScopeShort", "StepUpAllowed", "MetadataKnown", "TokenIssued"}},
	{"legacy", setting{peers: func(a *peer.ASConfig, r *peer.RSConfig) {
		a.Issuer, a.NoMetadata, r.NoMetadata, r.NoAudience = "https://mcp.example", true, true, true
		r.AuthorizationServers = []string{"https://mcp.example"}
	}}, login, []string{"LegacyServer", "LegacyDefaults", "TokenIssued"}},
	{"denied", setting{peers: func(a *peer.ASConfig, _ *peer.RSConfig) { a.Deny = true }}, login, []string{"AuthorizationDenied", "LoginFailed"}},
	{"issuer-mismatch", faults("iss-wrong"), login, []string{"IssuerMismatch", "LoginFailed"}},
	{"resource-mismatch", setting{peers: func(_ *peer.ASConfig, r *peer.RSConfig) { r.Resource = "https://mcp.example/other" }},
		func(l *life) {
			l.do(states.Begun{Seed: l.seed(), Login: true})
		}, []string{"PRMResourceMismatch", "LoginFailed"}},
	{"logout", setting{}, func(l *life) { l.begin(); l.do(states.LoggedOut{Seed: l.seed()}) }, []string{"LogoutReady", "RevokedOne", "RevocationDone", "LogoutDone"}},
	{"whole-life", setting{}, whole, []string{"TokenIssued", "TokenRefreshed", "ScopeShort", "LogoutDone"}},
	{"basic", confidential("CANARY-client-secret-1", wire.MethodBasic), whole, []string{"TokenIssued", "LogoutDone"}},
	{"basic-awkward", confidential(awkward, wire.MethodBasic), whole, []string{"TokenIssued", "LogoutDone"}},
	{"post", confidential("CANARY-client-secret-2", wire.MethodPost), whole, []string{"TokenIssued", "LogoutDone"}},
	{"post-awkward", confidential(awkward, wire.MethodPost), whole, []string{"TokenIssued", "LogoutDone"}},
	{"inferred", confidential(awkward), whole, []string{"TokenIssued", "LogoutDone"}},
	{"method-retried", confidential("CANARY-client-secret-3"), func(l *life) {
		first := true
		l.mangle = func(_ *life, req wire.Request, resp *wire.Response) {
			if strings.HasSuffix(req.URL, "/token") && first {
				first = false
				*resp = wire.Response{Status: 401, Header: wire.Fields{{Name: "WWW-Authenticate", Value: `Basic realm="x"`}}}
			}
		}
		l.begin()
	}, []string{"MethodRetried", "CodeRefused"}},
	{"none", setting{config: func(c *states.Config) { c.Client = &states.Configured{Issuer: issuer, ID: "public"} },
		peers: func(a *peer.ASConfig, _ *peer.RSConfig) {
			a.Clients = []peer.PreClient{{ID: "public", RedirectURIs: []string{callback}}}
		}}, whole, []string{"TokenIssued", "LogoutDone"}},
	{"registered-basic", setting{}, registered(wire.MethodBasic), []string{"Registered", "TokenIssued", "LogoutDone"}},
	{"registered-post", setting{}, registered(wire.MethodPost), []string{"Registered", "TokenIssued", "LogoutDone"}},
	{"initial-token", setting{
		config: func(c *states.Config) { c.InitialToken, c.Issuer = "CANARY initial/token", issuer },
		peers:  func(a *peer.ASConfig, _ *peer.RSConfig) { a.Faults = append(a.Faults, "register-401@1") },
	}, whole, []string{"InitialTokenDemanded", "Registered", "TokenIssued"}},
	{"asked-client", setting{
		config: func(c *states.Config) { c.NoRegistration, c.Asks = true, []states.Question{states.AskClient} },
		peers: func(a *peer.ASConfig, _ *peer.RSConfig) {
			a.Clients = []peer.PreClient{{ID: "asked", Secret: "CANARY-asked-secret", RedirectURIs: []string{callback}}}
		},
	}, func(l *life) {
		l.asked = states.Answered{Value: "asked", Secret: "CANARY-asked-secret"}
		whole(l)
	}, []string{"ClientGiven", "TokenIssued", "LogoutDone"}},
	{"key-in-the-server-url", setting{
		config: func(c *states.Config) { c.Server = resource + "?api_key=CANARY0123456789" },
		peers:  func(_ *peer.ASConfig, r *peer.RSConfig) { r.Resource = resource + "?api_key=CANARY0123456789" },
	}, login, []string{"PRMFound", "TokenIssued"}},
	{"names", setting{config: func(c *states.Config) {
		c.Tenant, c.Subject, c.Account, c.Holder = "CANARY-tenant-9", "CANARY-subject-9", "CANARY-account-9", "CANARY-holder-9"
	}}, func(l *life) {
		for _, s := range []string{"CANARY-tenant-9", "CANARY-subject-9", "CANARY-account-9", "CANARY-holder-9", "CANARY-other-9"} {
			l.mark(s)
		}
		l.begin()
		// Another process marked a refresh: its name differs from ours.
		for e := range l.kept.Entries(l.at) {
			if c := e.Credential; c != nil {
				c.Intent = &states.Intent{Attempt: 1, Holder: "CANARY-other-9", Until: l.wake.Add(time.Minute)}
				e.Value, _ = states.Encode(c)
			}
		}
		l.expire()
	}, []string{"Leased", "IntentLive", "TokenRefreshed"}},
	{"replica", setting{}, func(l *life) {
		l.away = true
		l.begin()
		parked := l.parked()
		l.resume(parked)
	}, []string{"LoginParked", "LoginResumed", "CallbackReceived", "TokenIssued"}},
	{"waiting", setting{}, func(l *life) {
		l.begin()
		held := 0
		l.store = func(_ *life, q states.Effect) states.Input {
			if s, ok := q.(states.Lease); ok && held < 7 {
				held++
				return states.Held{Serial: s.Serial}
			}
			return nil
		}
		l.expire()
	}, []string{"LeaseHeld", "LookAgain", "StillHeld", "LeaseHeld", "Leased", "Rotated"}},
	{"store-broken", setting{}, func(l *life) {
		l.begin()
		broken := 3
		l.store = func(l *life, q states.Effect) states.Input {
			if s, ok := q.(states.Save); ok && broken > 0 && (l.m.State == states.Rotating || l.m.State == states.Resaving) {
				broken--
				return states.StoreFailed{Serial: s.Serial, Detail: "writing " + l.secrets[0] + ": permission denied"}
			}
			return nil
		}
		l.expire()
	}, []string{"SaveFailed", "SaveFailed", "Rotated"}},
	{"lost-answer", setting{}, func(l *life) {
		l.begin()
		lost := false
		l.send = func(_ *life, s states.Send) states.Input {
			if l.m.State == states.Refreshing && !lost {
				lost = true
				return states.Unreachable{Serial: s.Serial, Class: states.Lost, Detail: "the answer of as.example was lost: the connection was closed after " + l.secrets[1]}
			}
			return nil
		}
		l.expire()
	}, []string{"AnswerLost", "RefreshDue", "TokenRefreshed"}},
	{"interrupted", setting{}, func(l *life) {
		l.begin()
		cut := false
		l.send = func(l *life, s states.Send) states.Input {
			if l.m.State == states.Refreshing && !cut {
				cut = true
				return states.Interrupted{Seed: l.seed()}
			}
			return nil
		}
		l.expire()
	}, []string{"AnswerLost"}},
	{"foreign-callbacks", setting{}, func(l *life) {
		l.away = true
		l.begin()
		v := l.visit()
		l.step(states.Redirected{Serial: v.Serial, URL: "https://evil.example/callback?code=x&state=CANARY-foreign"})
		l.step(states.Redirected{Serial: v.Serial, URL: callback + "?code=CANARY-planted&state=CANARY-wrong&%zz=1&x=%zz"})
		l.away = false
		l.carryOut(v)
		l.do(l.next())
	}, []string{"CallbackForeign", "StateMismatch", "CallbackReceived", "TokenIssued"}},
}

// next takes the first input that waits.
func (l *life) next() states.Input {
	in := l.queue[0]
	l.queue = l.queue[1:]
	return in
}

func init() {
	for _, f := range peer.Faults() {
		stories = append(stories, story{"fault-" + f.Name, faults(f.Name), func(l *life) {
			l.begin()
			if l.m.State == states.Authorized {
				l.call("get_time")
			}
			if l.m.State == states.Authorized {
				l.call("purge")
			}
			if l.m.State == states.Authorized {
				l.expire()
			}
			if states.Resting(l.m.State) {
				l.do(states.LoggedOut{Seed: l.seed()})
			}
		}, nil})
	}
}

// visit is the open question to the user agent.
func (l *life) visit() states.Visit {
	l.t.Helper()
	for _, e := range fsm.Pending(l.m) {
		if v, ok := e.(states.Visit); ok {
			return v
		}
	}
	l.t.Fatal("no visit is open")
	return states.Visit{}
}

// parked is the login that waits in the store.
func (l *life) parked() states.Login {
	l.t.Helper()
	for e := range l.kept.Entries(l.at) {
		if e.Key.Kind == states.KindLogin {
			p, err := states.DecodeLogin(e.Value, e.Generation)
			if err != nil {
				l.t.Fatal(err)
			}
			return p
		}
	}
	l.t.Fatal("no login is parked")
	return states.Login{}
}

// resume goes on with a parked login as another replica, with a trace of its own.
func (l *life) resume(p states.Login) {
	l.t.Helper()
	m, err := fsm.Resume(p)
	if err != nil {
		l.t.Fatal(err)
	}
	l.m = m
	l.record()
	l.step(states.Resumed{Seed: l.seed()})
	l.away = false
	v := l.visit()
	l.queue = nil
	l.carryOut(v)
	l.do(l.next())
}

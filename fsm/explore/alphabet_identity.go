package explore

import (
	"fmt"
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// openIdentity are the answers to the question who the user is.
func openIdentity(q states.Assert, give func(string, func(*world) states.Input) move) []move {
	return []move{
		give("there is an ID token", func(w *world) states.Input { return model.Assert(q, w.at) }),
		give("there is an old one", func(w *world) states.Input { return model.Assert(q, w.at.Add(-2*time.Hour)) }),
		give("there is one for another client", func(w *world) states.Input {
			return model.Assert(states.Assert{Serial: q.Serial, Audiences: []string{"another"}, Provider: q.Provider}, w.at)
		}),
		give("there is one of another provider", func(w *world) states.Input {
			return model.Assert(states.Assert{Serial: q.Serial, Audiences: q.Audiences, Provider: "https://evil.example"}, w.at)
		}),
		give("there is none", func(*world) states.Input { return states.Unsigned{Serial: q.Serial, Detail: "no answer"} }),
		give("the user has to log in", func(*world) states.Input {
			return states.Unsigned{Serial: q.Serial, Detail: "nobody is logged in", NeedsUser: true}
		}),
	}
}

// openExchange are the answers of an identity provider to an exchange.
func openExchange(w *world, i int, q states.Send) []reply {
	d := &w.actors[i].m.Data
	client := "app"
	if d.Config.Client != nil {
		client = d.Config.Client.ID
	}
	audience, _ := q.Request.Form.Get("audience")
	resource, _ := q.Request.Form.Get("resource")
	body := func(issuer, client, resource string, at time.Time) string {
		return fmt.Sprintf(`{"access_token":%q,"issued_token_type":%q,"token_type":"N_A","expires_in":300}`,
			model.Grant(at, issuer, client, resource, w.coined), wire.TypeIDJAG)
	}
	list := []reply{
		{"an ID-JAG", 200, body(audience, client, resource, w.at), ""},
		{"one for another issuer", 200, body("https://evil.example", client, resource, w.at), ""},
		{"one for another client", 200, body(audience, "another", resource, w.at), ""},
		{"one for another resource", 200, body(audience, client, "https://evil.example/mcp", w.at), ""},
		{"an old one", 200, body(audience, client, resource, w.at.Add(-time.Hour)), ""},
		{"an access token", 200, `{"access_token":"TOKEN","token_type":"Bearer"}`, ""},
	}
	for _, c := range codes {
		list = append(list, reply{c, 400, `{"error":"` + c + `"}`, ""})
	}
	return list
}

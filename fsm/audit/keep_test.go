package audit

import (
	"bytes"
	"encoding/json"
	"testing"
)

// keepSeeds are the evidence of a server and of a client, in a few lines.
var keepSeeds = []string{
	`{"format":"stile-evidence","version":1,"target":"https://h/mcp","source":"server","exchanges":[{"probe":"mcp.bare","leg":"mcp","at":"0s","request":{"Method":"POST","URL":"https://h/mcp"},"response":{"Status":401,"Header":[{"Name":"WWW-Authenticate","Value":"Bearer"}]}}]}`,
	`{"format":"stile-client-evidence","version":1,"traps":[{"trap":"cl.login","source":"client","target":"http://127.0.0.1:1/mcp","roles":{"http://127.0.0.1:1":"resource"},"exchanges":[{"leg":"mcp","run":1,"at":"1ms","request":{"Method":"POST","URL":"http://127.0.0.1:1/mcp"},"response":{"Status":401}},{"leg":"authorize","run":1,"at":"2ms","request":{"Method":"GET","URL":"http://127.0.0.1:2/authorize?state=x&state=y"}}],"runs":[{"exit":1,"took":"1s","output":"no"}]},{"trap":"cl.refresh-lost","source":"client","exchanges":[{"leg":"refresh","at":"0s","request":{},"failure":"the answer was lost on its way"}]}]}`,
	`{"format":"stile-client-evidence","version":1,"traps":[{"trap":"cl.logout"},{"trap":"cl.logout"},{"trap":"cl.secret-expired","exchanges":[{"leg":"register","at":"0s","request":{},"response":{"Status":201,"Body":"e30="}}]}]}`,
	`{"format":"stile-evidence","version":1,"exchanges":[{"at":"x"}]}`,
}

// Whatever is read can be judged without a panic, gives the same result twice, and is
// written as it was read.
func FuzzParseEvidence(f *testing.F) {
	for _, s := range keepSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := ParseEvidence(b); err == nil {
			kept, err := MarshalEvidence(e)
			if err != nil {
				return // text that is not UTF-8
			}
			again, err := ParseEvidence(kept)
			if err != nil {
				t.Fatal(err)
			}
			checks := Select(Options{Recording: e.Source != LiveServer, Active: true, Register: true, Login: true, Destructive: true})
			same(t, Judge(&e, checks), Judge(&again, checks))
		}
		if all, err := ParseClient(b); err == nil {
			kept, err := MarshalClient(all)
			if err != nil {
				return
			}
			again, err := ParseClient(kept)
			if err != nil {
				t.Fatal(err)
			}
			r := JudgeClient(all)
			same(t, r, JudgeClient(again))
			Join(r, all)
		}
	})
}

func same(t *testing.T, a, b Report) {
	t.Helper()
	one, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	two, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Errorf("judged again it is\n%s\nand was\n%s", two, one)
	}
}

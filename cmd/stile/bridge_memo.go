package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/stile-oauth/stile/httpdriver/bridge"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/filestore"
)

// memo is what the bridge remembers about one server, from one start to the next and
// for all instances. It holds no secret.
type memo struct {
	path string
	// work is what goes on beside the bridge, and ends with it.
	work sync.WaitGroup

	mu sync.Mutex
}

// kept is the content of the file.
type kept struct {
	Greeting *bridge.Greeting `json:"greeting,omitempty"`
	// Port is the port that logins came back to.
	Port int `json:"port,omitempty"`
	// Opened is when a browser was opened, and for which generation of the login.
	Opened     time.Time         `json:"opened,omitzero"`
	Generation states.Generation `json:"generation,omitempty"`
	// Looked says that the bridge has looked for logins of mcp-remote.
	Looked bool `json:"looked,omitempty"`
}

// maxTraces is how many traces of one server are kept.
const maxTraces = 50

// memo finds the place of the memo, and that of the traces if none was named.
func (f *bridgeFlags) memo(a *app, server string) (*memo, error) {
	dir, err := filestore.DefaultDir(a.getenv)
	if err != nil {
		return nil, usage("%w", err)
	}
	dir += "-bridge"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, failed("the directory of the bridge: %w", err)
	}
	key, _ := json.Marshal([]string{server, f.tenant, f.subject, f.name, f.spec(a)})
	sum := sha256.Sum256(key)
	m := &memo{path: filepath.Join(dir, hex.EncodeToString(sum[:12]))}
	if f.trace == "" {
		if f.trace = a.getenv("STILE_TRACE"); f.trace == "" {
			f.trace = m.path + ".traces" + string(filepath.Separator)
			m.work.Go(func() { m.prune(f.trace) })
		}
	}
	return m, nil
}

// prune removes the oldest traces.
func (m *memo) prune(dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) <= maxTraces {
		return
	}
	at := map[string]time.Time{}
	for _, f := range files {
		if st, err := os.Stat(f); err == nil {
			at[f] = st.ModTime()
		}
	}
	slices.SortFunc(files, func(x, y string) int { return at[x].Compare(at[y]) })
	for _, f := range files[:len(files)-maxTraces] {
		_ = os.Remove(f)
	}
}

func (m *memo) read() kept {
	var k kept
	if b, err := os.ReadFile(m.path + ".json"); err == nil && json.Unmarshal(b, &k) != nil {
		return kept{}
	}
	return k
}

// change applies change to the content and writes the result. A failure loses only
// what was to be remembered.
func (m *memo) change(change func(*kept)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.read()
	change(&k)
	b, err := json.Marshal(k)
	if err != nil {
		return
	}
	t, err := os.CreateTemp(filepath.Dir(m.path), "tmp-*") // 0600
	if err != nil {
		return
	}
	_, err = t.Write(b)
	if e := t.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(t.Name(), m.path+".json")
	}
	if err != nil {
		_ = os.Remove(t.Name())
	}
}

// Load and Save make it the Memory of a bridge.
func (m *memo) Load() (bridge.Greeting, bool) {
	k := m.read()
	if k.Greeting == nil {
		return bridge.Greeting{}, false
	}
	return *k.Greeting, true
}

func (m *memo) Save(g bridge.Greeting) { m.change(func(k *kept) { k.Greeting = &g }) }

// brake is how long no second browser is opened for the same generation of a login,
// even after a restart.
const brake = 10 * time.Minute

// mayOpen reports whether a browser may be opened for a generation of the login, and
// remembers the opening.
func (m *memo) mayOpen(g states.Generation) bool {
	ok := false
	m.change(func(k *kept) {
		now := time.Now()
		since := now.Sub(k.Opened)
		if ok = k.Opened.IsZero() || k.Generation != g || since > brake || since < 0; ok {
			k.Opened, k.Generation = now, g
		}
	})
	return ok
}

// takeOver looks once for a login of mcp-remote. It takes the login over if the files or
// the user name the issuer of the tokens. Otherwise it leaves the login alone, because
// the tokens must not go to an issuer that only the server names.
func (g *gate) takeOver(c *client) {
	if g.memo.read().Looked {
		return
	}
	theirs, err := g.f.theirs(g.server)
	if err != nil {
		return
	}
	file, err := findTokens(g.a, "", theirs)
	if err != nil {
		return // there is none
	}
	g.memo.change(func(k *kept) { k.Looked = true })
	t, issuer, err := g.f.fromMCPRemote(file)
	if err == nil && issuer == "" {
		g.note("mcp-remote has a login for this server, but its files do not name the issuer. It stays in quarantine: nothing of it is sent. To use it: stile store import " + g.server + " --issuer ISSUER. See " + entryAt("bridge-mcp-remote"))
		return
	}
	if err == nil {
		err = g.f.bind(g.ctx, t, c.server, issuer)
	}
	if err == nil {
		err = g.f.putToken(g.ctx, c.store, c.server, t, false)
	}
	if err != nil {
		g.note("The login of mcp-remote was not taken over: " + inWords(err) + ". See " + entryAt("bridge-mcp-remote"))
		return
	}
	g.note("The login of mcp-remote was taken over. Stop using mcp-remote for this server.")
}

// theirs is the login under the name that mcp-remote gives it when it is started with
// the same flags.
func (f *bridgeFlags) theirs(server string) (remoteLogin, error) {
	r := remoteLogin{server: server, resource: f.resource, cimd: f.cimd, parameters: map[string]string{}, header: map[string]string{}}
	added, err := f.addedParameters()
	if err != nil {
		return r, err
	}
	for _, p := range added {
		r.parameters[p.Name] = p.Value
	}
	for _, h := range f.sent {
		r.header[h[0]] = h[1]
	}
	return r, nil
}

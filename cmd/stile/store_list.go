package main

import (
	"context"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// entryView is an entry as it is shown, always without secrets.
type entryView struct {
	states.Key
	Expires string         `json:"expires,omitempty"`
	Problem string         `json:"problem,omitempty"`
	About   string         `json:"about,omitempty"`
	Record  jsontext.Value `json:"record,omitempty"`
}

// view reads an entry for showing. whole adds its record, with secrets masked.
func view(ctx context.Context, st storage.Store, k states.Key, whole bool) (entryView, error) {
	v := entryView{Key: k}
	e, err := st.Get(ctx, k)
	var unreadable *storage.UnreadableError
	switch {
	case errors.Is(err, storage.ErrNotFound):
		v.Problem = "removed meanwhile"
		return v, nil
	case errors.As(err, &unreadable):
		v.Problem = "cannot be read: " + unreadable.Err.Error()
		return v, nil
	case err != nil:
		return v, storeFailed(err)
	}
	v.Expires = stamp(e.Expires)
	record, about, problem := describeRecord(k, wire.Secret(e.Value), e.Generation)
	v.About, v.Problem = about, problem
	if whole && record != nil {
		// Secrets mask themselves in every encoder by default.
		b, err := json.Marshal(record, json.Deterministic(true), jsontext.Multiline(true), jsontext.WithIndent("  "))
		if err != nil {
			return v, err
		}
		v.Record = b
	}
	return v, nil
}

// describeRecord decodes a record and says in a few words what it is. It leaves
// out members that this release does not know, because they may be secrets.
func describeRecord(k states.Key, value wire.Secret, g states.Generation) (record any, about, problem string) {
	switch k.Kind {
	case states.KindCredential:
		c, err := states.DecodeCredential(value)
		if errors.Is(err, states.ErrRecordUnbound) {
			return nil, "", "not bound to an issuer: nothing of it is sent anywhere (stile store bind)"
		}
		if err != nil {
			return nil, "", err.Error()
		}
		c.Unknown = nil
		about := "no login"
		if t := c.Current; t != nil {
			about = "scopes " + strings.Join(t.Granted, " ") + ", from " + t.Server.Issuer
		}
		if n := len(c.Superseded); n > 0 {
			about += ", " + plural(n, "older grant") + " to revoke"
		}
		if c.Intent != nil {
			about += ", a refresh is under way or was interrupted"
		}
		return c, about, ""
	case states.KindRegistration:
		r, err := states.DecodeRegistration(value)
		if err != nil {
			return nil, "", err.Error()
		}
		r.Unknown = nil
		return r, "client " + r.Client.ID, ""
	case states.KindLogin:
		if l, err := states.DecodeDeviceLogin(value); err == nil {
			return l, "a login at " + l.Flow.Server.Issuer + " that waits for its user at another device", ""
		}
		l, err := states.DecodeLogin(value, g)
		if err != nil {
			return nil, "", err.Error()
		}
		return l, "a login to " + l.Config.Server + " that waits for the browser", ""
	case states.KindMark:
		var m states.Mark
		if err := states.Decode(value, &m); err != nil {
			return nil, "", err.Error()
		}
		return m, "a login under way, by " + m.Holder + " since " + stamp(m.Since), ""
	case states.KindProofKey:
		return struct{}{}, "the key that its tokens are bound to", ""
	case states.KindLedger:
		l := states.DecodeLedger(value)
		return l, plural(len(l.Attempts), "attempt") + " to get more scopes", ""
	}
	return nil, "this release does not know this kind of entry", ""
}

func newStoreList(a *app) *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is stored",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.showEntries(c.Context(), a, nil, false)
		},
	}
	f.add(c)
	return c
}

func newStoreShow(a *app) *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use:   "show [URL|ISSUER]",
		Short: "Show whole entries, with secrets masked",
		Args:  takes("[URL]"),
		RunE: func(c *cobra.Command, given []string) error {
			return f.showEntries(c.Context(), a, given, true)
		},
	}
	f.add(c)
	return c
}

func (f *entryFlags) showEntries(ctx context.Context, a *app, of []string, whole bool) error {
	st, closing, err := f.openExisting(ctx, a)
	if err != nil {
		return f.nothingThere(a, err, []entryView{})
	}
	defer func() { _ = closing() }()
	keys, bad := f.keys(ctx, st, of)
	if bad != nil && keys == nil {
		return bad
	}
	views := []entryView{}
	for _, k := range keys {
		v, err := view(ctx, st, k, whole)
		if err != nil {
			return err
		}
		views = append(views, v)
	}
	return errors.Join(a.result(views, func() {
		p := paint(a.colours(a.out))
		for _, v := range views {
			a.say("%s  %s\n", p.bold(string(v.Kind)), strings.TrimPrefix(v.Key.String(), string(v.Kind)+" of "))
			if v.About != "" {
				a.say("  %s\n", v.About)
			}
			if v.Problem != "" {
				a.say("  %s\n", p.red(v.Problem))
			}
			if v.Expires != "" {
				a.say("  until %s\n", v.Expires)
			}
			if whole && v.Record != nil {
				a.block("  " + strings.ReplaceAll(string(v.Record), "\n", "\n  "))
			}
		}
		if len(views) == 0 {
			a.say("Nothing is stored.\n")
		}
	}), bad)
}

package httpdriver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Signer signs with a private key that is kept elsewhere. Package httpdriver/keys has
// one for keys in files and for every crypto.Signer; a host may have its own, for a key
// management service.
type Signer interface {
	// Sign signs text with the key of that name and returns the signature in the format of
	// JWA (RFC 7518 §3). text is the encoded header and claims of a JWS (RFC 7515 §5.1).
	// Sign must return when ctx ends.
	Sign(ctx context.Context, key, alg string, text []byte) ([]byte, error)
}

// abouter is a Signer with one key that says what the machine must know about the key.
type abouter interface{ About() states.SigningKey }

// sign carries out a Sign. A login that is no longer wanted signs nothing; a refresh
// under way is finished.
func (r *run) sign(q states.Sign) states.Input {
	d := r.s.d
	if p := r.s.prover.Load(); p != nil && q.Key == p.key.Name {
		ctx, cancel := r.beforeSending(q.Timeout)
		defer cancel()
		jws, err := p.sign(ctx, q.Header, q.Claims)
		if err != nil {
			d.log.Warn("the key could not be used", "key", q.Key, "err", err)
			return states.Unsigned{Serial: q.Serial, Detail: err.Error()}
		}
		return states.Signed{Serial: q.Serial, JWS: wire.Secret(jws)}
	}
	if d.o.Signer == nil {
		return states.Unsigned{Serial: q.Serial, Detail: "no key is configured"}
	}
	ctx, cancel := r.beforeSending(q.Timeout)
	defer cancel()
	var header struct {
		Alg string `json:"alg"`
	}
	if err := json.Unmarshal([]byte(q.Header), &header); err != nil {
		return states.Unsigned{Serial: q.Serial, Detail: "the header cannot be read"}
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(q.Header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(q.Claims))
	var sig []byte
	err := contain("Options.Signer", func() (err error) {
		sig, err = d.o.Signer.Sign(ctx, q.Key, header.Alg, []byte(text))
		return err
	})
	if err == nil && len(sig) == 0 {
		err = errors.New("the signature is empty")
	}
	if err != nil {
		d.log.Warn("the key could not be used", "key", q.Key, "err", err)
		return states.Unsigned{Serial: q.Serial, Detail: err.Error()}
	}
	return states.Signed{Serial: q.Serial, JWS: wire.Secret(text + "." + base64.RawURLEncoding.EncodeToString(sig))}
}

// beforeSending limits the time for the work before a request. A login that nobody wants
// any more asks for nothing.
func (r *run) beforeSending(most time.Duration) (context.Context, context.CancelFunc) {
	parent := context.Background()
	if r.m.Data.Flow != nil {
		parent = r.queueing
	}
	return context.WithTimeout(parent, most)
}

// assert carries out an Assert.
func (r *run) assert(q states.Assert) states.Input {
	if q.Provider != "" {
		return r.identify(q)
	}
	d := r.s.d
	if d.o.Workload == nil {
		return states.Unsigned{Serial: q.Serial, Detail: "no source of assertions is configured"}
	}
	ctx, cancel := r.beforeSending(q.Timeout)
	defer cancel()
	var jwt string
	err := contain("Options.Workload", func() (err error) {
		jwt, err = d.o.Workload(ctx, r.s.account, q.Audiences)
		return err
	})
	if err == nil && jwt == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		d.log.Warn("the platform gave no assertion", "err", err)
		return states.Unsigned{Serial: q.Serial, Detail: err.Error()}
	}
	return states.Signed{Serial: q.Serial, JWS: wire.Secret(jwt)}
}

// show has the host show a code to the user. With a host that never blocks, those who
// wait get the code as an error; the run waits for the user without them.
func (r *run) show(s states.Show) {
	if r.shown == s.UserCode {
		return
	}
	r.shown = s.UserCode
	d := r.s.d
	if d.showsLinks {
		need := &LoginRequiredError{URL: s.URL, Issuer: s.Issuer, Expires: s.Deadline, Code: s.UserCode.Reveal()}
		if s.Complete != "" {
			need.URL = s.Complete
		}
		r.hand(&outcome{err: need, requested: r.requested()})
	}
	if d.o.Show == nil && !d.showsLinks {
		d.log.Warn("a code is to be shown to the user, and nobody shows it: Options.Show is not set", "issuer", r.masked(s.Issuer))
		return
	}
	if d.o.Show != nil {
		_ = contain("Options.Show", func() error { d.o.Show(r.s.account, s); return nil })
	}
}

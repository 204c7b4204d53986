package audit

import (
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

const minRSA = 256

func judgeASMJWKS(j *judgement) {
	n := 0
	for _, x := range j.e.legs(LegJWKS) {
		n++
		if x.status() != 200 {
			f := j.fail(x, "the key set cannot be read").differ("200", fmt.Sprint(x.status()))
			f.Rules, f.Severity = []rules.ID{rules.ASMJWKSHTTPS, rules.RSIntrospectDown}, Medium
			continue
		}
		obj, err := wire.ParseObject(x.Response.Body)
		if err != nil {
			j.fail(x, "the key set is no JSON object: "+err.Error()).Severity = Medium
			continue
		}
		keys, ok := objects(obj, "keys")
		if !ok {
			j.fail(x, "the key set has no array called keys").Severity = Medium
			continue
		}
		if len(keys) == 0 {
			j.end(Fact, "the key set is empty: no token that is a JWT can be verified")
		}
		judgeKeys(j, x, keys)
	}
	if n == 0 {
		j.end(NotApplicable, "no issuer publishes keys")
	}
}

func judgeKeys(j *judgement, x *Exchange, keys []wire.Object) {
	var kids []string
	for i, k := range keys {
		kid, _, _ := k.String("kid")
		name := fmt.Sprintf("key %d", i+1)
		if kid != "" {
			name += " (" + wire.Clean(kid, 60) + ")"
		}
		kty, _, _ := k.String("kty")
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, has := k.Raw(private); has {
				j.fail(x, name+" is published with its private part "+private)
				break
			}
		}
		if slices.Contains(kids, kid) {
			j.fail(x, name+": the same kid stands at two keys").Severity = Medium
		}
		kids = append(kids, kid)
		if n, _, ok := k.String("n"); ok && kty == "RSA" {
			if raw, err := base64.RawURLEncoding.DecodeString(n); err == nil && len(raw) < minRSA {
				j.fail(x, fmt.Sprintf("%s is an RSA key of %d bits", name, len(raw)*8)).Severity = High
			}
		}
	}
}

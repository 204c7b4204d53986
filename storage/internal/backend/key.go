// Package backend holds what every backend of storage.Store needs: the bytes
// and names that stand for keys, the order of lists, and what an expiry means.
package backend

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states"
)

// keyHead begins every encoded key. The number is that of the encoding.
const keyHead = "stile.key.1:"

// EncodeKey gives the bytes that stand for a key: the parts in order, each with
// its length before it, so that two different keys never give the same bytes,
// whatever the parts hold (store-key-tuple). The encoding must never change:
// stores keep it, and package sealed binds ciphertexts to it.
func EncodeKey(k states.Key) []byte {
	var b []byte
	b = append(b, keyHead...)
	for _, p := range [...]string{string(k.Kind), k.Tenant, k.Subject, k.Account, k.Name} {
		b = appendPart(b, p)
	}
	return b
}

// encodeOwner gives the bytes that stand for a tenant and subject.
func encodeOwner(tenant, subject string) []byte {
	return appendPart(appendPart([]byte("stile.owner.1:"), tenant), subject)
}

func appendPart(b []byte, p string) []byte {
	b = strconv.AppendInt(b, int64(len(p)), 10)
	b = append(b, ':')
	b = append(b, p...)
	return append(b, ',')
}

var errKeyForm = errors.New("not an encoded key")

// DecodeKey is the inverse of EncodeKey. It accepts only what EncodeKey gives.
func DecodeKey(b []byte) (states.Key, error) {
	rest, ok := strings.CutPrefix(string(b), keyHead)
	if !ok {
		return states.Key{}, errKeyForm
	}
	var parts [5]string
	for i := range parts {
		n, tail, _ := strings.Cut(rest, ":")
		size, _ := strconv.Atoi(n) // 0 if n is not a number: the comparison then fails
		if size < 0 || strconv.Itoa(size) != n || len(tail) <= size || tail[size] != ',' {
			return states.Key{}, errKeyForm
		}
		parts[i], rest = tail[:size], tail[size+1:]
	}
	if rest != "" {
		return states.Key{}, errKeyForm
	}
	return states.Key{Kind: states.Kind(parts[0]), Tenant: parts[1], Subject: parts[2], Account: parts[3], Name: parts[4]}, nil
}

// KeyID is the SHA-256 of the encoded key in hex: a name of fixed length for
// backends whose own names are limited in length or in letters.
func KeyID(k states.Key) string { return hexSum(EncodeKey(k)) }

// OwnerID is the SHA-256, in hex, of the bytes that stand for a tenant and
// subject.
func OwnerID(tenant, subject string) string { return hexSum(encodeOwner(tenant, subject)) }

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// SortKeys puts keys into the order of EncodeKey, in which List answers.
func SortKeys(keys []states.Key) {
	type encoded struct {
		by  string
		key states.Key
	}
	all := make([]encoded, len(keys))
	for i, k := range keys {
		all[i] = encoded{string(EncodeKey(k)), k}
	}
	slices.SortFunc(all, func(a, b encoded) int { return strings.Compare(a.by, b.by) })
	for i := range all {
		keys[i] = all[i].key
	}
}

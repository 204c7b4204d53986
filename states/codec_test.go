package states

import "testing"

// TestEncodeUnknown: members of a newer writer are carried along.
func TestEncodeUnknown(t *testing.T) {
	const text = `{"version":1,"superseded":[],"later":{"a":[1,2]},"more":"x"}`
	c, err := DecodeCredential(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Encode(c)
	if err != nil || got.Reveal() != `{"version":1,"later":{"a":[1,2]},"more":"x"}` {
		t.Errorf("%s, %v", got.Reveal(), err)
	}
}

// TestEncodeRefusesBadText: what is not UTF-8 has no record.
func TestEncodeRefusesBadText(t *testing.T) {
	if _, err := Encode(&Mark{Version: 1, Holder: "a\xff"}); err == nil {
		t.Error("a record was written that nobody can read")
	}
}

package trace

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/wire"
)

func writeFields(b *strings.Builder, fs wire.Fields, sep string) {
	for _, f := range fs {
		b.WriteString(clean(f.Name) + sep + wire.Clean(f.Value, maxShown) + "\n")
	}
}

// pretty indents a JSON text; any other text stays as it is.
func pretty(s string) string {
	v := jsontext.Value(s)
	if v.Indent(jsontext.WithIndent("  ")) != nil {
		return s
	}
	return string(v)
}

// addressText shows an address with one parameter on a line.
func addressText(u string) string {
	base, query, has := strings.Cut(u, "?")
	if !has {
		return u
	}
	var b strings.Builder
	b.WriteString(base + "\n")
	fs, _ := wire.DecodeForm(query)
	writeFields(&b, fs, " = ")
	return b.String()
}

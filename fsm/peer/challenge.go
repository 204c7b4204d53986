package peer

import "strings"

// refuse is a refusal with its challenge. The body repeats it for readers.
func refuse(status int, code string, need []string, prm string) *reply {
	r := &reply{status: status}
	r.doc.put("error", code)
	if code == "" {
		r.doc.put("error", "unauthorized")
	}
	r.doc.add("scope", strings.Join(need, " "))
	r.set("WWW-Authenticate", challenge(code, need, prm))
	noStore(r)
	return r
}

// challenge writes a Bearer challenge (RFC 6750 §3, RFC 9728 §5.1).
func challenge(code string, need []string, prm string) string {
	var params []string
	add := func(name, v string) {
		if v != "" {
			v = strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), `"`, `\"`)
			params = append(params, name+`="`+v+`"`)
		}
	}
	add("error", code)
	add("scope", strings.Join(need, " "))
	add("resource_metadata", prm)
	if len(params) == 0 {
		add("realm", "mcp")
	}
	return "Bearer " + strings.Join(params, ", ")
}

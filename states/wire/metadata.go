package wire

import (
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// docRules names the rules that apply to one kind of metadata document.
type docRules struct {
	missing, denied, status, contentType, object, strict rules.ID
}

// metadataBody judges what all metadata documents have in common: status,
// media type and JSON. Its problems never refuse: another address of the same
// probe may still hold a document.
func metadataBody(r Response, doc docRules) (Object, []Finding, *Problem) {
	switch {
	case r.Status == 200:
	case r.Status >= 300 && r.Status < 400:
		return nil, nil, &Problem{Rule: rules.NetRedirectGet, Detail: statusDetail(r) + ", a redirect that is not followed"}
	case r.Status == 404 || r.Status == 405 || r.Status == 410:
		return nil, nil, &Problem{Rule: doc.missing, Detail: statusDetail(r)}
	case r.Status == 401 || r.Status == 403:
		return nil, nil, &Problem{Rule: doc.denied, Detail: statusDetail(r)}
	default:
		return nil, nil, &Problem{Rule: doc.status, Detail: statusDetail(r)}
	}
	if r.Oversized {
		return nil, nil, &Problem{Rule: rules.NetSizeLimit, Detail: "document is longer than the limit"}
	}
	media := mediaType(r)
	obj, fault := parseObject(r.Body)
	if fault != nil {
		if looksLikeHTML(r.Body) {
			return nil, nil, &Problem{Rule: doc.contentType, Detail: "an HTML page in place of JSON"}
		}
		rule := doc.strict
		if fault.NotObject || fault.Empty {
			rule = doc.object
		}
		return nil, nil, &Problem{Rule: rule, Detail: fault.Error()}
	}
	if media != "application/json" {
		return obj, []Finding{{Rule: doc.contentType, Detail: "Content-Type is " + quoted(media)}}, nil
	}
	return obj, nil, nil
}

func statusDetail(r Response) string { return "HTTP status " + strconv.Itoa(r.Status) }

// header returns the first value of a header, without allocating.
func header(fs Fields, name string) (string, bool) {
	for i := range fs {
		if strings.EqualFold(fs[i].Name, name) {
			return fs[i].Value, true
		}
	}
	return "", false
}

// mediaType is the Content-Type of a response without its parameters, in lower
// case; "" if there is none.
func mediaType(r Response) string {
	v, _ := header(r.Header, "Content-Type")
	v, _, _ = strings.Cut(v, ";")
	return strings.ToLower(strings.TrimSpace(v))
}

// looksLikeHTML reports whether a body begins like a page.
func looksLikeHTML(b []byte) bool {
	i := skipSpace(b, 0)
	return i < len(b) && b[i] == '<'
}

// GetMetadata builds the request for a metadata document: GET, no credentials
// (rules prm-get, prm-no-credentials-sent, asm-no-credentials-sent). The MCP
// revision is sent if protocolVersion is not empty (asm-protocol-version-header).
//
// Rules: prm-get, prm-no-credentials-sent, asm-no-credentials-sent,
// asm-protocol-version-header.
func GetMetadata(url, protocolVersion string) Request {
	h := make(Fields, 1, 2)
	h[0] = Field{Name: "Accept", Value: "application/json"}
	if protocolVersion != "" {
		h = append(h, Field{Name: "MCP-Protocol-Version", Value: protocolVersion})
	}
	return Request{Method: "GET", URL: url, Header: h}
}

// note appends a finding.
func note(fs *[]Finding, rule rules.ID, detail string) {
	*fs = append(*fs, Finding{Rule: rule, Detail: detail})
}

// listMember reads a member that should be an array of strings. Anything else reads as
// absent. An empty array is kept, with a finding.
func listMember(raw []byte, name string, emptyRule, typeRule rules.ID, fs *[]Finding) []string {
	if isNull(raw) {
		note(fs, emptyRule, name+" is null")
		return nil
	}
	list, ok := rawStrings(raw)
	switch {
	case !ok:
		note(fs, typeRule, name+" is not an array of strings")
	case len(list) == 0:
		note(fs, emptyRule, name+" is an empty array")
	}
	return list
}

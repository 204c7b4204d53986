package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states/wire"
)

// harFile is the part of a HAR 1.2 file that is read.
type harFile struct {
	Log struct {
		Version string `json:"version"`
		Creator struct {
			Name string `json:"name"`
		} `json:"creator"`
		Entries []harEntry `json:"entries"`
	} `json:"log"`
}

type harEntry struct {
	Started string  `json:"startedDateTime"`
	Time    float64 `json:"time"` // milliseconds
	Request struct {
		Method   string    `json:"method"`
		URL      string    `json:"url"`
		Headers  []harPair `json:"headers"`
		PostData *struct {
			MimeType string    `json:"mimeType"`
			Text     string    `json:"text"`
			Params   []harPair `json:"params"`
		} `json:"postData"`
	} `json:"request"`
	Response struct {
		Status  int       `json:"status"`
		Headers []harPair `json:"headers"`
		Content struct {
			MimeType string `json:"mimeType"`
			Text     string `json:"text"`
			Encoding string `json:"encoding"`
		} `json:"content"`
	} `json:"response"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// The bounds of a recording.
const (
	MaxRecording = 256 << 20 // bytes of a file; a longer one is refused
	maxExchanges = 100_000
	maxHARBody   = 1 << 20
)

// ParseHAR reads a HAR 1.2 file, as browsers, proxies and debuggers write it, into
// evidence without usable secrets (Redact, with the key).
func ParseHAR(b, key []byte) (Evidence, error) {
	var f harFile
	if err := json.Unmarshal(b, &f, json.MatchCaseInsensitiveNames(false)); err != nil {
		return Evidence{}, fmt.Errorf("this is no HAR file: %w", err)
	}
	switch {
	case f.Log.Version != "" && !strings.HasPrefix(f.Log.Version, "1."):
		return Evidence{}, fmt.Errorf("a HAR file of version %s; 1.1 and 1.2 are read", wire.Clean(f.Log.Version, 20))
	case len(f.Log.Entries) == 0:
		return Evidence{}, errors.New("the HAR file has no entries")
	case len(f.Log.Entries) > maxExchanges:
		return Evidence{}, fmt.Errorf("the HAR file has %d entries; %d are read at most", len(f.Log.Entries), maxExchanges)
	}
	e := Evidence{Source: FromHAR}
	var first time.Time
	bearer := false
	for _, entry := range f.Log.Entries {
		x, at := entry.exchange()
		if first.IsZero() {
			first = at
		}
		if x.At = at.Sub(first); at.IsZero() || x.At < 0 {
			x.At = 0
		}
		bearer = bearer || len(x.sent("Authorization")) > 0
		e.Exchanges = append(e.Exchanges, x)
	}
	live := Redact(&e, key)
	e.Live = live
	e.classify()
	if !bearer {
		e.Notes = append(e.Notes, "no request of the file has an Authorization header: what wrote it may have left them out, as browsers do by default")
		e.NoAuthorization = true
	}
	return e, nil
}

func (entry harEntry) exchange() (Exchange, time.Time) {
	at, _ := time.Parse(time.RFC3339Nano, entry.Started)
	x := Exchange{Request: wire.Request{Method: entry.Request.Method, URL: entry.Request.URL, Header: pairs(entry.Request.Headers)}}
	if entry.Time > 0 && entry.Time < 1e9 {
		x.Took = time.Duration(entry.Time * float64(time.Millisecond))
	}
	if p := entry.Request.PostData; p != nil {
		if len(x.sent("Content-Type")) == 0 && p.MimeType != "" {
			x.Request.Header = append(x.Request.Header, wire.Field{Name: "Content-Type", Value: p.MimeType})
		}
		x.Request.Body = []byte(p.Text)
		if p.Text == "" && len(p.Params) > 0 {
			x.Request.Form = pairs(p.Params)
		}
	}
	if s := entry.Response.Status; s < 100 || s > 999 {
		x.Failure = "no answer is recorded"
		return x, at
	}
	body := []byte(entry.Response.Content.Text)
	if entry.Response.Content.Encoding == "base64" {
		if raw, err := base64.StdEncoding.DecodeString(entry.Response.Content.Text); err == nil {
			body = raw
		}
	}
	resp := &wire.Response{Status: entry.Response.Status, Header: pairs(entry.Response.Headers), Body: body}
	if len(body) > maxHARBody {
		resp.Body, resp.Oversized = body[:maxHARBody], true
	}
	x.Response = resp
	if x.mediaType() == "" && entry.Response.Content.MimeType != "" {
		resp.Header = append(resp.Header, wire.Field{Name: "Content-Type", Value: entry.Response.Content.MimeType})
	}
	return x, at
}

// pairs reads a list of fields, without the pseudo header fields of HTTP/2.
func pairs(list []harPair) wire.Fields {
	var out wire.Fields
	for _, p := range list {
		if !strings.HasPrefix(p.Name, ":") {
			out = append(out, wire.Field{Name: p.Name, Value: p.Value})
		}
	}
	return out
}

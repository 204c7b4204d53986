package otelstile_test

import (
	"log"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/otelstile"
)

// Spans and metrics go to the global providers.
func Example() {
	o, err := otelstile.New(otelstile.Options{})
	if err != nil {
		log.Fatal(err)
	}
	d, err := httpdriver.New(httpdriver.Options{Observe: o.Observe})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = d.Close() }()
}

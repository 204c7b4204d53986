//go:build tools

// Package dex pins dex, an authorization server that make outside puts before
// our client.
package dex

import _ "github.com/dexidp/dex/cmd/dex"

package main

import (
	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver"
)

// newClientMetadata prints the document that --client-metadata of the other
// commands points to.
func newClientMetadata(a *app) *cobra.Command {
	var (
		p      httpdriver.Policy
		f      accountFlags
		output string
	)
	c := &cobra.Command{
		Use:   "client-metadata URL",
		Short: "Print the client ID metadata document to publish at an address",
		Long: `Prints the client ID metadata document of a client whose client id is URL. Publish
it at exactly that address, as application/json and without a redirect. Issuers that
read such documents then accept URL as a client id, without a registration.

With a key, the document contains the public half of the key and two methods of
authentication: private_key_jwt, and none for issuers that do not list the first. The
list of methods is from SEP-3149, a draft; an issuer that does not know it reads
private_key_jwt. --auth-method names one method only.`,
		Example: `  stile client-metadata https://app.example/client.json --client-name App \
    -o client.json
  stile login https://mcp.example/mcp \
    --client-metadata https://app.example/client.json`,
		Args: takes("URL"),
		RunE: func(_ *cobra.Command, given []string) error {
			p.CIMD, p.AuthMethod = given[0], f.authMethod
			key, err := f.key(a)
			if err != nil {
				return err
			}
			if key != nil {
				about := key.About()
				p.Key = &about
			}
			document, err := p.ClientDocument()
			if err != nil {
				return &failure{code: exitUsage, err: err, says: inWords(err)}
			}
			return a.emit(output, string(document)+"\n")
		},
	}
	fl := c.Flags()
	fl.StringArrayVar(&p.Redirects, "redirect-uri", []string{"http://127.0.0.1/callback"}, "a redirect `URI` of the client; a loopback URI without a port stands for any port (repeatable)")
	fl.StringVar(&p.ClientName, "client-name", "Stile", "the `NAME` that users see")
	fl.StringVar(&p.ClientURI, "client-uri", "", "the `URL` of the client's home page")
	fl.StringVar(&p.ClientProfile.Logo, "logo-uri", "", "the `URL` of its logo")
	fl.StringArrayVar(&p.ClientProfile.Contacts, "contact", nil, "a contact `ADDRESS` of the client (repeatable)")
	fl.StringVar(&p.ClientProfile.Terms, "tos-uri", "", "the `URL` of its terms of service")
	fl.StringVar(&p.ClientProfile.Policy, "policy-uri", "", "the `URL` of its privacy policy")
	fl.StringVar(&p.ClientProfile.SoftwareID, "software-id", "", "an `ID` of the program, the same for all its versions")
	fl.StringVar(&p.ClientProfile.SoftwareVersion, "software-version", "", "the `VERSION` of the program")
	fl.StringVar(&f.keyFile, "client-key-file", "", "the `FILE` that holds the private key of the client (PEM or JWK); - is standard input (default: STILE_CLIENT_KEY)")
	fl.StringVar(&f.keyID, "client-key-id", "", "the `KID` of the key, for issuers that require it (default: the kid of a JWK)")
	fl.StringVar(&f.keyAlg, "client-key-alg", "", "the `ALG` that the key signs with (default: the usual one for the key)")
	fl.StringVar(&f.authMethod, "auth-method", "", "the only `METHOD` to name: none or private_key_jwt (default: private_key_jwt and none with a key, else none)")
	fl.StringSliceVar(&p.Grants, "grants", nil, "the `GRANTS` to name (default: authorization_code and refresh_token)")
	fl.StringArrayVar(&p.Scopes, "scope", nil, "a `SCOPE` that the client may ask for (repeatable)")
	fl.StringVarP(&output, "output", "o", "", "the `FILE` to write (default: standard output)")
	return c
}

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
		output string
	)
	c := &cobra.Command{
		Use:   "client-metadata URL",
		Short: "Print the client ID metadata document to publish at an address",
		Long: `Prints the client ID metadata document of a client whose client id is URL. Publish
it at exactly that address, as application/json and without a redirect. Issuers that
read such documents then accept URL as a client id, without a registration.`,
		Example: `  stile client-metadata https://app.example/client.json --client-name App \
    -o client.json
  stile login https://mcp.example/mcp \
    --client-metadata https://app.example/client.json`,
		Args: takes("URL"),
		RunE: func(_ *cobra.Command, given []string) error {
			p.CIMD = given[0]
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
	fl.StringSliceVar(&p.Grants, "grants", nil, "the `GRANTS` to name (default: authorization_code and refresh_token)")
	fl.StringArrayVar(&p.Scopes, "scope", nil, "a `SCOPE` that the client may ask for (repeatable)")
	fl.StringVarP(&output, "output", "o", "", "the `FILE` to write (default: standard output)")
	return c
}

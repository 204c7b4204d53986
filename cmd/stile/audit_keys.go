package main

import (
	"github.com/spf13/pflag"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states/wire"
)

// auditKeys are the flags for what an audit signs or authenticates with, besides the
// logins: a client that acts for itself, and issuers of assertions.
type auditKeys struct {
	ccClient, ccSecretFile, ccKeyFile string
	idp, idpKeyFile, idpSubject       string
	workload, workloadKeyFile         string
	workloadSubject                   string
}

func (k *auditKeys) register(fl *pflag.FlagSet) {
	fl.StringVar(&k.ccClient, "cc-client", "", "with --login: a client that may use client_credentials; it asks for tokens rightly and wrongly")
	fl.StringVar(&k.ccSecretFile, "cc-secret-file", "", "the `FILE` that holds the secret of --cc-client; - is standard input (default: STILE_CC_SECRET)")
	fl.StringVar(&k.ccKeyFile, "cc-key-file", "", "the `FILE` that holds the private key of --cc-client, as PEM or JWK (default: STILE_CC_KEY)")
	fl.StringVar(&k.idp, "idp", "", "with --login and --cc-client: a test identity provider that the issuer trusts; the client redeems ID-JAGs of it, good ones and wrong ones")
	fl.StringVar(&k.idpKeyFile, "idp-key-file", "", "the `FILE` that holds the private key of --idp")
	fl.StringVar(&k.idpSubject, "idp-subject", "stile-audit", "the user whom the ID-JAGs are about")
	fl.StringVar(&k.workload, "workload-issuer", "", "with --login: a test issuer of assertions about workloads that the issuer trusts; good ones and wrong ones are brought")
	fl.StringVar(&k.workloadKeyFile, "workload-key-file", "", "the `FILE` that holds the private key of --workload-issuer")
	fl.StringVar(&k.workloadSubject, "workload-subject", "stile-audit", "the workload that the assertions are about")
	needs(fl, "login", "cc-client", "idp", "workload-issuer")
	needs(fl, "cc-client", "cc-secret-file", "cc-key-file", "idp")
	needs(fl, "idp", "idp-key-file", "idp-subject")
	needs(fl, "idp-key-file", "idp")
	needs(fl, "workload-issuer", "workload-key-file", "workload-subject")
	needs(fl, "workload-key-file", "workload-issuer")
}

// read reads the files and puts what they hold into the options.
func (k *auditKeys) read(a *app, o *auditor.Options) error {
	if k.ccClient != "" {
		secret, err := secretOf(a, "--cc-secret-file", k.ccSecretFile, "STILE_CC_SECRET")
		if err != nil {
			return err
		}
		if o.CCKey, err = keyOf(a, "--cc-key-file", k.ccKeyFile, "STILE_CC_KEY"); err != nil {
			return err
		}
		if secret == "" && o.CCKey == nil {
			return usage("--cc-client needs its secret or its key: --cc-secret-file, --cc-key-file, STILE_CC_SECRET or STILE_CC_KEY")
		}
		o.Account.CCClient, o.Account.CCSecret = k.ccClient, secret
	}
	for _, i := range []struct {
		flag, file string
		key        *audit.Key
	}{{"--idp-key-file", k.idpKeyFile, &o.IdPKey}, {"--workload-key-file", k.workloadKeyFile, &o.WorkloadKey}} {
		var err error
		if *i.key, err = keyOf(a, i.flag, i.file, ""); err != nil {
			return err
		}
	}
	o.Account.IdP, o.Account.IdPSubject = k.idp, k.idpSubject
	o.Account.Workload, o.Account.WorkloadSubject = k.workload, k.workloadSubject
	return nil
}

// secretOf is what a file holds, or else a variable of the environment.
func secretOf(a *app, flag, file, variable string) (wire.Secret, error) {
	if file != "" {
		return readSecret(a, flag, file)
	}
	if variable == "" {
		return "", nil
	}
	return wire.Secret(a.getenv(variable)), nil
}

// keyOf is a private key from the same places; nil if there is none.
func keyOf(a *app, flag, file, variable string) (audit.Key, error) {
	text, err := secretOf(a, flag, file, variable)
	if err != nil || text == "" {
		return nil, err
	}
	k, err := keys.Parse([]byte(text.Reveal()), keys.Options{})
	if err != nil {
		return nil, usage("%s: %w", flag, err)
	}
	return auditor.SignWith(k), nil
}

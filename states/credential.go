package states

// How the credential is handed out and written.

// grant hands out the current token.
func grant(d *Data) Grant { return grantOf(d, d.Token()) }

func grantOf(d *Data, t *Token) Grant {
	return Grant{
		Generation: t.Generation, AccessToken: t.AccessToken, Type: t.Type, Scopes: t.Granted,
		Expires: d.FreshUntil, Renew: d.Renewal(), Accepted: d.Accepted, Untried: t.Climbed != (Ladder{}),
		Thumbprint: t.Thumbprint, ClockOffset: d.ClockOffset,
	}
}

// saveObtained writes the new token over the entry, if the entry is as it was last seen.
func saveObtained(d *Data) []Effect {
	return []Effect{Save{
		Serial: d.Serial, Key: d.Config.CredentialKey(), Value: mustEncode(d.Next()),
		Expected: d.Entry, NotBefore: d.NotBefore,
	}}
}

// saveRecord writes the record as Classify has changed it.
func saveRecord(d *Data) Save {
	return Save{Serial: d.Serial, Key: d.Config.CredentialKey(), Value: mustEncode(d.Record), Expected: d.Entry}
}

// MaxSuperseded bounds how many old grants a record keeps for revocation.
const MaxSuperseded = 4

// Next is the record with the new token as its current grant. A grant of another issuer,
// or one that this login did not replace, is kept as superseded until it has been
// revoked.
func (d *Data) Next() *Credential {
	n := Credential{Version: RecordVersion}
	if d.Record != nil {
		n.Superseded, n.Unknown = d.Record.Superseded, d.Record.Unknown
		old := d.Record.Current
		if old != nil && d.Spent == "" && d.outlives(old) {
			kept := append([]Token{}, n.Superseded...)
			n.Superseded = append(kept, *old)
			if len(n.Superseded) > MaxSuperseded {
				n.Superseded = n.Superseded[len(n.Superseded)-MaxSuperseded:]
			}
		}
	}
	n.Current = d.Obtained
	return &n
}

// outlives reports whether a grant that a login replaces can still be used by anyone who
// has it, because it can be refreshed, or because it is of another issuer or client and has
// not expired.
func (d *Data) outlives(old *Token) bool {
	if old.RefreshToken != "" {
		return old.RefreshToken != d.Obtained.RefreshToken
	}
	return !old.SameClient(d.Obtained) && (old.Expires.IsZero() || d.At.Before(old.Expires))
}

// loadCredential asks for the stored credential.
func loadCredential(d *Data) []Effect {
	return []Effect{Load{Serial: d.Serial, Key: d.Config.CredentialKey()}}
}

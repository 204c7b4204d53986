package sqlbase

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/storage"
)

// schemaVersion is the version in the table stile_schema.
const schemaVersion = 1

// CheckVersion refuses a schema that this version does not know.
func CheckVersion(version int) error {
	if version != schemaVersion {
		return fmt.Errorf("the schema, of version %d, is %w; nothing was changed", version, storage.ErrFormat)
	}
	return nil
}

// Dialect completes the statements below.
type Dialect struct {
	Now     string // the database's clock in Unix milliseconds, read anew in each statement
	Number  string // a number that was never drawn before
	Greater string // the greater of two numbers
	Param   string // how a parameter is written, before its index
	// Notify, if not empty, is an expression that tells other processes that the
	// key of id ?1 has changed. The dialect must then allow writes in WITH.
	Notify string
}

type statements struct {
	get, putNew, putOver, putNewRelease, putOverRelease, release, releaseIfPut, remove, exists string
	lease, recount, watch, list, keys, entries, purge, purgeLeases                             string
}

const (
	live = `(expires IS NULL OR expires > {now})`
	// held is whether somebody holds the lease; watchers of a key wait for that to end.
	held   = `EXISTS (SELECT 1 FROM stile_lease WHERE id = ?1 AND ends > {now})`
	putNew = `INSERT INTO stile_entry (id, owner, key, value, generation, expires)
		VALUES (?1, ?2, ?3, ?4, {number}, ?5)
		ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, key = excluded.key, value = excluded.value,
			generation = excluded.generation, expires = excluded.expires
		WHERE stile_entry.expires IS NOT NULL AND stile_entry.expires <= {now}
		RETURNING generation`
	putOver = `UPDATE stile_entry SET value = ?3, generation = {number}, expires = ?4
		WHERE id = ?1 AND generation = ?2 AND ` + live + ` RETURNING generation`
	release = `UPDATE stile_lease SET ends = 0 WHERE id = ?1 AND fence = `
)

func (d Dialect) statements() statements {
	fill := strings.NewReplacer("{now}", d.Now, "{false}", "(1 = 0)", "{number}", d.Number, "{greater}", d.Greater, "?", d.Param).Replace
	s := statements{
		get:     fill(`SELECT value, generation, COALESCE(expires, 0), key, ` + held + ` FROM stile_entry WHERE id = ?1 AND ` + live),
		putNew:  fill(putNew),
		putOver: fill(putOver),
		remove:  fill(`DELETE FROM stile_entry WHERE id = ?1 AND generation = ?2 AND ` + live + ` RETURNING generation`),
		exists:  fill(`SELECT generation FROM stile_entry WHERE id = ?1 AND ` + live),
		// The fence of a key grows even if its number was drawn before that of an
		// earlier lease.
		lease: fill(`INSERT INTO stile_lease (id, fence, ends, ttl) VALUES (?1, {number}, {now} + ?2, ?2)
			ON CONFLICT (id) DO UPDATE SET fence = {greater}(stile_lease.fence + 1, excluded.fence), ends = {now} + ?2, ttl = ?2
			WHERE stile_lease.ends <= {now}
			RETURNING fence`),
		// A lease that has longer to run than it was given for was given before the
		// database's clock was put back: its time is counted again from now.
		recount: fill(`UPDATE stile_lease SET ends = {now} + ttl WHERE id = ?1 AND ttl > 0 AND ends - {now} > ttl RETURNING fence`),
		release: fill(release + `?2 RETURNING fence`),
		// In SQLite, changes() is what the put before it changed.
		releaseIfPut: fill(release + `?2 AND changes() > 0 RETURNING fence`),
		watch:        fill(`SELECT COALESCE((SELECT generation FROM stile_entry WHERE id = ?1 AND ` + live + `), 0), ` + held),
		list:         fill(`SELECT key FROM stile_entry WHERE owner = ?1 AND ` + live),
		keys:         fill(`SELECT key FROM stile_entry WHERE ` + live),
		entries:      fill(`SELECT value, generation, COALESCE(expires, 0), key, {false}, id FROM stile_entry WHERE owner = ?1 AND ` + live),
		purge:        fill(`DELETE FROM stile_entry WHERE id IN (SELECT id FROM stile_entry WHERE expires <= {now} LIMIT 1000)`),
		// A day after its end, nobody is still drawing a number for this lease.
		purgeLeases: fill(`DELETE FROM stile_lease WHERE id IN (SELECT id FROM stile_lease WHERE ends < {now} - 86400000 LIMIT 1000)`),
	}
	if d.Notify == "" {
		return s
	}
	// Each write announces itself in the same statement. A write under a lease is
	// announced when the lease is released.
	notify := fill(d.Notify)
	tell := func(write, more, what string) string {
		return `WITH done AS (` + write + `)` + more + ` SELECT *, ` + what + ` FROM done`
	}
	unlessHeld := `CASE WHEN NOT ` + fill(held) + ` THEN ` + notify + ` END`
	released := func(fence string) string {
		return `, released AS (` + fill(release+fence) + ` AND EXISTS (SELECT 1 FROM done))`
	}
	s.putNewRelease, s.putOverRelease = tell(s.putNew, released(`?6`), notify), tell(s.putOver, released(`?5`), notify)
	s.putNew, s.putOver, s.remove = tell(s.putNew, "", unlessHeld), tell(s.putOver, "", unlessHeld), tell(s.remove, "", unlessHeld)
	s.release = tell(s.release, "", notify)
	return s
}

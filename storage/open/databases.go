//go:build !stile_light

package open

import (
	"context"

	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/redisstore"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

func (s spec) openDatabase(ctx context.Context, o Options) (database, error) {
	switch s.kind {
	case "sqlite":
		return opened(sqlitestore.Open(ctx, s.rest))
	case "postgres":
		var opts []pgstore.Option
		if o.MaxConns > 0 {
			opts = append(opts, pgstore.MaxConns(o.MaxConns))
		}
		return opened(pgstore.Open(ctx, s.rest, opts...))
	default:
		var opts []redisstore.Option
		if o.RedisPrefix != "" {
			opts = append(opts, redisstore.Prefix(o.RedisPrefix))
		}
		return opened(redisstore.Open(ctx, s.rest, opts...))
	}
}

// opened keeps a nil pointer of a store out of the interface.
func opened[D database](d D, err error) (database, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

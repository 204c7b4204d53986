//go:build unix

package realservers

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	goredis "github.com/redis/go-redis/v9"
)

// supervise runs a program until the standard input ends, and then sends it a
// signal (INT is a "fast shutdown" for PostgreSQL, TERM an orderly end for
// Redis) and removes the server's directory. The shell does this even when this
// process no longer can.
func supervise(dir, signal, program string, args ...string) *exec.Cmd {
	const script = `d=$1 s=$2; shift 2; exec 3<&0; "$@" </dev/null 3<&- & p=$!
echo "$p" >"$d/pid"
(cat <&3; kill -"$s" "$p") >/dev/null 2>&1 &
exec 3<&-; wait "$p"; c=$?
[ "$c" = 0 ] && rm -rf "$d"
exit "$c"`
	return exec.Command("/bin/sh", append([]string{"-c", script, "sh", dir, signal, program}, args...)...)
}

// startPostgres makes a database cluster and serves it. PostgreSQL refuses to
// run as root; root runs it as the user "postgres".
func startPostgres() (url string, stop func(), err error) {
	if shared := os.Getenv(sharedPostgres); shared != "" {
		return databaseOn(shared)
	}
	return started(postgresProgram())
}

// Share starts one PostgreSQL server for all test programs that this process runs
// until stop: most of the time of a short test program is the making of its server.
// Each of them gets databases of its own. Without the program on this system, each
// test program says so itself.
func Share() (stop func(), err error) {
	url, stop, err := started(postgresProgram())
	if errors.Is(err, errMissing) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	return stop, os.Setenv(sharedPostgres, url)
}

func postgresProgram() (p program, err error) {
	bins := []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"}
	initdb, err := find("initdb", bins...)
	if err != nil {
		return p, err
	}
	server, err := find("postgres", bins...)
	if err != nil {
		return p, err
	}
	dir, err := os.MkdirTemp("", "stile-postgres-")
	if err != nil {
		return p, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	attr := &syscall.SysProcAttr{}
	var uid, gid int
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return p, fmt.Errorf("a user to run PostgreSQL as, which refuses root, %w: %w", errMissing, err)
		}
		if uid, err = strconv.Atoi(u.Uid); err != nil {
			return p, err
		}
		if gid, err = strconv.Atoi(u.Gid); err != nil {
			return p, err
		}
		if err := os.Chown(dir, uid, gid); err != nil {
			return p, err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	password := rand.Text()
	pwfile := filepath.Join(dir, "password")
	if err := os.WriteFile(pwfile, []byte(password+"\n"), 0o600); err != nil {
		return p, err
	}
	if attr.Credential != nil {
		if err := os.Chown(pwfile, uid, gid); err != nil {
			return p, err
		}
	}
	data := filepath.Join(dir, "data")
	as := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Dir = dir
		cmd.SysProcAttr = attr
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
		return cmd
	}
	init := as(exec.Command(initdb, "-D", data, "-U", "stile", "-A", "scram-sha-256", "--pwfile", pwfile,
		"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"))
	if out, err := init.CombinedOutput(); err != nil {
		return p, fmt.Errorf("initdb: %w\n%s", err, bytes.TrimSpace(out))
	}
	address := func(port int) string {
		return fmt.Sprintf("postgres://stile:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port)
	}
	return program{dir, address, func(port int) *exec.Cmd {
		// Nothing here outlives the system: no need to wait for the disk.
		return as(supervise(dir, "INT", server, "-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1",
			"-k", "", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=300"))
	}, func(port int) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c, err := pgx.Connect(ctx, address(port))
		if err != nil {
			return err
		}
		return c.Close(ctx)
	}}, nil
}

// started runs a program that was prepared.
func started(p program, err error) (url string, stop func(), _ error) {
	if err != nil {
		return "", nil, err
	}
	port, stop, err := run(p.dir, p.command, p.ready)
	if err != nil {
		_ = os.RemoveAll(p.dir)
		return "", nil, err
	}
	return p.url(port), stop, nil
}

func startRedis() (url string, stop func(), err error) {
	return redisServer("", ping)
}

// startCluster starts a cluster of one node that holds all slots: enough to
// refuse scripts and pipelines over keys of several slots.
func startCluster() (url string, stop func(), err error) {
	bus, err := freePort()
	if err != nil {
		return "", nil, err
	}
	conf := fmt.Sprintf("cluster-enabled yes\ncluster-port %d\ncluster-announce-ip 127.0.0.1\n", bus)
	url, stop, err = redisServer(conf, func(ctx context.Context, c *goredis.Client) error {
		_ = c.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err() // an error the second time
		info, err := c.ClusterInfo(ctx).Result()
		if err == nil && !strings.Contains(info, "cluster_state:ok") {
			err = fmt.Errorf("the cluster says %q", info)
		}
		return err
	})
	return strings.TrimSuffix(strings.Replace(url, "redis://", "redis+cluster://", 1), "/0"), stop, err
}

func redisServer(more string, ready func(context.Context, *goredis.Client) error) (url string, stop func(), err error) {
	return started(redisProgram("save \"\"\nappendonly no\n"+more, ready))
}

func redisProgram(more string, ready func(context.Context, *goredis.Client) error) (program, error) {
	server, err := find("redis-server")
	if err != nil {
		return program{}, err
	}
	dir, err := os.MkdirTemp("", "stile-redis-")
	if err != nil {
		return program{}, err
	}
	password := rand.Text()
	return program{dir, func(port int) string {
		return fmt.Sprintf("redis://:%s@127.0.0.1:%d/0", password, port)
	}, func(port int) *exec.Cmd {
		conf := filepath.Join(dir, "redis.conf") // not on the command line, where others see it
		text := fmt.Sprintf("bind 127.0.0.1\nport %d\nrequirepass %s\ndir %s\n%s", port, password, dir, more)
		_ = os.WriteFile(conf, []byte(text), 0o600)
		return supervise(dir, "TERM", server, conf)
	}, func(port int) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c := goredis.NewClient(&goredis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port), Password: password, MaxRetries: -1})
		defer c.Close()
		return ready(ctx, c)
	}}, nil
}

func ping(ctx context.Context, c *goredis.Client) error { return c.Ping(ctx).Err() }

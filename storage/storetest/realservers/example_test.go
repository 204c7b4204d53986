package realservers_test

import (
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

func TestMain(m *testing.M) {
	os.Exit(realservers.Main(m))
}

func TestSomething(t *testing.T) {
	options, err := redis.ParseURL(realservers.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(options)
	defer func() { _ = c.Close() }()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

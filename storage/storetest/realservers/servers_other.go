//go:build !unix

package realservers

import "fmt"

func startPostgres() (string, func(), error) {
	return "", nil, fmt.Errorf("PostgreSQL for tests %w on this system", errMissing)
}

func startRedis() (string, func(), error) {
	return "", nil, fmt.Errorf("Redis for tests %w on this system", errMissing)
}

func startCluster() (string, func(), error) { return startRedis() }

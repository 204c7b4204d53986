//go:build soak

package attack_test

import "testing"

// TestDamagedDatabaseLong is TestDamagedDatabase at every byte.
func TestDamagedDatabaseLong(t *testing.T) { damagedDatabase(t, 1) }

// TestRequestsOverDamageLong is TestRequestsOverDamage at every byte.
func TestRequestsOverDamageLong(t *testing.T) { requestsOverDamage(t, 1, 1) }

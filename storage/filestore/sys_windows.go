package filestore

import (
	"errors"
	"syscall"
)

// sharingViolation is ERROR_SHARING_VIOLATION or ERROR_LOCK_VIOLATION.
func sharingViolation(err error) bool {
	return errors.Is(err, syscall.Errno(32)) || errors.Is(err, syscall.Errno(33))
}

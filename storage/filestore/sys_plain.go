//go:build !unix && !windows

package filestore

func sharingViolation(error) bool { return false }

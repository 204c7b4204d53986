//go:build !stile_man

package main

import "github.com/spf13/cobra"

// pageWriters are the commands that write pages about the commands.
func pageWriters(a *app) []*cobra.Command { return []*cobra.Command{newDocs(a)} }

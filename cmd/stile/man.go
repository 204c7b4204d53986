//go:build stile_man

package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// pageWriters are the commands that write pages about the commands. Manual pages need
// a library of 250 kB, so only the build that writes them for a release has it.
func pageWriters(a *app) []*cobra.Command {
	return []*cobra.Command{newDocs(a), {
		Use:   "man DIR",
		Short: "Write the manual pages of the commands into DIR",
		Long:  "Writes a manual page for each command. The date in the pages is that of SOURCE_DATE_EPOCH.",
		Args:  takes("DIR"), Hidden: true,
		RunE: func(c *cobra.Command, given []string) error {
			c.Root().DisableAutoGenTag = true
			return doc.GenManTree(c.Root(), &doc.GenManHeader{Source: "Stile", Manual: "Stile"}, given[0])
		},
	}}
}

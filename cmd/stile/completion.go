package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states"
)

// shells are the shells with a completion script.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script for a shell",
		Long: `Prints a script that completes commands, flags and the addresses of servers that
you have logged in to. SHELL is bash, zsh, fish or powershell.

Bash needs the package bash-completion. Zsh needs compinit, and the file must be
in a directory of $fpath. The script takes effect in a new shell.`,
		Example: `  source <(stile completion bash)                  # this shell only
  stile completion bash > ~/.local/share/bash-completion/completions/stile
  stile completion zsh > "${fpath[1]}/_stile"
  stile completion fish > ~/.config/fish/completions/stile.fish
  stile completion powershell >> $PROFILE`,
		Args:      takes("SHELL"),
		ValidArgs: shells,
		RunE: func(c *cobra.Command, given []string) error {
			switch root := c.Root(); given[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			}
			return usage("%q is not one of %q", given[0], shells)
		},
	}
}

// completeServers makes the completion of every argument URL offer the servers
// that the store holds a login for.
func (a *app) completeServers(c *cobra.Command) {
	for _, sub := range c.Commands() {
		a.completeServers(sub)
	}
	if c.ValidArgsFunction == nil && c.Flags().Lookup("store") != nil && strings.Contains(c.Use, "URL") {
		c.ValidArgsFunction = a.knownServers
	}
}

func (a *app) knownServers(c *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var f storeFlags
	for flag, value := range map[string]*string{"store": &f.store, "store-key": &f.keySource, "key-file": &f.keyFile} {
		*value, _ = c.Flags().GetString(flag)
	}
	st, closing, err := f.openExisting(c.Context(), a)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer func() { _ = closing() }()
	keys, _ := allKeys(c.Context(), st, "", "", false)
	var servers []string
	for _, k := range keys {
		if k.Kind == states.KindCredential && !slices.Contains(servers, k.Name) {
			servers = append(servers, k.Name)
		}
	}
	return servers, cobra.ShellCompDirectiveNoFileComp
}

package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// generated is at the top of every page.
const generated = "<!-- Written by go run ./cmd/stile-docs. Change the code, not this page. -->\n\n"

const rulesIntro = `# The rules

What the authorization of MCP asks of each side, one row for each duty. Every
refusal of the machine, every row of [the table](table.md) and every finding of
the audit cites the id of such a row. A rule is *kept* where it
binds somebody whom this project plays, and the code that keeps it cites it: the client
(the machine, the driver, the stores, the command), the resource server
(package bearer), or the development servers. It is *judged* where it binds a peer
and the client looks whether it is kept. "kept in" names the functions, for a row of the table
the one that judges its state; "shown by" names a script or a test about it, which every kept
rule has. Rules under "not yet" are cited nowhere. What only names rules (faults, the audit's checks,
invariants, advice) keeps none.

- **level**: as the source has it. "house" marks a rule that no specification
  states; its clause then gives the reason: an advisory, an incident, or
  what it takes to work with others.
- **who** is bound: C the client, RS the MCP server as a resource server, AS the
  authorization server, IdP an identity provider of a company.
- **since**: R1 is MCP 2025-03-26, R2 2025-06-18, R3 2025-11-25, R4 2026-07-28.
- **clause**: the document and its section. "MCP 2026-07-28 authorization" is the
  authorization chapter of that revision of the specification; authorization
  server discovery, client registration and authorization security are its pages
  beside it. SEP-n is a proposal to MCP; a conformance check is one of the official
  conformance suite. OAuth 2.1 draft 13 is draft-ietf-oauth-v2-1-13; the drafts
  on client ID metadata documents are meant as -00, and on identity assertion
  grants as -03. A name with a number (python-sdk #1352) is a thread of that
  project. An observation is what deployed clients and servers were seen to do.
  **(?)** marks a section number that was not compared with the text; the row is
  then called *unchecked*.
- **on breach**: what the client does when the other side breaks the rule, in the
  words of [the decision tables](decision-tables.md#breach): REFUSE, NEXT, TOL, QUIRK,
  FB, SELF, AUDIT.

`

// rulesPage lists the registry by group: first the rules that are kept, with their
// places, then those that are not kept yet.
func rulesPage(cited, tests citations) []byte {
	var b bytes.Buffer
	b.WriteString(generated + rulesIntro)
	b.WriteString("| group | rules | kept | judged | not yet | unchecked |\n|---|--:|--:|--:|--:|--:|\n")
	var total [5]int
	for _, g := range rules.Groups() {
		kept, judged, open, unchecked := split(g.Number, cited)
		n := len(kept) + len(judged) + len(open)
		if n == 0 {
			continue
		}
		row := [5]int{n, len(kept), len(judged), len(open), unchecked}
		fmt.Fprintf(&b, "| [%d. %s](#group-%d) | %d | %d | %d | %d | %d |\n", g.Number, cell(g.Title), g.Number, row[0], row[1], row[2], row[3], row[4])
		for i := range total {
			total[i] += row[i]
		}
	}
	fmt.Fprintf(&b, "| all | %d | %d | %d | %d | %d |\n", total[0], total[1], total[2], total[3], total[4])
	for _, g := range rules.Groups() {
		kept, judged, open, _ := split(g.Number, cited)
		if len(kept)+len(judged)+len(open) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n<a id=\"group-%d\"></a>\n## %d. %s\n", g.Number, g.Number, cell(g.Title))
		if len(kept) > 0 {
			b.WriteString("\nKept:\n\n| rule | level | who | since | clause | requires | on breach | kept in | shown by |\n|---|---|---|---|---|---|---|---|---|\n")
			for _, r := range kept {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", ruleCell(r), levelCell(r), cell(r.Who), cell(r.Since),
					clauseCell(r), cell(r.Requires), cell(r.Breach), placesCell(cited.keeping(r)), testCell(tests.of(r.ID)))
			}
		}
		if len(judged) > 0 {
			b.WriteString("\nJudged: these bind a peer, and the client looks whether they are kept.\n\n| rule | level | who | since | clause | requires | on breach | judged in | shown by |\n|---|---|---|---|---|---|---|---|---|\n")
			for _, r := range judged {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", ruleCell(r), levelCell(r), cell(r.Who), cell(r.Since),
					clauseCell(r), cell(r.Requires), cell(r.Breach), placesCell(cited.of(r.ID)), testCell(tests.of(r.ID)))
			}
		}
		if len(open) > 0 {
			fmt.Fprintf(&b, "\n<details><summary>Not yet: %d</summary>\n\n| rule | level | who | since | clause | requires |\n|---|---|---|---|---|---|\n", len(open))
			for _, r := range open {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", ruleCell(r), levelCell(r), cell(r.Who), cell(r.Since), clauseCell(r), cell(r.Requires))
			}
			b.WriteString("\n</details>\n")
		}
	}
	return b.Bytes()
}

// testCell names the first test or script that names the rule.
func testCell(tests []place) string {
	if len(tests) == 0 {
		return ""
	}
	t := tests[0]
	if t.decl == "" {
		return fmt.Sprintf("[%s](../%s)", strings.TrimPrefix(t.file, "testdata/"), t.file)
	}
	return fmt.Sprintf("[`%s`](../%s)", t.decl, t.file)
}

// split divides the rules of a group into those that are kept, those that are judged,
// and the others. It also counts the unchecked ones.
func split(group int, cited citations) (kept, judged, open []rules.Rule, unchecked int) {
	for _, r := range rules.All() {
		switch {
		case r.Group != group:
			continue
		case len(cited.keeping(r)) > 0:
			kept = append(kept, r)
		case len(cited.of(r.ID)) > 0:
			judged = append(judged, r)
		default:
			open = append(open, r)
		}
		if r.Unchecked {
			unchecked++
		}
	}
	return kept, judged, open, unchecked
}

func ruleCell(r rules.Rule) string { return fmt.Sprintf("<a id=\"%s\"></a>`%s`", r.ID, r.ID) }

func levelCell(r rules.Rule) string {
	if r.House {
		return r.Level + " (house)"
	}
	return r.Level
}

func clauseCell(r rules.Rule) string {
	if r.Unchecked {
		return cell(r.Clause) + " *unchecked*"
	}
	return cell(r.Clause)
}

// placesCell lists the places by file, each with its declarations.
func placesCell(places []place) string {
	var files []string
	for i := 0; i < len(places); {
		file := places[i].file
		var decls []string
		for ; i < len(places) && places[i].file == file; i++ {
			decls = append(decls, "`"+places[i].decl+"`")
		}
		files = append(files, fmt.Sprintf("[%s](../%s) %s", file, file, strings.Join(slices.Compact(decls), ", ")))
	}
	return strings.Join(files, "<br>")
}

// tableRef is a citation of a row or a table of docs/decision-tables.md, which a
// page shows as a link.
var tableRef = regexp.MustCompile(`docs/(decision-tables\.md#t(\d+)([a-c]?)(?:-(\d+))?[a-z0-9-]*)`)

func linkTables(s string) string {
	return tableRef.ReplaceAllStringFunc(s, func(ref string) string {
		m := tableRef.FindStringSubmatch(ref)
		name := "T" + m[2] + m[3]
		if m[4] != "" && m[3] == "" {
			name += "." + m[4]
		}
		return "[" + name + "](" + m[1] + ")"
	})
}

// cell makes text safe inside a Markdown table. Code spans keep their content, so angle
// brackets are replaced only outside them.
func cell(s string) string {
	parts := strings.Split(s, "`")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], "|", `\|`)
		if i%2 == 0 || len(parts)%2 == 0 {
			parts[i] = strings.NewReplacer("<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`).Replace(parts[i])
		}
	}
	return linkTables(strings.Join(parts, "`"))
}

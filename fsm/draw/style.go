package draw

import (
	"fmt"
	"strings"
)

// style is the style sheet of the SVG. Its selectors begin with the class of the
// root, so that an SVG inside a page changes nothing around it. It uses no variables,
// because not every SVG renderer knows them.
func style() string {
	var b strings.Builder
	b.WriteString("<style>\n")
	for _, l := range []string{
		`text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:11px;fill:#1f2328}`,
		`.page{fill:#ffffff}`,
		`.title{font-size:17px;font-weight:bold}`,
		`.head{font-size:13px;font-weight:bold}`,
		`.foot{font-size:12px}`,
		`.card{fill:#ffffff;stroke-width:1.2}`,
		`.name{font-size:13px;font-weight:bold;fill:#ffffff}`,
		`.target{text-anchor:end;font-weight:bold}`,
		`.again text,.hold text{fill:#59636e}`,
		`.line{fill:none;stroke-width:1.3}`,
		`.box{fill:none;stroke-width:1}`,
		`.curve{visibility:hidden;pointer-events:none}`,
		`.lit .curve{visibility:visible}`,
		`.edge:hover .line{stroke-width:3}`,
	} {
		b.WriteString(".stile-draw " + l + "\n")
	}
	for i := range shades {
		fmt.Fprintf(&b, ".stile-draw .s%d{stroke:%s}.stile-draw .f%d{fill:%s}.stile-draw .b%d{fill:%s}\n", i, shades[i].light, i, shades[i].light, i, shades[i].light)
	}
	b.WriteString("@media (prefers-color-scheme: dark){\n")
	b.WriteString(".stile-draw text{fill:#e6edf3}.stile-draw .page{fill:#0d1117}.stile-draw .card{fill:#161b22}.stile-draw .again text,.stile-draw .hold text{fill:#9198a1}.stile-draw .name{fill:#ffffff}\n")
	for i := range shades {
		fmt.Fprintf(&b, ".stile-draw .s%d{stroke:%s}.stile-draw .f%d{fill:%s}\n", i, shades[i].dark, i, shades[i].dark)
	}
	b.WriteString("}\n")
	// What is lit, and what is dimmed.
	b.WriteString(`.stile-draw.path .edge,.stile-draw.path .state,.stile-draw.path .label,.stile-draw.path .hold{opacity:.35}
.stile-draw.path .lit{opacity:1}
.stile-draw .lit .line{stroke:#e8590c;stroke-width:3}
.stile-draw .lit .tip{fill:#e8590c}
.stile-draw .lit .card{stroke:#e8590c;stroke-width:4}
.stile-draw .lit .row{font-weight:bold}
`)
	b.WriteString("</style>\n")
	return b.String()
}

// shade is the colour of a group on a light page and on a dark one.
type shade struct{ light, dark string }

var shades = []shade{
	{"#475569", "#94a3b8"},
	{"#9a3412", "#fb923c"},
	{"#1d4ed8", "#60a5fa"},
	{"#7e22ce", "#c084fc"},
	{"#0f766e", "#2dd4bf"},
	{"#a16207", "#facc15"},
	{"#be123c", "#fb7185"},
	{"#3f6212", "#a3e635"},
}

func colour(group int) shade { return shades[group%len(shades)] }

package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
)

// walker goes through the functions of a file and places the switches:
//
//   - a guard (an if, or a case without a tag) never holds, or always; the end
//     condition of a loop is not changed;
//   - one side of && and || is left out;
//   - an ordering comparison includes its bound, or excludes it;
//   - a truth value that is returned, assigned or passed is negated;
//   - a constant number is replaced by another;
//   - a statement is left out: a call, an assignment, a deferred call, continue.
//
// A switch is an expression or a statement around the old one, on the same line, so
// that the line numbers of the file do not change.
type walker struct {
	plan   *plan
	dir    string
	file   string
	src    *source
	fset   *token.FileSet
	info   *types.Info
	syntax *ast.File
	fn     string
	depth  int
}

func (w *walker) offset(p token.Pos) int { return w.fset.Position(p).Offset }

func (w *walker) text(n ast.Node) string {
	return string(w.src.text[w.offset(n.Pos()):w.offset(n.End())])
}

func (w *walker) add(n ast.Node, change string) *mutant {
	return w.plan.mutant(w.dir, w.file, w.fn, change, w.text(n), w.fset.Position(n.Pos()).Line)
}

// wrap puts text around a node.
func (w *walker) wrap(n ast.Node, m *mutant, before, after string) {
	w.depth++
	w.src.ins = append(w.src.ins,
		insertion{offset: w.offset(n.Pos()), text: before, depth: w.depth, mutant: m},
		insertion{offset: w.offset(n.End()), text: after, closes: true, depth: w.depth, mutant: m})
}

// block goes through statements that can be left out.
func (w *walker) block(list []ast.Stmt) {
	for _, s := range list {
		w.leaveOut(s)
		w.stmt(s)
	}
}

func (w *walker) leaveOut(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" || w.logs(call) {
				return
			}
		}
	case *ast.AssignStmt:
		if s.Tok == token.DEFINE || allBlank(s.Lhs) {
			return
		}
	case *ast.BranchStmt:
		if s.Tok != token.CONTINUE || s.Label != nil {
			return
		}
	case *ast.IncDecStmt, *ast.DeferStmt:
	default:
		return
	}
	m := w.add(s, "left out")
	w.wrap(s, m, fmt.Sprintf("if !mutantOn(%d) { ", m.id), " }")
}

// logs reports whether a call writes to a logger, which changes nothing else.
func (w *walker) logs(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	t := w.info.Types[sel.X].Type
	return t != nil && t.String() == "*log/slog.Logger"
}

func allBlank(list []ast.Expr) bool {
	for _, e := range list {
		if id, ok := e.(*ast.Ident); !ok || id.Name != "_" {
			return false
		}
	}
	return true
}

func (w *walker) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.BlockStmt:
		w.block(s.List)
	case *ast.IfStmt:
		w.inner(s.Init)
		w.condition(s.Cond)
		w.block(s.Body.List)
		if s.Else != nil {
			w.stmt(s.Else)
		}
	case *ast.ForStmt:
		w.inner(s.Init)
		if s.Cond != nil {
			w.expr(s.Cond)
		}
		w.inner(s.Post)
		w.block(s.Body.List)
	case *ast.RangeStmt:
		w.expr(s.X)
		w.block(s.Body.List)
	case *ast.SwitchStmt:
		w.inner(s.Init)
		if s.Tag != nil {
			w.expr(s.Tag)
		}
		for _, c := range s.Body.List {
			c := c.(*ast.CaseClause)
			for _, e := range c.List {
				if s.Tag == nil {
					w.condition(e)
				}
			}
			w.block(c.Body)
		}
	case *ast.TypeSwitchStmt:
		w.inner(s.Init)
		for _, c := range s.Body.List {
			w.block(c.(*ast.CaseClause).Body)
		}
	case *ast.SelectStmt:
		for _, c := range s.Body.List {
			w.block(c.(*ast.CommClause).Body)
		}
	case *ast.LabeledStmt:
		w.stmt(s.Stmt)
	case *ast.ReturnStmt:
		w.values(s.Results)
	case *ast.AssignStmt:
		w.values(s.Rhs)
	case *ast.ExprStmt:
		w.expr(s.X)
	case *ast.DeferStmt:
		w.expr(s.Call)
	case *ast.GoStmt:
		w.expr(s.Call)
	case *ast.SendStmt:
		w.value(s.Value)
	case *ast.DeclStmt:
		if g, ok := s.Decl.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, sp := range g.Specs {
				w.values(sp.(*ast.ValueSpec).Values)
			}
		}
	}
}

func (w *walker) inner(s ast.Stmt) {
	if s != nil {
		w.stmt(s)
	}
}

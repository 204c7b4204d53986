package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"
)

// walker goes through the functions of a file and places the switches:
//
//   - a guard never or always holds: if, a case without a tag, a loop's end
//     stays as it is;
//   - one side of && and || is left out;
//   - a comparison for order takes its bound in, or leaves it out;
//   - a truth that is returned, assigned or passed is turned round;
//   - a constant number is another;
//   - a statement is left out: a call, an assignment, a deferred call, continue.
//
// A switch is an expression or a statement around the old one, on the same line,
// so that the lines of the file stay.
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

// logs reports whether a call writes to a logger: that changes nothing else.
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

// condition is the guard of an if or of a case.
func (w *walker) condition(e ast.Expr) {
	w.depth++
	if !w.isConstant(e) {
		never := w.add(e, "never")
		w.wrap(e, never, "(", fmt.Sprintf(" && !mutantOn(%d))", never.id))
		w.wrap(e, never, "(", ")")
		if !w.isErrorCheck(e) {
			always := w.add(e, "always")
			w.wrap(e, always, "(", fmt.Sprintf(" || mutantOn(%d))", always.id))
		}
	}
	w.expr(e)
}

// isErrorCheck reports whether e is err != nil: that it always holds is noticed
// by every test that passes it.
func (w *walker) isErrorCheck(e ast.Expr) bool {
	b, ok := e.(*ast.BinaryExpr)
	if !ok || b.Op != token.NEQ {
		return false
	}
	t := w.info.Types[b.X].Type
	return t != nil && t.String() == "error"
}

func (w *walker) isConstant(e ast.Expr) bool { return w.info.Types[e].Value != nil }

func (w *walker) values(list []ast.Expr) {
	for _, e := range list {
		w.value(e)
	}
}

// value is an expression whose truth is kept: returned, assigned or passed.
func (w *walker) value(e ast.Expr) {
	if w.isBool(e) {
		switch x := ast.Unparen(e).(type) {
		case *ast.BinaryExpr, *ast.UnaryExpr:
			m := w.add(e, "turned round")
			w.wrap(e, m, "((", fmt.Sprintf(") != mutantOn(%d))", m.id))
		case *ast.Ident:
			if x.Name == "true" || x.Name == "false" {
				m := w.add(e, "turned round")
				w.wrap(e, m, "(", fmt.Sprintf(" != mutantOn(%d))", m.id))
			}
		}
	}
	w.expr(e)
}

func (w *walker) isBool(e ast.Expr) bool {
	t := w.info.Types[e].Type
	if t == nil {
		return false
	}
	b, ok := t.(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0
}

// expr goes through an expression.
func (w *walker) expr(e ast.Expr) {
	if w.isConstant(e) {
		w.number(e)
		return
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		w.expr(e.X)
	case *ast.UnaryExpr:
		w.expr(e.X)
	case *ast.StarExpr:
		w.expr(e.X)
	case *ast.SelectorExpr:
		w.expr(e.X)
	case *ast.TypeAssertExpr:
		w.expr(e.X)
	case *ast.BinaryExpr:
		w.binary(e)
	case *ast.CallExpr:
		w.call(e)
	case *ast.CompositeLit:
		for _, el := range e.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				w.value(kv.Value)
				continue
			}
			w.value(el)
		}
	case *ast.FuncLit:
		w.block(e.Body.List)
	case *ast.IndexExpr:
		w.expr(e.X)
		if t := w.info.Types[e.Index]; t.Value == nil && !t.IsType() {
			w.expr(e.Index)
		}
	case *ast.SliceExpr:
		w.expr(e.X)
		for _, i := range []ast.Expr{e.Low, e.High, e.Max} {
			if i != nil {
				w.expr(i)
			}
		}
	}
}

func (w *walker) call(e *ast.CallExpr) {
	w.expr(e.Fun)
	if t := w.info.Types[e.Fun]; t.IsType() {
		if len(e.Args) == 1 {
			w.expr(e.Args[0])
		}
		return
	}
	if id, ok := e.Fun.(*ast.Ident); ok && (id.Name == "make" || id.Name == "new") {
		if _, builtin := w.info.Uses[id].(*types.Builtin); builtin {
			return // a capacity makes no difference
		}
	}
	w.values(e.Args)
}

func (w *walker) binary(e *ast.BinaryExpr) {
	switch e.Op {
	case token.LAND:
		for _, side := range []ast.Expr{e.X, e.Y} {
			m := w.add(side, "left out of &&")
			w.wrap(side, m, "(", fmt.Sprintf(" || mutantOn(%d))", m.id))
		}
	case token.LOR:
		for _, side := range []ast.Expr{e.X, e.Y} {
			m := w.add(side, "left out of ||")
			w.wrap(side, m, "((", fmt.Sprintf(") && !mutantOn(%d))", m.id))
		}
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		x, y := w.text(e.X), w.text(e.Y)
		if !strings.Contains(x+y, "\n") {
			m := w.add(e, "bound")
			w.wrap(e, m, "((", fmt.Sprintf(") != (mutantOn(%d) && (%s) == (%s)))", m.id, x, y))
		}
	default:
	}
	w.expr(e.X)
	w.expr(e.Y)
}

// number changes a constant number: to twice and to half of it, or by one where
// it is small. Letters and numbers that index something stay.
func (w *walker) number(e ast.Expr) {
	tv := w.info.Types[e]
	if tv.Value.Kind() != constant.Int || tv.Type == nil || isLetter(e) {
		return
	}
	basic, ok := tv.Type.Underlying().(*types.Basic)
	if !ok || basic.Info()&types.IsInteger == 0 {
		return
	}
	name, ok := w.typeName(tv.Type)
	if !ok {
		return
	}
	v, exact := constant.Int64Val(tv.Value)
	if !exact || v < 1 {
		return
	}
	more := w.add(e, "more")
	w.wrap(e, more, fmt.Sprintf("mutantMore(%d, %s(", more.id, name), "))")
	if v > 1 {
		less := w.add(e, "less")
		w.wrap(e, less, fmt.Sprintf("mutantLess(%d, %s(", less.id, name), "))")
	}
}

// isLetter reports whether a constant is written as a letter.
func isLetter(e ast.Expr) bool {
	lit, ok := ast.Unparen(e).(*ast.BasicLit)
	return ok && lit.Kind == token.CHAR
}

// typeName writes a type as this file can.
func (w *walker) typeName(t types.Type) (string, bool) {
	switch t := t.(type) {
	case *types.Basic:
		if t.Info()&types.IsUntyped != 0 {
			return "int", true
		}
		return t.Name(), true
	case *types.Alias:
		return w.typeName(types.Unalias(t))
	case *types.Named:
		if t.TypeArgs().Len() > 0 || t.Obj().Pkg() == nil {
			return "", false
		}
		path := t.Obj().Pkg().Path()
		if t.Obj().Pkg().Name() == w.syntax.Name.Name && strings.HasSuffix(path, w.dir) {
			return t.Obj().Name(), true
		}
		for _, im := range w.syntax.Imports {
			if strings.Trim(im.Path.Value, `"`) == path && im.Name == nil {
				return t.Obj().Pkg().Name() + "." + t.Obj().Name(), true
			}
		}
	}
	return "", false
}

package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"
)

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

// isErrorCheck reports whether e is err != nil. If that always holds, every test that
// passes it notices.
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

// value is an expression whose truth value is used: returned, assigned or passed.
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

// number changes a constant number: to twice and to half of it or, if it is small, by
// one. Letters, and numbers that index something, are not changed.
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

// typeName writes a type in the form that is valid in this file.
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

// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// head is what every source file begins with.
const head = "// SPDX-FileCopyrightText: The Solekey authors\n// SPDX-License-Identifier: Apache-2.0\n"

// readRooms describes all packages of the module at dir. Which packages there are is asked of `go list`;
// what is in them is read from every Go file they hold, whatever platform or build tag it is for.
func readRooms(dir string) ([]room, error) {
	list := exec.Command("go", "list", "-e", "-json=Dir,ImportPath", "./...")
	list.Dir = dir
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var rooms []room
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var listed struct{ Dir, ImportPath string }
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return rooms, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the answer of go list: %w", err)
		}
		roomPath, _ := own(listed.ImportPath)
		r, err := readRoom(listed.Dir, roomPath)
		if err != nil {
			return nil, err
		}
		rooms = append(rooms, r)
	}
}

func readRoom(dir, roomPath string) (room, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return room{}, err
	}
	sources := map[string][]byte{}
	for _, name := range names {
		if sources[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			return room{}, err
		}
	}
	return describe(roomPath, sources)
}

// describe makes the description of one package from its files.
func describe(roomPath string, sources map[string][]byte) (room, error) {
	r := room{path: roomPath}
	set := token.NewFileSet()
	parsed := map[string]*ast.File{}
	variables := map[string]bool{}
	onlyTests := true
	for name, source := range sources {
		tree, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return room{}, err
		}
		parsed[name] = tree
		if !strings.HasSuffix(name, "_test.go") {
			onlyTests = false
			r.documented = r.documented || tree.Doc.Text() != ""
			collectVariables(tree, variables)
		}
	}
	r.documented = r.documented || onlyTests
	for name, tree := range parsed {
		f := describeFile(set, name, tree, sources[name])
		imports := &r.imports
		if f.test {
			imports = &r.testImports
		} else {
			f.changing = changing(tree, variables)
		}
		for _, spec := range tree.Imports {
			if imported := unquote(spec.Path); !slices.Contains(*imports, imported) {
				*imports = append(*imports, imported)
			}
		}
		r.files = append(r.files, f)
	}
	slices.Sort(r.imports)
	slices.Sort(r.testImports)
	slices.SortFunc(r.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return r, nil
}

func unquote(literal *ast.BasicLit) string {
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return literal.Value
	}
	return text
}

func describeFile(set *token.FileSet, name string, tree *ast.File, source []byte) file {
	f := file{
		name:      name,
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(tree),
		headed:    bytes.HasPrefix(source, []byte(head)),
		lines:     bytes.Count(source, []byte("\n")),
	}
	for _, declaration := range tree.Decls {
		if fn, ok := declaration.(*ast.FuncDecl); ok {
			lines := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1
			f.functions = append(f.functions, function{name: qualified(fn), lines: lines})
		}
		if !f.test {
			f.undocumented = append(f.undocumented, undocumented(declaration)...)
		}
	}
	f.uses = uses(tree)
	f.skips = f.test && slices.ContainsFunc([]string{"t.Skip", "t.Skipf", "t.SkipNow", "b.Skip", "b.Skipf", "b.SkipNow"}, func(call string) bool {
		return slices.Contains(f.uses, call)
	})
	return f
}

// qualified gives the name of a function, a method's under its type.
func qualified(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	return receiver(fn.Recv) + "." + fn.Name.Name
}

// uses lists the qualified names of a file, each package under its import path, anything else as written.
func uses(tree *ast.File) []string {
	packages := map[string]string{}
	for _, spec := range tree.Imports {
		imported := unquote(spec.Path)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		packages[name] = imported
	}
	seen := map[string]bool{}
	var names []string
	ast.Inspect(tree, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if left, ok := selector.X.(*ast.Ident); ok {
			name := left.Name
			if imported, known := packages[name]; known {
				name = imported
			}
			if name += "." + selector.Sel.Name; !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
		return true
	})
	slices.Sort(names)
	return names
}

// undocumented lists the exported names of a declaration that have no comment. The comment of a group of
// constants or variables speaks for all of them.
func undocumented(declaration ast.Decl) []string {
	var names []string
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d.Recv))) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

// receiver gives the name of a method's type.
func receiver(list *ast.FieldList) string {
	expression := list.List[0].Type
	for {
		switch e := expression.(type) {
		case *ast.StarExpr:
			expression = e.X
		case *ast.IndexExpr:
			expression = e.X
		case *ast.IndexListExpr:
			expression = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

func collectVariables(tree *ast.File, variables map[string]bool) {
	for _, declaration := range tree.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				variables[name.Name] = name.Name != "_"
			}
		}
	}
}

// changing lists the package variables that a file assigns to inside a function, and those whose type exists
// to be changed: locks, atomics and maps for concurrent use.
func changing(tree *ast.File, variables map[string]bool) []string {
	var names []string
	for _, declaration := range tree.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			names = append(names, assigned(d, variables)...)
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				names = append(names, changeable(d)...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func changeable(group *ast.GenDecl) []string {
	var names []string
	for _, spec := range group.Specs {
		value := spec.(*ast.ValueSpec)
		selector, ok := value.Type.(*ast.SelectorExpr)
		if !ok {
			continue
		}
		left, ok := selector.X.(*ast.Ident)
		if !ok {
			continue
		}
		kind := left.Name + "." + selector.Sel.Name
		if left.Name == "atomic" || slices.Contains([]string{"sync.Mutex", "sync.RWMutex", "sync.Map", "sync.Once"}, kind) {
			for _, name := range value.Names {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

// assigned lists the package variables that a function assigns to. A name that the function also declares
// for itself is taken to be its own everywhere in it.
func assigned(fn *ast.FuncDecl, variables map[string]bool) []string {
	local := map[string]bool{}
	var targets []string
	target := func(expression ast.Expr) {
		if name := rootName(expression); name != "" {
			targets = append(targets, name)
		}
	}
	ast.Inspect(fn, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				local[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				local[name.Name] = true
			}
		case *ast.RangeStmt:
			for _, expression := range []ast.Expr{n.Key, n.Value} {
				if name := rootName(expression); name != "" && n.Tok == token.DEFINE {
					local[name] = true
				} else if name != "" {
					targets = append(targets, name)
				}
			}
		case *ast.AssignStmt:
			for _, expression := range n.Lhs {
				if name, ok := expression.(*ast.Ident); ok && n.Tok == token.DEFINE {
					local[name.Name] = true
				} else {
					target(expression)
				}
			}
		case *ast.IncDecStmt:
			target(n.X)
		}
		return true
	})
	return slices.DeleteFunc(targets, func(name string) bool { return local[name] || !variables[name] })
}

// rootName gives the variable that an assignable expression begins with: a in a.b[c].
func rootName(expression ast.Expr) string {
	for {
		switch e := expression.(type) {
		case *ast.Ident:
			return e.Name
		case *ast.SelectorExpr:
			expression = e.X
		case *ast.IndexExpr:
			expression = e.X
		case *ast.StarExpr:
			expression = e.X
		case *ast.ParenExpr:
			expression = e.X
		default:
			return ""
		}
	}
}

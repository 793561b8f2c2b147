// What the Go compiler's type checker says that names mean, for oracle.py goto --pairs:
//
//	go run tests/bench/index/GoPairs.go REPO > pairs.jsonl
//
// One line per use of a name that is defined in the repository: {"from": [path, line, column],
// "to": [[path, line]]}, 1-based. Uses of locals, parameters and packages are left out. What a
// missing library makes unknown has no line.
package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

type checker struct {
	repo     string
	modules  map[string]string // import path -> folder, of every go.mod below the repository
	fset     *token.FileSet
	standard types.Importer
	packages map[string]*types.Package
	lines    map[string]bool
}

func main() {
	repo, err := filepath.EvalSymlinks(os.Args[1])
	if err == nil {
		repo, err = filepath.Abs(repo)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build.Default.CgoEnabled = false
	c := &checker{repo: repo, modules: map[string]string{}, fset: token.NewFileSet(),
		packages: map[string]*types.Package{}, lines: map[string]bool{}}
	c.standard = importer.ForCompiler(c.fset, "source", nil)
	var folders []string
	filepath.Walk(repo, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.IsDir() {
			return nil
		}
		if name := info.Name(); path != repo && (name[0] == '.' || name == "testdata" || name == "vendor") {
			return filepath.SkipDir
		}
		folders = append(folders, path)
		if text, err := os.ReadFile(filepath.Join(path, "go.mod")); err == nil {
			for _, line := range strings.Split(string(text), "\n") {
				if strings.HasPrefix(line, "module ") {
					c.modules[strings.Trim(line[len("module "):], " \t\r\"")] = path
				}
			}
		}
		return nil
	})
	for _, folder := range folders {
		found, err := build.ImportDir(folder, 0)
		if err != nil {
			continue
		}
		c.check(folder, append(append([]string{}, found.GoFiles...), found.TestGoFiles...))
		c.check(folder, found.XTestGoFiles)
	}
	var sorted []string
	for line := range c.lines {
		sorted = append(sorted, line)
	}
	sort.Strings(sorted)
	fmt.Println(strings.Join(sorted, "\n"))
}

// Import finds packages of the repository by its modules and the others in the standard library.
func (c *checker) Import(path string) (*types.Package, error) {
	if known := c.packages[path]; known != nil {
		return known, nil
	}
	for module, folder := range c.modules {
		if path != module && !strings.HasPrefix(path, module+"/") {
			continue
		}
		folder = filepath.Join(folder, strings.TrimPrefix(path, module))
		found, err := build.ImportDir(folder, 0)
		if err != nil {
			continue
		}
		c.packages[path] = types.NewPackage(path, found.Name) // a cycle ends here
		c.packages[path] = c.types(path, c.parse(folder, found.GoFiles), nil)
		return c.packages[path], nil
	}
	if strings.Contains(strings.Split(path, "/")[0], ".") {
		return nil, fmt.Errorf("%s is not at hand", path)
	}
	return c.standard.Import(path)
}

func (c *checker) parse(folder string, names []string) []*ast.File {
	var files []*ast.File
	for _, name := range names {
		if f, _ := parser.ParseFile(c.fset, filepath.Join(folder, name), nil, parser.SkipObjectResolution); f != nil {
			files = append(files, f)
		}
	}
	return files
}

func (c *checker) types(path string, files []*ast.File, info *types.Info) *types.Package {
	config := types.Config{Importer: c, Error: func(error) {}, FakeImportC: true}
	found, _ := config.Check(path, c.fset, files, info)
	return found
}

func (c *checker) check(folder string, names []string) {
	if len(names) == 0 {
		return
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	c.types(folder, c.parse(folder, names), info)
	for use, meant := range info.Uses {
		switch o := meant.(type) {
		case *types.PkgName, *types.Label:
			continue
		case *types.Var:
			meant = o.Origin()
			if !o.IsField() && (o.Pkg() == nil || o.Parent() != o.Pkg().Scope()) {
				continue
			}
		case *types.Func:
			meant = o.Origin()
		case *types.TypeName:
			if _, parameter := o.Type().(*types.TypeParam); parameter {
				continue
			}
		}
		if meant.Pkg() != nil && meant.Parent() != meant.Pkg().Scope() {
			switch meant.(type) {
			case *types.Const, *types.TypeName: // of a function's body
				continue
			}
		}
		from, to := c.fset.Position(use.Pos()), c.fset.Position(meant.Pos())
		if !strings.HasPrefix(to.Filename, c.repo+"/") || from.Filename == to.Filename && from.Line == to.Line {
			continue
		}
		c.lines[fmt.Sprintf(`{"from": [%q, %d, %d], "to": [[%q, %d]]}`, from.Filename[len(c.repo)+1:],
			from.Line, from.Column, to.Filename[len(c.repo)+1:], to.Line)] = true
	}
}

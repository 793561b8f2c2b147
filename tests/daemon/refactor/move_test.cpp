// Moves of files and definitions: the whole tree before and after. Files begin with "//- path".
#include "daemon/assists/refactor/move.h"

#include <gtest/gtest.h>

#include "tests/daemon/refactor/move_cases.h"
#include "tests/daemon/refactor/tree.h"

namespace ambit::daemon {
namespace {

TEST(MoveFile, IncludesFollowIt) {
  check("move src/util/text.h to src/base/words.h",
        "//- src/util/text.h\n#pragma once\n#include \"other.h\"\nint n();\n"
        "//- src/util/other.h\n#pragma once\n"
        "//- src/util/text.cpp\n#include \"text.h\"\n"
        "//- src/main.cpp\n#include \"util/text.h\"\n#include <vector>\n"
        "//- app/a.cpp\n#include \"../src/util/text.h\"\n",
        "//- src/base/words.h\n#pragma once\n#include \"../util/other.h\"\nint n();\n"
        "//- src/util/other.h\n#pragma once\n"
        "//- src/util/text.cpp\n#include \"../base/words.h\"\n"
        "//- src/main.cpp\n#include \"base/words.h\"\n#include <vector>\n"
        "//- app/a.cpp\n#include \"../src/base/words.h\"\n");
  check("rename lib/include/x/a.h to b.h",
        "//- lib/include/x/a.h\nint a();\n//- lib/a.c\n#include <x/a.h>\n",
        "//- lib/include/x/b.h\nint a();\n//- lib/a.c\n#include <x/b.h>\n");
}

TEST(MoveFile, PythonImportsFollowIt) {
  check(
      "move pkg/text.py to pkg/sub/words.py",
      "//- pkg/__init__.py\nfrom .text import clean\n"
      "//- pkg/sub/__init__.py\n"
      "//- pkg/text.py\nfrom . import base\nfrom .base import one\ndef clean(): return one\n"
      "//- pkg/base.py\none = 1\n"
      "//- pkg/b.py\nfrom pkg import text\nimport pkg.text\nx = text.clean() + pkg.text.clean()\n"
      "//- pkg/sub/c.py\nfrom ..text import clean\n"
      "//- run.py\nimport pkg.text as t\nfrom pkg.text import (\n    clean,\n)\n",
      "//- pkg/__init__.py\nfrom .sub.words import clean\n"
      "//- pkg/sub/__init__.py\n"
      "//- pkg/sub/words.py\nfrom .. import base\nfrom ..base import one\ndef clean(): return one\n"
      "//- pkg/base.py\none = 1\n"
      "//- pkg/b.py\nfrom pkg.sub import words as text\nimport pkg.sub.words\n"
      "x = text.clean() + pkg.sub.words.clean()\n"
      "//- pkg/sub/c.py\nfrom .words import clean\n"
      "//- run.py\nimport pkg.sub.words as t\nfrom pkg.sub.words import (\n    clean,\n)\n");
  refused("move pkg/a.py to pkg/c.py",
          "//- pkg/__init__.py\n//- pkg/a.py\nx = 1\n//- pkg/b.py\ny = 1\n"
          "//- run.py\nfrom pkg import a, b\n",
          "run.py:1 imports a together with others");
}

TEST(MoveFile, ScriptImportsFollowItInTheirStyle) {
  check(
      "move src/a to src/lib/a",
      "//- src/a/index.ts\nexport * from './deep';\n//- src/a/deep.ts\nimport { z } from '../z';\n"
      "export const d = z;\n//- src/z.ts\nexport const z = 1;\n"
      "//- src/m.ts\nimport { d } from './a';\nimport { d as e } from './a/deep.js';\n"
      "const x = require(\"./a/deep\");\n",
      "//- src/lib/a/index.ts\nexport * from './deep';\n"
      "//- src/lib/a/deep.ts\nimport { z } from '../../z';\nexport const d = z;\n"
      "//- src/z.ts\nexport const z = 1;\n"
      "//- src/m.ts\nimport { d } from './lib/a';\nimport { d as e } from './lib/a/deep.js';\n"
      "const x = require(\"./lib/a/deep\");\n");
}

TEST(MoveFile, SaysWhoElseNamesItAndRefusesOtherLanguages) {
  std::vector<std::string> notes;
  carry_out("move a.cpp to b.cpp",
            parse("//- a.cpp\nint a;\n//- CMakeLists.txt\nadd_library(x a.cpp)\n"), &notes);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0], "CMakeLists.txt:1 names a.cpp and is left alone");
  refused("move a.go to b.go", "//- a.go\npackage a\n", "only");
  refused("move a.py to b.py", "//- a.py\nx = 1\n//- b.py\ny = 1\n", "exists already");
  refused("move a.py to ../b.py", "//- a.py\nx = 1\n", "not a path inside");
}

TEST(MoveDefinition, TakesItsImportsAndItsUsersAlong) {
  check("move price_of to shop/price.py",
        "//- shop/__init__.py\n"
        "//- shop/cart.py\nimport math\nfrom shop.tax import RATE, other\n\n\ndef helper():\n"
        "    return other\n\n\n# The price.\ndef price_of(net):\n    return math.ceil(net * RATE)\n"
        "\n\ndef total(items):\n    return sum(price_of(i) for i in items)\n"
        "//- shop/tax.py\nRATE = 2\nother = 3\n"
        "//- run.py\nfrom shop.cart import price_of, total\n\nprint(price_of(1), total([]))\n"
        "//- two.py\nfrom shop.cart import price_of as p\n",
        "//- shop/__init__.py\n"
        "//- shop/cart.py\nimport math\nfrom shop.tax import RATE, other\n"
        "from shop.price import price_of\n\n\ndef helper():\n"
        "    return other\n\n\ndef total(items):\n    return sum(price_of(i) for i in items)\n"
        "//- shop/price.py\nfrom shop.tax import RATE\nimport math\n\n\n# The price.\n"
        "def price_of(net):\n    return math.ceil(net * RATE)\n"
        "//- shop/tax.py\nRATE = 2\nother = 3\n"
        "//- run.py\nfrom shop.cart import total\nfrom shop.price import price_of\n\n"
        "print(price_of(1), total([]))\n"
        "//- two.py\nfrom shop.price import price_of as p\n");
  check(
      "move helper to b.ts",
      "//- a.ts\nimport { z } from './z';\n\nexport function helper(): number {\n  return z;\n}\n\n"
      "export const y = 1;\n"
      "//- b.ts\nexport const b = 1;\n//- z.ts\nexport const z = 1;\n"
      "//- c.ts\nimport { helper, y } from './a';\nhelper();\n",
      "//- a.ts\nexport const y = 1;\n"
      "//- b.ts\nimport { z } from './z';\n\nexport const b = 1;\n\n"
      "export function helper(): number {\n  return z;\n}\n//- z.ts\nexport const z = 1;\n"
      "//- c.ts\nimport { y } from './a';\nimport { helper } from './b';\nhelper();\n");
}

TEST(MoveDefinition, ImportsAreWrittenAsTheOthersAreAndGoWhenNobodyNeedsThem) {
  check("move f to lib/b.js",
        "//- lib/a.js\nimport { one,\n  two,\n  three } from \"../c.js\"\nimport d from "
        "\"./d.js\"\n\n"
        "export const x = two\n\nexport function f() { return one + three + d }\n"
        "//- lib/b.js\nexport const b = 1\n//- lib/d.js\nexport default 1\n"
        "//- c.js\nexport const one = 1\nexport const two = 2\nexport const three = 3\n"
        "//- e.js\nimport { f } from './lib/a.js'\nf()\n",
        "//- lib/a.js\nimport { two } from \"../c.js\"\nimport d from \"./d.js\"\n\n"
        "export const x = two\n"
        "//- lib/b.js\nimport d from \"./d.js\"\nimport { one } from \"../c.js\"\n"
        "import { three } from \"../c.js\"\n\nexport const b = 1\n\n"
        "export function f() { return one + three + d }\n//- lib/d.js\nexport default 1\n"
        "//- c.js\nexport const one = 1\nexport const two = 2\nexport const three = 3\n"
        "//- e.js\nimport { f } from './lib/b.js'\nf()\n");
}

TEST(MoveDefinition, ImportsInsideOfFunctionsStayWhereTheyAre) {
  check("move f to b.py",
        "//- a.py\nfrom __future__ import annotations\nimport os  # sys\n\n\ndef f():\n    return "
        "os.name\n\n\n"
        "def g():\n    import re\n    return f(re)\n"
        "//- b.py\nfrom __future__ import annotations\n\n\ndef h():\n    import json\n    return "
        "json\n"
        "//- c.py\ndef i():\n    from a import f, g\n    return f, g\n",
        "//- a.py\nfrom __future__ import annotations\nimport os  # sys\nfrom b import f\n\n\n"
        "def g():\n    import re\n    return f(re)\n"
        "//- b.py\nfrom __future__ import annotations\nimport os\n\n\ndef h():\n    import json\n"
        "    return json\n\n\ndef f():\n    return os.name\n"
        "//- c.py\ndef i():\n    from a import g\n    from b import f\n    return f, g\n");
}

TEST(MoveDefinition, RefusesWhatItCannotDoExactly) {
  const std::string a = "//- a.py\nn = 1\ndef f():\n    return n\n";
  refused("move f to b.py", a + "x = f()\n", "would need each other");
  refused("move f to b.py", a + "//- c.py\nimport a\na.f()\n",
          "c.py:1 reaches f through its module");
  refused("move f to b.py", a + "//- c.py\nfrom a import *\n", "c.py:1 reaches f");
  refused("move f to b.py", a + "//- b.py\ndef f(): pass\n", "2 files define f");
  refused("move f to b.py", "//- a.py\n__all__ = ['f']\ndef f(): pass\n", "__all__");
  refused("move nothing to b.py", a, "knows no function or class nothing");
  refused("move f to b.cpp", "//- a.cpp\nint f() { return 1; }\n",
          "there is no b.cpp; make it and name it in your build first");
  // Where Python would read files in a circle, or evaluate them otherwise.
  const std::string three = "//- a.py\nfrom c import x\n\ndef f():\n    return x\n";
  refused("move f to b.py", three + "//- c.py\nimport b\nx = 1\n//- b.py\ny = 1\n",
          "c.py imports b.py, which would have to import it for f");
  refused("move f to b.py",
          three + "//- c.py\nx = 1\n//- b.py\nimport d\n//- d.py\nfrom a import f\n",
          "d.py would have to import b.py, which imports it");
  refused("move f to b.py",
          "//- a.py\nif T:\n    from c import x\ndef f():\n    return x\n//- c.py\nx = 1\n",
          "imports x under a condition");
  refused("move f to b.py", "//- a.py\nx = 1\ndef f():\n    global x\n    x = 2\n", "global");
  refused("move f to b.py",
          "//- a.py\nx = 1\ndef f():\n    return x\ndef g():\n    global x\n    x = 2\n",
          "set again later");
  refused("move f to b.py",
          "//- a.py\nfrom __future__ import annotations\ndef f(): pass\n//- b.py\ny = 1\n",
          "__future__");
  const std::string js = "//- a.js\nexport function f() {}\n//- c.js\n";
  refused("move f to b.js", js + "export * from './a';\n", "exports all of its module again");
  refused("move f to b.js", js + "import * as a from './a';\nfunction g() { const { f } = a; }\n",
          "through its module");
  refused("move f to b.js", js + "import('./a').then(({ f }) => f());\n", "through its module");
  refused("move f to b.py", "//- a.py\ndef f(): pass\n//- c.py\npatch('a.f')\n", "names a.f");
  refused("move f to b.py", "//- a.py\ndef f(): pass\n//- setup.cfg\nx = a:f\n", "names a:f");
  refused("move f to b.js", "//- a.js\nconst n = 1;\nexport function f() { return n; }\n",
          "not exported");
}

TEST(MoveFile, KeepsTheModeAndIsTakenBackWhole) {
  Tree tree;
  tree.write("a.py", "x = 1\n", 0755);
  const auto before = tree.picture();
  ChangeSet set;
  add(set, "a.py", "x = 1\n", std::nullopt);
  add(set, "d/b.py", std::nullopt, "x = 1\n");
  set["d/b.py"].like = "a.py";
  auto journal = tree.journal();
  const auto id = journal.apply(set, {}).value();
  EXPECT_EQ(tree.picture().at("d/b.py"), before.at("a.py"));
  static_cast<void>(undo(tree, journal, id));
  EXPECT_EQ(tree.picture(), before);
}

TEST(MoveC, AFunctionTakesItsIncludesAndLeavesItsCallersADeclaration) {
  check("move area_of to lib/shape.c",
        "//- lib/math.h\n#pragma once\n#include <stdint.h>\nint times(int a, int b);\n"
        "//- lib/shape.h\n#pragma once\nint edge(void);\n"
        "//- lib/shape.c\n#include \"shape.h\"\n\nint edge(void)\n{\n\treturn 1;\n}\n"
        "//- app/main.c\n#include <stdio.h>\n#include \"../lib/math.h\"\n\n"
        "/* Width by height. */\nint area_of(int w, int h)\n{\n\tprintf(\"%d\", w);\n"
        "\treturn times(w, h);\n}\n\nint main(void)\n{\n\treturn area_of(1, 2);\n}\n",
        "//- lib/math.h\n#pragma once\n#include <stdint.h>\nint times(int a, int b);\n"
        "//- lib/shape.h\n#pragma once\nint edge(void);\n"
        "//- lib/shape.c\n#include \"shape.h\"\n#include <stdio.h>\n#include \"math.h\"\n\n"
        "int edge(void)\n{\n\treturn 1;\n}\n\n"
        "/* Width by height. */\nint area_of(int w, int h)\n{\n\tprintf(\"%d\", w);\n"
        "\treturn times(w, h);\n}\n"
        "//- app/main.c\n#include <stdio.h>\n#include \"../lib/math.h\"\n\n"
        "int area_of(int w, int h);\n\nint main(void)\n{\n\treturn area_of(1, 2);\n}\n");
}

TEST(MoveC, IntoTheSameNamespaceWithoutASecondDeclaration) {
  check("move a::b::twice to b.cpp",
        "//- a.h\n#pragma once\nnamespace a::b {\nint twice(int x);\n}\n"
        "//- a.cpp\n#include \"a.h\"\nnamespace a::b {\n\nint twice(int x) { return x + x; }\n\n"
        "int four(int x) { return twice(twice(x)); }\n\n}  // namespace a::b\n"
        "//- b.cpp\nnamespace a::b {\n\nint other() { return 1; }\n\n}  // namespace a::b\n",
        "//- a.h\n#pragma once\nnamespace a::b {\nint twice(int x);\n}\n"
        "//- a.cpp\n#include \"a.h\"\nnamespace a::b {\n\n"
        "int four(int x) { return twice(twice(x)); }\n\n}  // namespace a::b\n"
        "//- b.cpp\n#include \"a.h\"\n\nnamespace a::b {\n\nint other() { return 1; }\n\n"
        "int twice(int x) { return x + x; }\n\n}  // namespace a::b\n");
}

TEST(MoveC, AClassToAHeaderThatItsOldOneIncludes) {
  check("move Point to geo/point.h",
        "//- geo/num.h\n#pragma once\nnamespace g {\nusing Num = int;\n}\n"
        "//- geo/all.h\n#pragma once\n#include <string>\n\n#include \"geo/num.h\"\n\nnamespace g "
        "{\n\n"
        "// Where.\nclass Point {\n public:\n  Num x = 0;\n  std::string name() const;\n};\n\n"
        "Point origin();\n\n}  // namespace g\n"
        "//- geo/all.cpp\n#include \"geo/all.h\"\n",
        "//- geo/num.h\n#pragma once\nnamespace g {\nusing Num = int;\n}\n"
        "//- geo/all.h\n#pragma once\n#include <string>\n\n#include \"geo/num.h\"\n"
        "#include \"geo/point.h\"\n\nnamespace g {\n\nPoint origin();\n\n}  // namespace g\n"
        "//- geo/all.cpp\n#include \"geo/all.h\"\n"
        "//- geo/point.h\n#pragma once\n\n#include <string>\n#include \"geo/num.h\"\n\n"
        "namespace g {\n\n// Where.\nclass Point {\n public:\n  Num x = 0;\n"
        "  std::string name() const;\n};\n\n}  // namespace g\n");
  check("move Far to far.h",
        "//- all.h\n#pragma once\nnamespace g {\nclass Near;\nclass Far {\n  Near* n;\n};\n}\n",
        "//- all.h\n#pragma once\n\n#include \"far.h\"\nnamespace g {\nclass Near;\n}\n"
        "//- far.h\n#pragma once\n\nnamespace g {\n\nclass Near;\n\nclass Far {\n  Near* n;\n"
        "};\n\n}  // namespace g\n");
  check("move struct_b to b.h",
        "//- a.h\n#ifndef A_H\n#define A_H\nstruct struct_b {\n\tint x;\n};\n"
        "int use(struct struct_b *b);\n#endif\n"
        "//- b.h\n#ifndef B_H\n#define B_H\nint b;\n#endif\n",
        "//- a.h\n#ifndef A_H\n#define A_H\n\n#include \"b.h\"\n"
        "int use(struct struct_b *b);\n#endif\n"
        "//- b.h\n#ifndef B_H\n#define B_H\nint b;\n\nstruct struct_b {\n\tint x;\n};\n\n#endif\n");
}

TEST(MoveC, RefusesWhereItWouldNotBeExact) {
  const std::string b = "//- b.cpp\nint other;\n";
  const auto no_move = [&](const std::string& a, const std::string& why) {
    SCOPED_TRACE(a);
    refused("move f to b.cpp", "//- a.cpp\n" + a + b, why);
  };
  no_move("static int f() { return 1; }\n", "a.cpp:1 is static");
  no_move("namespace {\nint f() { return 1; }\n}\n", "is in an unnamed namespace");
  no_move("#ifdef X\nint f() { return 1; }\n#endif\n", "a.cpp:2 stands inside of an #if");
  no_move("static int h;\nint f() { return h; }\n", "a.cpp:1 is h, which only its file knows");
  no_move("#define H 1\nint f() { return H; }\n", "a.cpp:1 is H, which only its file knows");
  no_move("struct S {\n  int f() { return 1; }\n};\n", "a.cpp:2 is a member");
  no_move("using namespace std;\nint f() { return 1; }\n", "a.cpp:1 says 'using namespace std;'");
  no_move("#if X\n#include <x>\n#endif\nint f() { return xx(); }\n",
          "includes <x> inside of an #if");
  no_move("template <class T> int f(T t) { return t; }\n", "is template");
  no_move("extern \"C\" {\nint f() { return 1; }\n}\n", "extern \"C\"");
  refused("move f to c.cpp", "//- a.cpp\nint f() { return 1; }\n" + b, "there is no c.cpp");
  refused("move f to b.h", "//- a.cpp\nint f() { return 1; }\n//- b.h\nint b;\n", "is a header");
  refused("move f to b.cpp", "//- a.cpp\nint f() { return 1; }\n//- b.cpp\nint f() { return 2; }\n",
          "2 files define f");
  refused("move S to b.h", "//- a.h\nstruct T { int x; };\nstruct S { T t; };\n//- b.h\nint b;\n",
          "a.h:1 is T, which S uses");
  refused("move S to b.h", "//- a.h\nstruct S { int x; };\n//- b.h\n#include \"a.h\"\nint b;\n",
          "b.h includes a.h, whose users would not find S");
  refused("move A_H to b.h", "//- a.h\n#ifndef A_H\n#define A_H\nint x;\n#endif\n//- b.h\n",
          "from being read twice");
  const std::string three =
      "//- a.h\n#pragma once\n#include \"b.h\"\nclass A {\n  A();\n};\ninline A::A() {}\n"
      "//- b.h\nclass M { int x; };\n//- c.h\nclass M { long x; };\n";
  refused("move A to c.h", three, "c.h:1 defines M, as b.h does");
  refused("move A::A to c.h", three, "is a member");
  refused("move B to c.h", three + "//- d.h\n#include \"b.h\"\nclass B {};\n",
          "c.h:1 defines M, as b.h does");
}

constexpr std::string_view kGo =
    "//- a/a.go\npackage a\n\nimport (\n\t\"fmt\"\n\tstr "
    "\"strings\"\n\n\t\"x.org/go-yaml/v3\"\n)\n\n"
    "// F does.\nfunc F(s string) error { return yaml.Do(fmt.Sprint(str.ToUpper(s))) }\n\n"
    "type T struct{}\n\nfunc (T) M() { fmt.Println() }\n";

TEST(MoveGo, ImportsComeAndGoWithTheNamesThatNeedThem) {
  check("move F to a/b.go",
        std::string(kGo) + "//- a/b.go\npackage a\n\nimport (\n\t\"os\"\n)\n\nvar _ = os.Args\n",
        "//- a/a.go\npackage a\n\nimport (\n\t\"fmt\"\n)\n\n"
        "type T struct{}\n\nfunc (T) M() { fmt.Println() }\n"
        "//- a/b.go\npackage a\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\tstr \"strings\"\n)\n"
        "import \"x.org/go-yaml/v3\"\n\nvar _ = os.Args\n\n"
        "// F does.\nfunc F(s string) error { return yaml.Do(fmt.Sprint(str.ToUpper(s))) }\n");
  check("move T.M to a/new.go",
        "//- a/a.go\n//go:build linux\n\npackage a\n\nimport \"fmt\"\n\n"
        "type T struct{}\n\nfunc (T) M() { fmt.Println() }\n",
        "//- a/a.go\n//go:build linux\n\npackage a\n\ntype T struct{}\n"
        "//- a/new.go\n//go:build linux\n\npackage a\n\nimport \"fmt\"\n\n"
        "func (T) M() { fmt.Println() }\n");
}

TEST(MoveGo, RefusesWhereItWouldNotBeExact) {
  const auto with = [](std::string_view b) { return std::string(kGo) + "//- " + std::string(b); };
  refused("move F to a/b_windows.go", kGo, "other conditions");
  refused("move F to a/b_test.go", kGo, "other conditions");
  refused("move F to a/b.go", with("a/b.go\n//go:build x\n\npackage a\n"), "(//go:build)");
  refused("move F to a/b.go", with("a/b.go\npackage c\n"), "is of package c");
  refused("move F to a/b.go", with("a/b.go\npackage a\n\nimport \"x.org/fmt\"\n\nvar _ = fmt.X\n"),
          "imports another fmt");
  refused("move F to a/b.go", with("a/b.go\npackage a\n\nimport s \"strings\"\n\nvar _ = s.X\n"),
          "under another name");
  const auto one = [](std::string_view imports, std::string_view body) {
    return "//- a/a.go\npackage a\n\n" + std::string(imports) + "\n" + std::string(body);
  };
  refused("move F to a/b.go", one("import \"fmt\"\n", "func F(fmt T) { fmt.X() }\nvar _ = fmt.Y\n"),
          "has a variable fmt");
  refused("move F to a/b.go", one("import \"x.org/odd-name\"\n", "func F() { y.X() }\n"),
          "y means is not known");
  refused("move F to a/b.go", one("import . \"fmt\"\n", "func F() { Println() }\n"), "with a dot");
  refused("move F to a/b.go", one("import \"C\"\n", "func F() { C.x() }\n"), "uses C");
  refused("move F to a/b.go", one("", "//go:linkname F x\nfunc F() {}\n"), "go:linkname");
  refused("move T to a/b.go", one("", "type (\n\tT int\n\tU int\n)\n"), "stands in a group");
  refused("move I.M to a/b.go", one("", "type I interface {\n\tM()\n}\n"), "is a part of I");
  refused("move init to a/b.go", one("", "func init() {}\n"), "more than once");
}

constexpr std::string_view kModule =
    "//- go.mod\nmodule x.org/m\n"
    "//- a/a.go\npackage a\n\nimport \"fmt\"\n\n// F says.\nfunc F(t T) string { return "
    "fmt.Sprint(t, N) }\n\n"
    "type T struct{ F int }\n\nconst N = 1\n"
    "//- b/b.go\npackage b\n\nimport \"x.org/m/a\"\n\nvar s = a.F(a.T{F: 1})\n"
    "//- c/c.go\npackage c\n\nimport \"x.org/m/a\"\n\nvar s = a.F(a.T{})\n"
    "//- d/d.go\npackage d\n\nimport (\n\t\"x.org/m/a\"\n)\n\nvar f = a.F\n";

TEST(MoveGo, AnotherPackageIsNamedInFrontOfIt) {
  check(
      "move F to b/f.go", kModule,
      "//- go.mod\nmodule x.org/m\n"
      "//- a/a.go\npackage a\n\ntype T struct{ F int }\n\nconst N = 1\n"
      "//- b/f.go\npackage b\n\nimport (\n\t\"fmt\"\n\n\t\"x.org/m/a\"\n)\n\n"
      "// F says.\nfunc F(t a.T) string { return fmt.Sprint(t, a.N) }\n"
      "//- b/b.go\npackage b\n\nimport \"x.org/m/a\"\n\nvar s = F(a.T{F: 1})\n"
      "//- c/c.go\npackage c\n\nimport \"x.org/m/a\"\nimport \"x.org/m/b\"\n\nvar s = b.F(a.T{})\n"
      "//- d/d.go\npackage d\n\nimport (\n\t\"x.org/m/b\"\n)\n\nvar f = b.F\n");
}

TEST(MoveGo, RefusesAnotherPackageWhereItWouldNotBeExact) {
  const auto no = [](const std::string& a, const std::string& rest, const std::string& why) {
    refused("move F to b/f.go",
            "//- go.mod\nmodule x.org/m\n//- a/a.go\npackage a\n" + a +
                "\n//- b/b.go\npackage b\n" + rest,
            why);
  };
  no("func F() { g() }\nfunc g() {}", "", "a/a.go:2 uses g, which a does not export");
  no("type T struct{ n int }\nfunc F(t T) int { return t.n }", "", "uses n, which is not exported");
  no("func F() {}\nfunc G() { F() }", "import \"x.org/m/a\"\nvar x = a.G\n",
     "x.org/m/a would have to import x.org/m/b, which needs it");
  no("type F struct{}\nfunc (F) M() {}", "", "has methods");
  no("type F struct{ n int }\nvar x = F{n: 1}", "", "may use its field n");
  no("func F() {}\nvar m = T{F: 1}", "", "has a key F");
  no("func F() int { return N }\nconst N = 1", "var a = 1\n", "the name of package a is taken");
  no("func F(n int) int { return min(n) }", "func min(n int) int { return n }\n",
     "of its own by min");
  no("func F() {}\nfunc G(b int) { F() }", "", "means something else by b");
  no("func F() {}", "//- c/c.go\npackage c\nimport . \"x.org/m/a\"\nvar f = F\n", "with a dot");
  refused("move f to b/f.go",
          "//- go.mod\nmodule x.org/m\n//- a/a.go\npackage a\nfunc f() {}\nfunc g() { f() }\n"
          "//- b/b.go\npackage b\n",
          "a/a.go:3 uses f, which would have to be exported");
  refused("move F to x/internal/b/f.go",
          "//- go.mod\nmodule x.org/m\n//- a/a.go\npackage a\nfunc F() {}\nfunc g() { F() }\n",
          "may not import x.org/m/x/internal/b (internal)");
  refused("move F to b/f.go", "//- a/a.go\npackage a\nfunc F() {}\n", "there is no go.mod");
}

constexpr std::string_view kCrate =
    "//- Cargo.toml\n[package]\nedition = \"2021\"\n"
    "//- src/lib.rs\n//! A crate.\n\npub mod a;\nmod b;\n"
    "//- src/a/mod.rs\nuse std::fmt::{self, Write as _};\nuse std::io::Read;\nuse "
    "super::b::B;\n\nmod inner;\n\n"
    "/// Doc.\n#[inline]\nfn f<R: Read>(r: R, b: &B) -> fmt::Result {\n"
    "    let mut s = String::new();\n    write!(s, \"{}\", g(b.n))?;\n    Ok(())\n}\n\n"
    "pub fn g(n: u8) -> u8 { n }\n\nfn h() { drop(f(&b\"\"[..], &B { n: 1 })) }\n"
    "//- src/a/inner.rs\n"
    "//- src/b.rs\npub struct B { pub n: u8 }\n\n#[cfg(test)]\nmod tests {}\n";

TEST(MoveRust, TheOldModuleBringsItInAndTheNewOneWhatItNames) {
  auto want = parse(kCrate);
  want["src/a/mod.rs"] =
      "use std::fmt::{self, Write as _};\nuse std::io::Read;\nuse super::b::B;\nuse "
      "crate::b::f;\n\n"
      "mod inner;\n\npub fn g(n: u8) -> u8 { n }\n\nfn h() { drop(f(&b\"\"[..], &B { n: 1 })) }\n";
  want["src/b.rs"] =
      "use crate::a::g;\nuse std::fmt;\nuse std::fmt::Write as _;\nuse std::io::Read;\n\npub "
      "struct B { pub n: u8 }\n\n"
      "/// Doc.\n#[inline]\npub(crate) fn f<R: Read>(r: R, b: &B) -> fmt::Result {\n"
      "    let mut s = String::new();\n    write!(s, \"{}\", g(b.n))?;\n    Ok(())\n}\n\n"
      "#[cfg(test)]\nmod tests {}\n";
  EXPECT_EQ(carry_out("move f to src/b.rs", parse(kCrate)), want);
}

TEST(MoveRust, RefusesWhereItWouldNotBeExact) {
  const auto with = [](std::string_view a, std::string_view b,
                       std::string_view lib = "mod a;\nmod b;\n") {
    return "//- Cargo.toml\nedition = \"2021\"\n//- src/lib.rs\n" + std::string(lib) +
           "//- src/a.rs\n" + std::string(a) + "//- src/b.rs\n" + std::string(b);
  };
  const auto no = [](const std::string& before, const std::string& why) {
    refused("move f to src/b.rs", before, why);
  };
  no(with("fn f() { g() }\nfn g() {}\n", ""), "uses crate::a::g, which crate::b may not name");
  no(with("struct T { n: u8 }\npub fn f(t: &super::T) -> u8 { t.n }\n", ""), "self:: or super::");
  no(with("pub struct T { n: u8 }\npub fn f(t: &T) -> u8 { t.n }\n", ""),
     "uses n, which is private");
  no(with("pub struct T;\nimpl T { fn m(&self) {} }\npub fn f(t: &T) { t.m() }\n", ""),
     "uses m, which is private");
  no(with("use std::io::*;\nfn f() {}\n", ""), "imports everything of std::io");
  no(with("macro_rules! m { () => {} }\nfn f() { m!() }\n", ""), "order of the text");
  no(with("#[cfg(unix)]\nfn f() {}\n", ""), "an attribute that stays behind");
  no(with("fn f() -> Error {}\n", "struct Error;\n"), "means something of its own by Error");
  no(with("fn f() -> Error {}\n", "make! { Error }\n"), "may define Error");
  no(with("use std::fmt::Debug;\nfn f<T: Debug>(t: T) {}\n", "fn x(y: Y) { y.fmt(1) }\n"),
     "would bring another");
  no(with("fn f() {}\n", "fn f() {}\n"), "2 files define f");
  no(with("fn f() {}\n", "", "mod a;\n#[cfg(unix)]\nmod b;\n"), "depend on a condition");
  no(with("fn f() {}\n", "", "mod a;\n"), "is no module of");
  refused("move f to src/c.rs", with("fn f() {}\n", ""), "make it and its mod line first");
  refused("move T to src/b.rs", with("pub struct T { n: u8 }\n", ""), "private fields");
  refused("move f to src/b/c.rs",
          with("fn f() {}\nfn g() { f() }\n", "mod c;\npub fn c() {}\n") + "//- src/b/c.rs\n",
          "may not name crate::b::c");
}

}  // namespace
}  // namespace ambit::daemon

// [[ ]] marks the selection; the name of what is new is always "extracted".
#include "tests/daemon/refactor/extract_cases.h"

namespace ambit::daemon {
namespace {

TEST(ExtractVariable, PutsTheExpressionInFrontOfItsStatement) {
  EXPECT_EQ(variable(Language::kPython, "def f(a):\n    return g(a, [[a.b + 1]])\n"),
            "def f(a):\n    extracted = a.b + 1\n    return g(a, extracted)\n");
  EXPECT_EQ(variable(Language::kCpp, "int f(int a) {\n  if ([[a * 2]] > 3) return g(a);\n}\n"),
            "int f(int a) {\n  auto&& extracted = a * 2;\n  if (extracted > 3) return g(a);\n}\n");
  EXPECT_EQ(
      variable(Language::kTypeScript, "function f(a: A) {\r\n\tlet x = g([[a.b()]]);\r\n}\r\n"),
      "function f(a: A) {\r\n\tconst extracted = a.b();\r\n\tlet x = g(extracted);\r\n}\r\n");
  EXPECT_EQ(variable(Language::kGo, "package p\n\nfunc f(a int) int {\n\treturn g([[h(a)]])\n}\n"),
            "package p\n\nfunc f(a int) int {\n\textracted := h(a)\n\treturn g(extracted)\n}\n");
  EXPECT_EQ(
      variable(Language::kJava, "class A {\n  int f(int a) {\n    return g([[a + 1]]);\n  }\n}\n"),
      "class A {\n  int f(int a) {\n    var extracted = a + 1;\n    return g(extracted);\n  }\n"
      "}\n");
  EXPECT_EQ(variable(Language::kPython, "extracted = 1\nx = f([[a.b(c)]])\n"),
            "extracted = 1\nextracted2 = a.b(c)\nx = f(extracted2)\n");
  EXPECT_EQ(variable(Language::kPython, "def f(self):\n    self.log([[self.name()]])\n"),
            "def f(self):\n    extracted = self.name()\n    self.log(extracted)\n");
}

TEST(ExtractVariable, RefusesWhereTheProgramCouldChange) {
  const auto refused = [](Language language, const std::string& text) {
    EXPECT_TRUE(variable(language, text).starts_with("refused: ")) << variable(language, text);
  };
  const auto python = [&](const std::string& line) {
    refused(Language::kPython, "def f(a, b, xs):\n    " + line + "\n");
  };
  python("return a and [[b.c()]]");
  python("return g() + [[h()]]");
  python("return a.b + [[h()]]");
  python("while [[a.next()]]: pass");
  python("return [ [[g(x)]] for x in xs]");
  python("return lambda: [[g(a)]]");
  python("return 1 if a else [[b.c]]");
  python("return a < b < [[g(a)]]");
  python("[[a.b]] = 1");
  python("a += [[g()]]");
  python("[[g(a)]]");
  python("return [[g]](a)");
  python("return [[a + b]] * 2 if False else 1");
  python("x = 1; y = [[a.b]]");
  python("return g(a[[, b]])");
  refused(Language::kPython, "class A:\n    x = g([[a.b]])\n");
  const auto cpp = [&](const std::string& line) {
    refused(Language::kCpp, "int f(int a, int b) {\n  " + line + "\n}\n");
  };
  cpp("return a && [[b + 1]];");
  cpp("for (int i = 0; i < [[a * 2]]; ++i) g(i);");
  cpp("while ([[a + b]]) --a;");
  cpp("if (a) return [[b + 1]];");
  cpp("if (a) { } else if ([[b + 1]]) { }");
  cpp("return h([[g(t(a))]]);");
  cpp("x[ [[a.b]] ] = &[[b]]");
  refused(Language::kC, "int f(int a) {\n  return g([[a + 1]]);\n}\n");
  const auto script = [&](const std::string& line) {
    refused(Language::kJavaScript, "function f(a, b) {\n  " + line + "\n}\n");
  };
  script("return a ?? [[b.c()]];");
  script("return a?.[[b]];");
  script("return [[a.b]]();");
  script("return () => [[a.b()]];");
  script("delete [[a.b]];");
  script("if (a) return [[b.c()]];");
  script("for (; [[a.b()]];) { }");
}

TEST(ExtractFunction, PassesWhatIsReadAndReturnsWhatIsUsed) {
  EXPECT_EQ(function(Language::kPython,
                     "import os\n\n\n# Adds.\ndef f(a, xs):\n    total = 0\n    for x in xs:\n"
                     "        [[y = x * a\n        total += y]]\n    return total\n"),
            "import os\n\n\ndef extracted(x, a, total):\n    y = x * a\n    total += y\n"
            "    return total\n\n\n# Adds.\ndef f(a, xs):\n    total = 0\n    for x in xs:\n"
            "        total = extracted(x, a, total)\n    return total\n");
  EXPECT_EQ(function(Language::kPython,
                     "class A:\n    def f(self):\n        [[if self.on:\n            self.x = 1]]\n"
                     "        return g(self)\n"),
            "def extracted(self):\n    if self.on:\n        self.x = 1\n\n\nclass A:\n"
            "    def f(self):\n        extracted(self)\n        return g(self)\n");
  EXPECT_EQ(function(Language::kJavaScript,
                     "function f(a) {\n  [[const b = a.x;\n  const c = b + 1;]]\n  return c;\n}\n"),
            "function extracted(a) {\n  const b = a.x;\n  const c = b + 1;\n  return c;\n}\n\n"
            "function f(a) {\n  const c = extracted(a);\n  return c;\n}\n");
  EXPECT_EQ(
      function(Language::kJavaScript,
               "function f(a) {\n  let n = 0;\n  [[if (a) {\n    n += a;\n  }]]\n  return n;\n}\n"),
      "function extracted(a, n) {\n  if (a) {\n    n += a;\n  }\n  return n;\n}\n\n"
      "function f(a) {\n  let n = 0;\n  n = extracted(a, n);\n  return n;\n}\n");
}

TEST(ExtractFunction, RefusesJumpsAndWhatMeansSomethingElseThere) {
  const auto refused = [](Language language, const std::string& text) {
    EXPECT_TRUE(function(language, text).starts_with("refused: ")) << function(language, text);
  };
  const auto python = [&](const std::string& lines) {
    refused(Language::kPython, "def f(a, b):\n    for x in a:\n" + lines + "    return b\n");
  };
  python("        [[if x:\n            return 1]]\n");
  python("        [[if x:\n            break]]\n");
  python("        [[g(x\n]],  b)\n");
  python("        [[y = yield x]]\n");
  python("        [[a.__secret()]]\n");
  python("        [[y = '''a\n  b''']]\n");
  python("        [[if x:\n            y = 1]]\n        g(y)\n");
  python("        [[h = lambda: x]]\n");
  const auto script = [&](const std::string& lines) {
    refused(Language::kJavaScript, "let n = 0;\nfunction f(a) {\n" + lines + "  return a;\n}\n");
  };
  script("  [[this.x = a;]]\n");
  script("  [[n = a;]]\n");
  script("  [[const b = 1;\n  const c = 2;]]\n  g(b, c);\n");
  script("  [[await a;]]\n");
  script("  [[g(arguments);]]\n");
  const auto typed = [&](const std::string& lines) {
    refused(Language::kTypeScript, "function f<T>(a: T, b) {\n" + lines + "  return a;\n}\n");
  };
  typed("  [[g(b);]]\n");
  typed("  let n = g();\n  [[h(n);]]\n");
  refused(Language::kLua, "function f(a)\n  [[g(a)]]\nend\n");
}

TEST(ExtractFunction, GivesParametersTheTypesThatAreWritten) {
  EXPECT_EQ(function(Language::kTypeScript,
                     "function f(a: Map<string, A>, b?: B) {\n  let n = 0;\n"
                     "  [[n += a.size;\n  g(b);]]\n  return n;\n}\n"),
            "function extracted(n: number, a: Map<string, A>, b: B | undefined) {\n"
            "  n += a.size;\n  g(b);\n  return n;\n}\n\n"
            "function f(a: Map<string, A>, b?: B) {\n  let n = 0;\n"
            "  n = extracted(n, a, b);\n  return n;\n}\n");
  EXPECT_EQ(function(Language::kC,
                     "/* Sums. */\nint f(const struct a *p, int n)\n{\n\tint sum = 0;\n"
                     "\t[[for (int i = 0; i < n; i++)\n\t\tsum += p->v[i];]]\n\treturn sum;\n}\n"),
            "static int extracted(int n, int sum, const struct a *p)\n{\n"
            "\tfor (int i = 0; i < n; i++)\n\t\tsum += p->v[i];\n\treturn sum;\n}\n\n"
            "/* Sums. */\nint f(const struct a *p, int n)\n{\n\tint sum = 0;\n"
            "\tsum = extracted(n, sum, p);\n\treturn sum;\n}\n");
  EXPECT_EQ(function(Language::kC, "void f(char *s) {\n  [[char *end = s + 1;]]\n  g(end);\n}\n"),
            "static char *extracted(char *s) {\n  char *end = s + 1;\n  return end;\n}\n\n"
            "void f(char *s) {\n  char *end = extracted(s);\n  g(end);\n}\n");
  EXPECT_EQ(function(Language::kCpp,
                     "namespace n {\n\nint f(const std::string& s, std::vector<int> v) {\n"
                     "  int k = 0;\n  [[v.push_back(1);\n  k += v.size() + s.size();]]\n"
                     "  return k;\n}\n\n}\n"),
            "namespace n {\n\nstatic void extracted(std::vector<int>& v, int& k, "
            "const std::string& s) {\n  v.push_back(1);\n  k += v.size() + s.size();\n}\n\n"
            "int f(const std::string& s, std::vector<int> v) {\n  int k = 0;\n"
            "  extracted(v, k, s);\n  return k;\n}\n\n}\n");
}

TEST(ExtractFunction, TellsVariablesOfOneNameApart) {
  EXPECT_EQ(function(Language::kC,
                     "void f(int a) {\n  if (a) {\n    int b = 1;\n    g(b);\n  } else {\n"
                     "    [[int b = a;\n    g(b);]]\n  }\n}\n"),
            "static void extracted(int a) {\n  int b = a;\n  g(b);\n}\n\n"
            "void f(int a) {\n  if (a) {\n    int b = 1;\n    g(b);\n  } else {\n    "
            "extracted(a);\n  }\n}\n");
  EXPECT_EQ(
      function(Language::kC,
               "void f(int a) {\n  char *b;\n  {\n    long b = 1;\n    [[g(b);]]\n  }\n"
               "  g(b);\n}\n"),
      "static void extracted(long b) {\n  g(b);\n}\n\n"
      "void f(int a) {\n  char *b;\n  {\n    long b = 1;\n    extracted(b);\n  }\n  g(b);\n}\n");
}

TEST(ExtractFunction, InGoPassesWhatIsWrittenAndMissesNothingAfterwards) {
  const auto go = [](const std::string& lines, const std::string& rest = "") {
    return function(Language::kGo,
                    "package p\n\n// F.\nfunc (c *T) f(n int, w ...string) (err error) {\n" +
                        lines + rest + "\treturn nil\n}\n");
  };
  EXPECT_EQ(
      go("\tif n > 0 {\n\t\t[[for _, s := range w {\n\t\t\tc.add(s, n)\n\t\t}\n\t\tc.n++]]\n\t}\n"),
      "package p\n\n// F.\nfunc (c *T) f(n int, w ...string) (err error) {\n\tif n > 0 {\n"
      "\t\textracted(c, n, w)\n\t}\n\treturn nil\n}\n\n"
      "func extracted(c *T, n int, w []string) {\n\tfor _, s := range w {\n\t\tc.add(s, "
      "n)\n\t}\n\tc.n++\n}\n");
  const auto refused = [&](const std::string& lines, const std::string& why,
                           const std::string& rest = "") {
    EXPECT_NE(go(lines, rest).find("refused: "), std::string::npos) << go(lines, rest);
    EXPECT_NE(go(lines, rest).find(why), std::string::npos) << go(lines, rest);
  };
  refused("\t[[n++]]\n", "n is changed, and used afterwards", "\tg(n)\n");
  refused("\tfor {\n\t\t[[n++]]\n\t}\n", "n is changed");
  refused("\t[[err = g()]]\n", "err is changed");
  refused("\t[[g(&n)]]\n", "address of n");
  refused("\tx := 1\n\t[[g(x)]]\n", "the type of x is not written");
  refused("\t[[x := 1\n\tg(x)]]\n", "x is used afterwards", "\tg(x)\n");
  refused("\tvar m sync.Mutex\n\t[[m.Lock()]]\n", "m may be a value");
  refused("\tvar a [4]int\n\t[[a[0] = 1]]\n", "a may be a value");
  refused("\tdefer func() { g(n) }()\n\t[[n = 2]]\n", "known to a function literal");
  refused("\t[[if n > 0 {\n\t\treturn err\n\t}]]\n", "return statement");
  refused("\t[[defer g()]]\n", "defer statement");
  refused("\tfor {\n\t\t[[break]]\n\t}\n", "jumps out");
  refused("\tvar x int\n\t[[g(x)\n\tx := 2\n\tg(x)]]\n", "x is declared more than once");
  EXPECT_NE(
      function(Language::kGo, "package p\n\nfunc f[T any](t T) {\n\t[[g(t)]]\n}\n").find("generic"),
      std::string::npos);
  EXPECT_NE(function(Language::kGo, "package p\n\nfunc f() int {\n\t[[panic(1)]]\n}\n")
                .find("has a result"),
            std::string::npos);
}

TEST(ExtractFunction, RefusesInCWhereTheTypesOrTheMeaningAreNotKnown) {
  EXPECT_EQ(function(Language::kC,
                     "#if A\nvoid f(void) {\n#else\nvoid g(void) {\n#endif\n  [[h();]]\n}\n"),
            "refused: the function stands across an #if");
  EXPECT_EQ(function(Language::kC, "void f(int a) {\n  if (a) {\n    [[g(a);\n  }]]\n}\n"),
            "refused: select whole statements");
  EXPECT_EQ(function(Language::kJavaScript, "function f(a) {\n  if (a) {\n    [[g(a);\n  }]]\n}\n"),
            "refused: select whole statements");
  const auto why = [](Language language, const std::string& lines) {
    return function(language, "int f(int a, int *p) {\n" + lines + "  return a;\n}\n");
  };
  const auto c = [&](const std::string& lines, const std::string& words) {
    EXPECT_NE(why(Language::kC, lines).find(words), std::string::npos) << why(Language::kC, lines);
  };
  const auto cpp = [&](const std::string& lines, const std::string& words) {
    EXPECT_NE(why(Language::kCpp, lines).find(words), std::string::npos)
        << why(Language::kCpp, lines);
  };
  c("  [[if (a)\n    return 1;]]\n", "return statement");
  c("  [[goto out;]]\nout:\n", "goto statement");
  c("  while (a) {\n    [[if (a) break;]]\n  }\n", "jumps out of itself");
  c("  [[g(&a);]]\n", "takes the address of a");
  c("  int b = 1, d = 2;\n  [[b++; d++;]]\n  g(b, d);\n", "more than one variable");
  c("  int b[4];\n  [[g(sizeof(b), b);]]\n", "b is an array");
  c("  [[TRY(g(a));]]\n", "TRY looks like a macro");
  c("  static int k;\n  [[k++;]]\n", "k is static");
  c("  struct s { int x; };\n  [[g(a);]]\n", "declares names of its own");
  c("  [[g(__func__);]]\n", "__func__ means something else");
  c("  for_each(p, b) {\n    [[g(b);]]\n  }\n", "where b is declared");
  cpp("  [[B b(a);]]\n  b.h();\n", "looks like one");
  cpp("  auto b = g();\n  [[h(b);]]\n", "the type of b is not written");
  cpp("  [[int& r = a;]]\n  r = 1;\n", "is a reference");
  cpp("  auto l = [&] {\n    [[g(a);]]\n  };\n", "lambda");
  EXPECT_NE(function(Language::kCpp, "struct S {\n  int f(int a) {\n    [[g(a);]]\n  }\n};\n")
                .find("is a member"),
            std::string::npos);
  EXPECT_NE(function(Language::kCpp, "int S::f(int a) {\n  [[g(a);]]\n  return 1;\n}\n")
                .find("is a member"),
            std::string::npos);
  EXPECT_NE(
      function(Language::kCpp, "template <class T>\nint f(T a) {\n  [[g(a);]]\n  return 1;\n}\n")
          .find("is a template"),
      std::string::npos);
}

}  // namespace
}  // namespace ambit::daemon

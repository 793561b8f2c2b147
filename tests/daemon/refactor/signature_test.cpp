// A function and its callers, language by language. Files begin with "//- path".
#include <gtest/gtest.h>

#include "tests/daemon/refactor/move_cases.h"

namespace ambit::daemon {
namespace {

constexpr const char* kAdd = "add parameter ";

TEST(Signature, GoKeepsTypesThatStandBehindALaterName) {
  const auto go = [](const std::string& list, const std::string& call) {
    return "//- a.go\npackage a\n\nfunc f(" + list + ") {}\n\nvar _ = f(" + call + ")\n";
  };
  check("remove parameter b from f", go("a, b int, c string", "1, 2, s"),
        go("a int, c string", "1, s"));
  check("remove parameter a from f", go("a, b int", "1, 2"), go("b int", "2"));
  check("reorder parameters of f to c, a, b", go("a, b int, c string", "1, 2, s"),
        go("c string, a int, b int", "s, 1, 2"));
  check(std::string(kAdd) + "\"x bool\" to f before b with true", go("a, b int", "1, 2"),
        go("a int, x bool, b int", "1, true, 2"));
  check(std::string(kAdd) + "\"x bool\" to f with true", go("a int, rest ...string", "1, s, t"),
        go("a int, x bool, rest ...string", "1, true, s, t"));
  refused("remove parameter a from f", go("a int, rest ...string", "g()..."),
          "length is not known");
}

TEST(Signature, RustKnowsLifetimesAndPaths) {
  check(
      "reorder parameters of f to b, a",
      "//- src/lib.rs\nfn f<'a>(a: &'a str, b: &'a [u8]) {}\nfn g() { f(\"x, y\", &[b',', 2]) }\n",
      "//- src/lib.rs\nfn f<'a>(b: &'a [u8], a: &'a str) {}\nfn g() { f(&[b',', 2], \"x, y\") }\n");
  check(std::string(kAdd) + "\"deep: bool\" to T::m with true",
        "//- src/lib.rs\nstruct T;\nimpl T {\n    fn m(&self, a: Map<i32, u8>) {}\n"
        "    fn g(&self) { self.m(x); T::m(self, y) }\n}\n",
        "//- src/lib.rs\nstruct T;\nimpl T {\n    fn m(&self, a: Map<i32, u8>, deep: bool) {}\n"
        "    fn g(&self) { self.m(x, true); T::m(self, y, true) }\n}\n");
  refused("remove parameter a from f", "//- src/lib.rs\nfn f(a: i32) { println!(\"{a}\") }\n",
          "still used");
}

TEST(Signature, PythonPassesByNameWhereThePlaceIsTaken) {
  const auto py = [](const std::string& list, const std::string& calls) {
    return "//- a.py\ndef f(" + list + "):\n    pass\n\n\n" + calls;
  };
  check(std::string(kAdd) + "x to f with 7",
        py("a, b=1, *args, **kw", "f(1)\nf(1, 2, 3, k=4)\nf(*l)\n"),
        py("a, b=1, *args, x, **kw", "f(1, x=7)\nf(1, 2, 3, k=4, x=7)\nf(*l, x=7)\n"));
  check(std::string(kAdd) + "x to f with 7", py("a, b=1", "f(1)\nf(1, 2)\nf(a=1)\nf(1, b=2)\n"),
        py("a, x, b=1", "f(1, 7)\nf(1, 7, 2)\nf(a=1, x=7)\nf(1, 7, b=2)\n"));
  check("remove parameter b from f", py("a, /, b, *, c", "f(1, 2, c=3)\nf(1, b=2, c=3)\n"),
        py("a, /, *, c", "f(1, c=3)\nf(1, c=3)\n"));
  check("reorder parameters of f to b, a",
        py("a, b", "f(f(1, 2), 3)\nf(b=1, a=2)\nf('a, b', (1, 2))\n"),
        py("b, a", "f(3, f(2, 1))\nf(b=1, a=2)\nf((1, 2), 'a, b')\n"));
  refused("reorder parameters of f to b, a", py("a, b", "f(1, b=2)\n"),
          "a.py:5 leaves out an argument");
  refused("reorder parameters of f to b, a", py("a, b", "f(*l)\n"), "length is not known");
  refused("reorder parameters of f to b, a", py("a, b=1", "f(1)\n"), "may be left out");
  refused("reorder parameters of f to b, c", py("a, b", ""), "of f, each once: a, b");
  refused(std::string(kAdd) + "x=1 to f before b", py("a, b", "f(1, 2)\n"),
          "passes arguments behind it");
}

TEST(Signature, ConstructorsAreCalledByTheNameOfTheirClass) {
  const auto py = [](const std::string& list, const std::string& call) {
    return "//- a.py\nclass C:\n    def __init__(self" + list + "):\n        pass\n\n\n" +
           "//- b.py\nimport a\nfrom a import C\n\n\ndef f(x: C) -> C:\n    isinstance(x, C)\n    "
           "a.C(" +
           call + ")\n    return C(" + call + ")\n";
  };
  check(std::string(kAdd) + "b to C.__init__ with 7", py(", a", "1"), py(", a, b", "1, 7"));
  check("reorder parameters of C.__init__ to b, a", py(", a, b", "1, 2"), py(", b, a", "2, 1"));
  refused(std::string(kAdd) + "b to C.__init__ with 7", py(", a", "1") + "g(C)\n",
          "b.py:9 passes C on");
  refused(std::string(kAdd) + "b to C.__init__ with 7", py(", a", "1") + "class D(C):\n    pass\n",
          "b.py:9 inherits from C");
  check(std::string(kAdd) + "b=1 to C.__init__", py(", a", "1") + "g(C)\n",
        py(", a, b=1", "1") + "g(C)\n");
  refused(std::string(kAdd) + "b to C.__init__ with 7",
          "//- a.py\nclass C:\n    def __init__(self):\n        pass\n\n    @classmethod\n"
          "    def make(cls):\n        return cls()\n",
          "makes objects of itself");
  const auto ts = [](const std::string& list, const std::string& call) {
    return "//- a.ts\nexport class C<T> { constructor(" + list + ") {} }\n" +
           "//- b.ts\nimport { C } from './a';\nconst c: C<number> = new C<number>(" + call +
           ");\nif (c instanceof C) {}\n";
  };
  check(std::string(kAdd) + "\"b: string\" to C.constructor with s", ts("a: number", "1"),
        ts("a: number, b: string", "1, s"));
  refused(std::string(kAdd) + "\"b: string\" to C.constructor with s",
          ts("a: number", "1") + "class D extends C<string> {}\n", "inherits from C");
  const auto java = [](const std::string& list, const std::string& call) {
    return "//- A.java\nclass A {\n  A(" + list + ") {}\n  static A make() { return new A(" + call +
           "); }\n}\n";
  };
  check("reorder parameters of A.A to b, a", java("int a, int b", "1, 2"),
        java("int b, int a", "2, 1"));
  refused("reorder parameters of A.A to b, a",
          "//- A.java\nclass A {\n  A(int a, int b) {}\n  A() { this(1, 2); }\n}\n",
          "several constructors");
  refused(std::string(kAdd) + "\"int b\" to A::A with 1",
          "//- a.hpp\nstruct A {\n  A(int a);\n};\n", "only a parameter with a default");
  check(std::string(kAdd) + "\"int b = 1\" to A::A",
        "//- a.hpp\n#pragma once\nstruct A {\n  A(int a);\n};\n//- a.cpp\n#include "
        "\"a.hpp\"\nA::A(int a) {}\n",
        "//- a.hpp\n#pragma once\nstruct A {\n  A(int a, int b = 1);\n};\n"
        "//- a.cpp\n#include \"a.hpp\"\nA::A(int a, int b) {}\n");
}

TEST(Signature, PythonMethodsAreCalledInTwoWays) {
  check("remove parameter a from T.m",
        "//- a.py\nclass T:\n    def m(self, a, b):\n        return b\n\n    def g(self):\n"
        "        return self.m(1, 2) + T.m(self, 3, 4)\n",
        "//- a.py\nclass T:\n    def m(self, b):\n        return b\n\n    def g(self):\n"
        "        return self.m(2) + T.m(self, 4)\n");
}

TEST(Signature, ScriptsKnowOptionalAndOpenParameters) {
  const auto ts = [](const std::string& list, const std::string& calls) {
    return "//- a.ts\nexport function f(" + list + ") {}\n" + calls;
  };
  check(std::string(kAdd) + "\"x: number\" to f with 7",
        ts("a: () => void, b?: string", "f(g);\nf(() => h(1, 2), `a, ${b}`);\n"),
        ts("a: () => void, x: number, b?: string", "f(g, 7);\nf(() => h(1, 2), 7, `a, ${b}`);\n"));
  check("reorder parameters of f to b, a",
        ts("a: Map<string, number>, b: number[]", "f(m, [1, 2]);\n"),
        ts("b: number[], a: Map<string, number>", "f([1, 2], m);\n"));
  refused("reorder parameters of f to b, a", ts("a, b", "f(...list);\n"), "length is not known");
}

TEST(Signature, JavaAndCppOverloadsAreRefused) {
  const std::string java =
      "//- A.java\nclass A {\n  static int f(int a, String b) { return a; }\n"
      "  int g() { return f(1, \"x, y\"); }\n";
  check("reorder parameters of f to b, a", java + "}\n",
        "//- A.java\nclass A {\n  static int f(String b, int a) { return a; }\n"
        "  int g() { return f(\"x, y\", 1); }\n}\n");
  refused("reorder parameters of f to b, a",
          java + "  static int f(int a, int b) { return a; }\n}\n", "cannot be told apart");
  check("reorder parameters of f to n, call",
        "//- a.hpp\n#pragma once\nvoid f(void (*)(int), long);\n"
        "//- a.cpp\n#include \"a.hpp\"\nvoid f(void (*call)(int), long n) { call(n); }\n"
        "void g() { f(h<int, 2>, 1'000); }\n",
        "//- a.hpp\n#pragma once\nvoid f(long, void (*)(int));\n"
        "//- a.cpp\n#include \"a.hpp\"\nvoid f(long n, void (*call)(int)) { call(n); }\n"
        "void g() { f(1'000, h<int, 2>); }\n");
  refused("remove parameter a from f", "//- a.cpp\nvoid f(int a) {}\nvoid f(int a, int b) {}\n",
          "cannot be told apart");
}

TEST(Signature, InterfacesThatAreNotSeenSayWhatAMethodTakes) {
  const std::string go =
      "//- a.go\npackage a\n\ntype T []int\n\nfunc (t T) Less(i, j int) bool { return i < j }\n"
      "func (t T) Swap(i, j int)      {}\n";
  refused("reorder parameters of T.Less to j, i", go + "func (t T) Len() int { return 0 }\n",
          "a.go:3 T is sort.Interface by its Less(int,int)bool");
  check(
      "reorder parameters of T.Less to j, i", go,
      "//- a.go\npackage a\n\ntype T []int\n\nfunc (t T) Less(j int, i int) bool { return i < j }\n"
      "func (t T) Swap(i, j int)      {}\n");
  refused("add parameter \"n: u8\" to fmt with 1",
          "//- src/lib.rs\nstruct T;\nimpl Display for T {\n    fn fmt(&self, f: &mut F) -> R { "
          "f.w() }\n}\n",
          "trait Display, which is outside");
  refused("add parameter \"int n\" to run with 1",
          "//- A.java\nclass A implements Runnable {\n  @Override\n  public void run() {}\n}\n",
          "this does not see");
  refused("add parameter \"int n\" to S::run with 1",
          "//- a.hpp\nstruct S : Other {\n  void run() override { }\n};\n", "this does not see");
}

TEST(Signature, SaysWhereTheOrderOfEffectsChanges) {
  std::vector<std::string> notes;
  const auto got = carry_out("reorder parameters of f to b, a",
                             parse("//- a.c\nint f(int a, int b) { return a - b; }\n"
                                   "int g(void) { return f(h(), i()) + f(1, 2); }\n"),
                             &notes);
  EXPECT_EQ(got.at("a.c"),
            "int f(int b, int a) { return a - b; }\n"
            "int g(void) { return f(i(), h()) + f(2, 1); }\n");
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("a.c:2 computes its arguments in another order"), std::string::npos)
      << notes[0];
}

TEST(Signature, WhoCallsAValueIsNotKnown) {
  const std::string c = "//- a.c\nint f(int a, int b) { return a - b; }\nint (*p)(int, int) = f;\n";
  refused("reorder parameters of f to b, a", c, "a.c:2 uses it as a value");
  refused("add parameter \"int c\" to f with 1", c, "a.c:2 uses it as a value");
  std::vector<std::string> notes;
  const auto got = carry_out("add parameter c=1 to f",
                             parse("//- a.py\ndef f(a):\n    pass\n\n\ng(f)\n"), &notes);
  EXPECT_EQ(got.at("a.py"), "def f(a, c=1):\n    pass\n\n\ng(f)\n");
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("a.py:5 is no call"), std::string::npos) << notes[0];
  refused("add parameter \"int c\" to main with 1", "//- a.c\nint main(int n) { return n; }\n",
          "called by the language");
  refused("add parameter \"n int\" to TestF with 1",
          "//- go.mod\nmodule m\n//- a_test.go\npackage m\n\nfunc TestF(t *testing.T) {}\n",
          "called by the language");
}

TEST(Signature, ImportsAreNoUsesToTellOf) {
  std::vector<std::string> notes;
  const auto got = carry_out("reorder parameters of f to b, a",
                             parse("//- a.js\nexport default function f(a, b) {}\n"
                                   "//- b.js\nimport f from './a.js';\nf(1, 2);\nexport { f };\n"),
                             &notes);
  EXPECT_EQ(got.at("b.js"), "import f from './a.js';\nf(2, 1);\nexport { f };\n");
  EXPECT_TRUE(notes.empty()) << notes[0];
}

}  // namespace
}  // namespace ambit::daemon

// Extract to a function in Java and Rust. The selection stands between [[ and ]].
#include "tests/daemon/refactor/extract_cases.h"

namespace ambit::daemon {
namespace {

std::string java(const std::string& lines,
                 const std::string& head = "  int f(int a, String... s) throws E") {
  return function(Language::kJava, "class A {\n" + head + " {\n" + lines + "  }\n}\n");
}

TEST(ExtractFunction, JavaPassesValuesAndThrowsWhatMayBeThrown) {
  EXPECT_EQ(java("    int n = 0;\n    for (String w : s) {\n      [[n += w.length() + a;\n      "
                 "this.a = n;]]\n    }\n"
                 "    return n;\n"),
            "class A {\n  int f(int a, String... s) throws E {\n    int n = 0;\n    for (String w "
            ": s) {\n"
            "      n = extracted(a, n, w);\n    }\n    return n;\n  }\n\n"
            "  private int extracted(int a, int n, String w) throws E {\n    n += w.length() + a;\n"
            "    this.a = n;\n    return n;\n  }\n}\n");
  EXPECT_EQ(java("    try {\n      [[List<String> l = g(s);\n      h(l);]]\n      h(l);\n    } "
                 "catch (F | G e) {\n    }\n",
                 "  static void f(String[] s)"),
            "class A {\n  static void f(String[] s) {\n    try {\n      List<String> l = "
            "extracted(s);\n      h(l);\n"
            "    } catch (F | G e) {\n    }\n  }\n\n"
            "  private static List<String> extracted(String[] s) throws F, G {\n    List<String> l "
            "= g(s);\n"
            "    h(l);\n    return l;\n  }\n}\n");
}

TEST(ExtractFunction, JavaRefusesWhatItCannotSee) {
  const auto refused = [](const std::string& lines, const std::string& why) {
    const auto got = java(lines + "    return a;\n");
    EXPECT_NE(got.find("refused: "), std::string::npos) << got;
    EXPECT_NE(got.find(why), std::string::npos) << got;
  };
  refused("    [[if (a > 0) {\n      return 1;\n    }]]\n", "return statement");
  refused("    for (;;) {\n      [[break;]]\n    }\n", "jumps out");
  refused("    var x = g();\n    [[h(x);]]\n", "the type of x is not written");
  refused("    int x;\n    [[x = 1;]]\n    h(x);\n", "may have no value");
  refused("    [[int x;\n    x = a;]]\n    h(x);\n", "may have no value");
  refused("    int x = 1;\n    int y = 1;\n    [[x++;\n    y++;]]\n    h(x, y);\n",
          "more than one variable");
  refused("    Runnable r = () -> {\n      [[h(a);]]\n    };\n", "inside of a lambda");
  refused("    if (a > 0) {\n      [[throw new X();]]\n    }\n", "ends with a throw");
  EXPECT_NE(java("    [[while (true) {\n      g();\n    }]]\n").find("has a result"),
            std::string::npos);
  EXPECT_NE(java("    [[g(t);]]\n", "  <T> void f(T t)").find("generic"), std::string::npos);
  EXPECT_NE(function(Language::kJava, "class A {\n  A(int a) {\n    [[g(a);]]\n  }\n}\n")
                .find("constructor"),
            std::string::npos);
}

std::string rust(const std::string& lines,
                 const std::string& head = "fn f(a: u32, s: &str, v: &mut Vec<u32>) -> u32") {
  return function(Language::kRust, head + " {\n" + lines + "    a\n}\n");
}

TEST(ExtractFunction, RustPassesNumbersAndReferences) {
  EXPECT_EQ(
      rust("    let mut n: usize = 0;\n    [[v.push(a);\n    n += s.len();\n    "
           "println!(\"{s}\");]]\n    g(n);\n"),
      "fn f(a: u32, s: &str, v: &mut Vec<u32>) -> u32 {\n    let mut n: usize = 0;\n    n = "
      "extracted(a, s, v, n);\n"
      "    g(n);\n    a\n}\n\n"
      "fn extracted(a: u32, s: &str, v: &mut Vec<u32>, mut n: usize) -> usize {\n    v.push(a);\n"
      "    n += s.len();\n    println!(\"{s}\");\n    n\n}\n");
  EXPECT_EQ(rust("    [[let mut x: String = g(s);\n    x.push('a');]]\n    h(x);\n"),
            "fn f(a: u32, s: &str, v: &mut Vec<u32>) -> u32 {\n    let mut x: String = "
            "extracted(s);\n    h(x);\n    a\n}\n\n"
            "fn extracted(s: &str) -> String {\n    let mut x: String = g(s);\n    x.push('a');\n  "
            "  x\n}\n");
  // A method: the new function stands behind its impl.
  EXPECT_EQ(function(Language::kRust,
                     "impl<'b> T<'b> {\n    fn f<'a>(&self, s: &'a str) {\n        if g() {\n      "
                     "      [[h(s);]]\n        }\n    }\n}\n"),
            "impl<'b> T<'b> {\n    fn f<'a>(&self, s: &'a str) {\n        if g() {\n            "
            "extracted(s);\n        }\n    }\n}\n\n"
            "fn extracted(s: &str) {\n    h(s);\n}\n");
}

TEST(ExtractFunction, RustRefusesWhatOnlyTheCompilerKnows) {
  const auto refused = [](const std::string& lines, const std::string& why) {
    const auto got = rust(lines);
    EXPECT_NE(got.find("refused: "), std::string::npos) << got;
    EXPECT_NE(got.find(why), std::string::npos) << got;
  };
  refused("    [[g(a)?;]]\n", "try expression");
  refused("    [[if a > 0 {\n        return 1;\n    }]]\n", "return expression");
  refused("    loop {\n        [[break;]]\n    }\n", "jumps out");
  refused("    let x = 1;\n    [[g(x);]]\n", "the type of x is not written");
  refused("    let x: String = h();\n    [[g(x);]]\n", "would be moved");
  refused("    [[let lock = m.lock();\n    g(a);]]\n    h();\n", "would be dropped earlier");
  refused("    [[let x: &str = h();\n    g(x);]]\n    g(x);\n", "may borrow");
  refused("    [[log!(\"{a}\");]]\n", "macro log");
  refused("    let x: u32 = 1;\n    [[g(x);\n    let x = h();\n    g(x);]]\n    k();\n",
          "dropped earlier");
  refused("    let c = |b: u32| {\n        [[g(b);]]\n    };\n", "closure");
  refused("    unsafe {\n        [[g(a);]]\n    }\n", "unsafe block");
  EXPECT_NE(rust("    [[g(t);]]\n", "fn f<T: X>(t: &T, a: u32) -> u32").find("parameter T"),
            std::string::npos);
  EXPECT_NE(
      function(Language::kRust, "impl T {\n    fn f(&self) {\n        [[self.g();]]\n    }\n}\n")
          .find("self"),
      std::string::npos);
  EXPECT_NE(function(Language::kRust, "fn f() -> u32 {\n    [[g()]]\n}\n").find("refused"),
            std::string::npos);
}

TEST(ExtractVariable, RustTakesValuesThatAreMovedAtOnce) {
  EXPECT_EQ(variable(Language::kRust, "fn f(a: u32) -> u32 {\n    g([[a + 1]])\n}\n"),
            "fn f(a: u32) -> u32 {\n    let extracted = a + 1;\n    g(extracted)\n}\n");
  EXPECT_EQ(
      variable(Language::kRust, "fn f(a: u32) {\n    let x = S { b: [[h(&a)]], c: 1 };\n}\n"),
      "fn f(a: u32) {\n    let extracted = h(&a);\n    let x = S { b: extracted, c: 1 };\n}\n");
  // One edit, where the statement begins with it.
  EXPECT_EQ(
      extract_variable(Language::kRust, "fn f() {\n    h(1)?;\n}\n", {13, 17}).value().edits.size(),
      1U);
  const auto refused = [](const std::string& line, const std::string& why) {
    const auto got = variable(Language::kRust, "fn f(a: u32) -> u32 {\n    " + line + "\n}\n");
    EXPECT_NE(got.find("refused: "), std::string::npos) << got;
    EXPECT_NE(got.find(why), std::string::npos) << got;
  };
  refused("g(&[[h(a)]])", "not always evaluated");
  refused("g([[*a]])", "the place is meant");
  refused("[[h(a)]].g()", "not always evaluated");
  refused("g([[h(m.lock())]]);", "dropped earlier");
  refused("g(a, || [[h(a)]]);", "not always evaluated");
  refused("k(a) + g([[h(a)]]);", "is evaluated before it");
  refused("b && g([[a + 1]])", "decides whether");
  refused("match [[h(a)]] { _ => 1 }", "not always evaluated");
}

}  // namespace
}  // namespace ambit::daemon

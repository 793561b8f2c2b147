// Moves of Java: types between packages, static methods between classes. Files begin with "//-
// path".
#include <gtest/gtest.h>

#include "tests/daemon/refactor/move_cases.h"

namespace ambit::daemon {
namespace {

constexpr std::string_view kTypes =
    "//- src/a/Box.java\n"
    "/* Licence. */\npackage a;\n\nimport java.util.List;\n\n/** Doc. */\n"
    "public class Box {\n  public static final int MAX = 3;\n  public static class Lid {}\n"
    "  public List<Shelf> shelves(Room room) { return room.shelves; }\n}\n"
    "//- src/a/Shelf.java\npackage a;\n\npublic class Shelf { Box box; a.Box other; }\n"
    "//- src/a/Room.java\npackage a;\n\nimport java.util.List;\n\n"
    "public class Room { public List<Shelf> shelves; }\n"
    "//- src/b/User.java\npackage b;\n\nimport a.Box;\nimport a.Box.Lid;\n"
    "import static a.Box.MAX;\n\nclass User { Box box; Lid lid; int n = MAX; }\n"
    "//- src/b/Star.java\npackage b;\n\nimport a.*;\n\nclass Star { Box box; }\n"
    "//- src/c/There.java\npackage c;\n\nimport a.Box;\n\nclass There { Box box; }\n"
    "//- src/d/Other.java\npackage d;\n\nclass Other { class Box {} Box box; }\n";

TEST(MoveJava, EverybodyNamesTheNewPackage) {
  auto want = parse(kTypes);
  want.erase("src/a/Box.java");
  want["src/c/Box.java"] =
      "/* Licence. */\npackage c;\n\nimport a.Room;\nimport a.Shelf;\nimport java.util.List;\n\n"
      "/** Doc. */\n"
      "public class Box {\n  public static final int MAX = 3;\n  public static class Lid {}\n"
      "  public List<Shelf> shelves(Room room) { return room.shelves; }\n}\n";
  want["src/a/Shelf.java"] =
      "package a;\n\nimport c.Box;\n\npublic class Shelf { Box box; c.Box other; }\n";
  want["src/b/User.java"] =
      "package b;\n\nimport c.Box;\nimport c.Box.Lid;\n"
      "import static c.Box.MAX;\n\nclass User { Box box; Lid lid; int n = MAX; }\n";
  want["src/b/Star.java"] = "package b;\n\nimport a.*;\nimport c.Box;\n\nclass Star { Box box; }\n";
  want["src/c/There.java"] = "package c;\n\n\nclass There { Box box; }\n";
  EXPECT_EQ(carry_out("move Box to src/c/Box.java", parse(kTypes)), want);
  EXPECT_EQ(carry_out("move src/a/Box.java to src/c/Box.java", parse(kTypes)), want);
}

TEST(MoveJava, AFileFollowsTheNewNameOfItsType) {
  std::vector<std::string> notes;
  const auto renamed = carry_out("rename Box to Crate",
                                 parse("//- src/a/Box.java\npackage a;\npublic class Box {}\n"
                                       "//- src/a/A.java\npackage a;\nclass A { Box b; }\n"),
                                 &notes);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("plan \"move Crate to src/a/Crate.java\""), std::string::npos)
      << notes[0];
  EXPECT_EQ(carry_out("move Crate to src/a/Crate.java", renamed),
            parse("//- src/a/Crate.java\npackage a;\npublic class Crate {}\n"
                  "//- src/a/A.java\npackage a;\nclass A { Crate b; }\n"));
}

TEST(MoveJava, ATypeBesideOthersGetsAFileOfItsOwn) {
  check("move Helper to src/a/Helper.java",
        "//- src/a/Main.java\n/* Licence. */\npackage a;\n\nimport java.util.List;\n"
        "import java.util.Map;\n\npublic class Main { Helper h; List<String> l; }\n\n"
        "class Helper { Map<String, Main> m; }\n",
        "//- src/a/Main.java\n/* Licence. */\npackage a;\n\nimport java.util.List;\n"
        "import java.util.Map;\n\npublic class Main { Helper h; List<String> l; }\n"
        "//- src/a/Helper.java\n/* Licence. */\npackage a;\n\nimport java.util.Map;\n\n"
        "class Helper { Map<String, Main> m; }\n");
}

TEST(MoveJava, RefusesTypesThatWouldNotBeExact) {
  const auto no = [](const std::string& box, const std::string& rest, const std::string& why) {
    refused("move Box to src/b/Box.java",
            "//- src/a/Box.java\npackage a;\n" + box +
                "\n//- src/b/B.java\npackage b;\nclass B {}\n" + rest,
            why);
  };
  const std::string a = "//- src/a/A.java\npackage a;\n";
  no("class Box {}", a + "class A { Box b; }\n", "is not public, and src/a/A.java uses it");
  no("public class Box { int n; }", a + "class A { int f(Box b) { return b.n; } }\n",
     "src/a/A.java:2 uses n, which only the package of Box may");
  no("public class Box { Box() {} }", a + "class A { Object o = new Box(); }\n", "uses Box");
  no("public class Box { void f() {} }", a + "class A extends Box { void f() {} }\n", "uses f");
  no("public class Box { int f(A a) { return a.n; } }", a + "public class A { int n; }\n",
     "uses A.n, which only its package may");
  no("public class Box { A a; }", a + "class A {}\n", "A is not public");
  no("public class Box { Object o = new A(); }", a + "public class A { A() {} }\n", "uses A.A");
  no("public class Box extends A {}", a + "public class A { A() {} }\n", "whose constructor");
  no("public class Box extends A { void f() {} }", a + "public class A { void f() {} }\n", "A.f");
  no("public class Box { String s; }", "//- src/b/String.java\npackage b;\nclass String {}\n",
     "means something of its own by String");
  no("public class Box {}", "//- src/b/Box2.java\npackage b;\nclass Box {}\n",
     "2 files define Box");
  no("public class Box {}", "//- src/b/C.java\npackage b;\nimport x.*;\nclass C { Box b; }\n",
     "which would be hidden");
  no("public class Box {}", a + "class A { String s = \"a.Box\"; }\n", "in a string");
  no("public class Box {}", "//- META-INF/services/x\na.Box\n", "which this cannot follow");
  no("public class Box {}", a + "class A<Box> { Box b; }\n", "has another Box of its own");
  no("public class Box { Object o = Box.class.getResource(\"x\"); }", "", "reads resources");
  no("public class Box {}", "//- src/module-info.java\nmodule m { exports a; }\n", "'exports a'");
  refused("move Box to src/b/Crate.java", "//- src/a/Box.java\npackage a;\nclass Box {}\n",
          "has to be called Box.java");
  refused("move Box to lib/b/Box.java", "//- src/a/Box.java\npackage a;\nclass Box {}\n",
          "is in no package below src/");
}

constexpr std::string_view kMethods =
    "//- src/a/Old.java\npackage a;\n\nimport java.util.List;\n\n"
    "public class Old {\n  static int base = 1;\n\n"
    "  /** Doc. */\n  private static int f(List<Item> items) {\n"
    "    return items.isEmpty() ? base : g() + f(null);\n  }\n\n"
    "  static int g() { return 2; }\n\n  int h() { return f(null); }\n\n  static class Item {}\n}\n"
    "//- src/a/New.java\npackage a;\n\npublic class New {\n  int n;\n}\n";

TEST(MoveJava, AStaticMethodNamesItsOldClassAndIsCalledThroughTheNewOne) {
  check(
      "move Old.f to src/a/New.java", kMethods,
      "//- src/a/Old.java\npackage a;\n\nimport java.util.List;\n\n"
      "public class Old {\n  static int base = 1;\n\n"
      "  static int g() { return 2; }\n\n  int h() { return New.f(null); }\n\n"
      "  static class Item {}\n}\n"
      "//- src/a/New.java\npackage a;\n\nimport java.util.List;\n\npublic class New {\n  int n;\n\n"
      "  /** Doc. */\n  static int f(List<Old.Item> items) {\n"
      "    return items.isEmpty() ? Old.base : Old.g() + f(null);\n  }\n}\n");
}

TEST(MoveJava, ACallerOfAnotherPackageImportsTheNewClass) {
  check(
      "move f to src/b/New.java",
      "//- src/a/Old.java\npackage a;\npublic class Old {\n  public static int f() { return 1; "
      "}\n}\n"
      "//- src/b/New.java\npackage b;\npublic class New {}\n"
      "//- src/c/C.java\npackage c;\n\nimport a.Old;\n\nclass C { int n = Old.f() + a.Old.f(); }\n"
      "//- src/c/D.java\npackage c;\n\nimport static a.Old.f;\n\nclass D { int n = f(); }\n",
      "//- src/a/Old.java\npackage a;\npublic class Old {\n}\n"
      "//- src/b/New.java\npackage b;\npublic class New {\n  public static int f() { return 1; "
      "}\n}\n"
      "//- src/c/C.java\npackage c;\n\nimport a.Old;\nimport b.New;\n\n"
      "class C { int n = New.f() + b.New.f(); }\n"
      "//- src/c/D.java\npackage c;\n\nimport static b.New.f;\n\nclass D { int n = f(); }\n");
}

TEST(MoveJava, RefusesMethodsThatWouldNotBeExact) {
  const auto no = [](const std::string& old, const std::string& now, const std::string& rest,
                     const std::string& why) {
    refused("move f to src/b/New.java",
            "//- src/a/Old.java\npackage a;\n" + old + "\n//- src/b/New.java\npackage b;\n" + now +
                "\n" + rest,
            why);
  };
  const auto made = [](const std::string& body) { return "public class Old {\n" + body + "\n}"; };
  const std::string f = "public static int f() { return 1; }";
  const std::string now = "public class New {}";
  no(made("int f() { return 1; }"), now, "", "is no static method");
  no(made(f + "\npublic static int f(int n) { return n; }"), now, "", "has 2 definitions of f");
  no(made("private static int n;\npublic static int f() { return n; }"), now, "", "private to Old");
  no(made("static int n;\npublic static int f() { return n; }"), now, "",
     "only the package of Old");
  no(made("public static int g(Object o) { return 1; }\nprivate static int g(String s) { return 2; "
          "}\n"
          "public static int f() { return g(\"\"); }"),
     now, "", "uses g, which is private to Old");
  no(made("private Old() {}\npublic static Old f() { return new Old(); }"), now, "",
     "uses Old, which");
  no("public class Old<T> {\nprivate Old() {}\npublic static Old<?> f() { return new Old<>(); }\n}",
     now, "", "uses Old, which");
  no(made("private int n;\npublic static int f(Old o) { return o.n; }"), now, "", "uses n, which");
  no("public class Old extends P {\npublic static int f() { return g(); }\n}", now, "",
     "inherited");
  no(made(f), "public class New { int f; }", "", "has a f already");
  no(made(f), "class New {}", "", "is not public");
  no(made(f), "interface New {}", "", "has no class New");
  no(made("static int f() { return 1; }\nint n = f();"), now, "", "is not public, and used");
  no(made(f), now, "//- src/c/C.java\npackage c;\nclass C { int n(a.Old o) { return o.f(); } }\n",
     "through an object");
  no(made(f), now,
     "//- src/c/C.java\npackage c;\nimport a.Old;\nclass C { class New {} int n = Old.f(); }\n",
     "means something else by New");
  no(made(f), now, "//- src/c/C.java\npackage c;\nclass C { String s = \"f\"; }\n", "in a string");
}

}  // namespace
}  // namespace ambit::daemon

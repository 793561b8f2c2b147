// A method of Go has its name and its parameters from the interfaces that its type is.
#include <gtest/gtest.h>

#include "tests/daemon/refactor/move_cases.h"

namespace ambit::daemon {
namespace {

constexpr const char* kMod = "//- go.mod\nmodule example.org/m\n";

// Two types that are a Pusher, one in another package, one that lacks a method, and callers.
std::string pushers(const std::string& name) {
  return kMod + std::string("//- a/a.go\npackage a\n\ntype Pusher interface {\n\t") + name +
         "(v int, deep bool) error\n\tDrop()\n}\n\ntype Stack struct{ at []int }\n\nfunc (s "
         "*Stack) " +
         name + "(v int, deep bool) (err error) { return nil }\nfunc (s *Stack) Drop() {}\n\n" +
         "func Use(p Pusher, s *Stack) { p." + name + "(1, true); s." + name +
         "(2, false) }\n//- b/b.go\npackage b\n\nimport \"example.org/m/a\"\n\n"
         "type Queue[T any] struct{}\n\nfunc (q *Queue[T]) " +
         name +
         "(T, bool) error { return nil }\nfunc (q *Queue[T]) Drop() {}\n\n"
         "var P a.Pusher = &Queue[int]{}\n\ntype Cart struct{}\n\n"
         "func (c Cart) Push(v int, deep bool) error { return nil }\n";
}

TEST(GoInterfaces, AMethodIsRenamedInAllThatIsTheSameInterface) {
  for (const auto* which : {"Stack.Push", "Queue.Push", "Pusher.Push"}) {
    check(std::string("rename ") + which + " to Put", pushers("Push"), pushers("Put"));
  }
  // One that is no Pusher stays alone.
  auto after = parse(pushers("Push"));
  auto& b = after["b/b.go"];
  b.replace(b.find("(c Cart) Push"), 13, "(c Cart) Put");
  EXPECT_EQ(carry_out("rename Cart.Push to Put", parse(pushers("Push"))), after);
}

TEST(GoInterfaces, SaysWhyOthersChangeToo) {
  std::vector<std::string> notes;
  carry_out("rename Stack.Push to Put", parse(pushers("Push")), &notes);
  ASSERT_GE(notes.size(), 2U);
  EXPECT_EQ(notes[0],
            "a/a.go:4 Pusher.Push changes too: Stack is the interface Pusher (a/a.go:3) by it");
  EXPECT_EQ(notes[1],
            "b/b.go:7 Queue.Push changes too: Queue is the interface Pusher (a/a.go:3) by it");
}

TEST(GoInterfaces, ASignatureChangesInAllOfThem) {
  const auto got = carry_out("reorder parameters of Stack.Push to deep, v", parse(pushers("Push")));
  EXPECT_NE(got.at("a/a.go").find("\tPush(deep bool, v int) error\n"), std::string::npos);
  EXPECT_NE(got.at("a/a.go").find("s.Push(false, 2)"), std::string::npos);
  EXPECT_NE(got.at("b/b.go").find("Push(bool, T) error"), std::string::npos) << got.at("b/b.go");
}

TEST(GoInterfaces, WhatIsEmbeddedCounts) {
  const auto files = [](const std::string& name) {
    return kMod + std::string("//- base.go\npackage m\n\ntype base struct{}\n\nfunc (b *base) ") +
           name +
           "() int { return 1 }\n//- more.go\npackage m\n\ntype More struct{ *base }\n\n"
           "func (m More) Other() {}\n//- both.go\npackage m\n\ntype Namer interface{ " +
           name +
           "() int }\n\ntype Both interface {\n\tNamer\n\tOther()\n}\n\n"
           "func use(b Both) int { return b." +
           name + "() }\n";
  };
  check("rename base.Number to Count", files("Number"), files("Count"));
  // An interface without a name, and one of which a part comes from outside.
  const auto closer = [](const std::string& name) {
    return kMod +
           std::string(
               "//- a.go\npackage m\n\nimport \"io\"\n\ntype File struct{ io.Closer }\n\nfunc (f "
               "File) ") +
           name + "() {}\n\nfunc use(x interface {\n\tio.Closer\n\t" + name + "()\n}) { x." + name +
           "() }\n";
  };
  check("rename File.Touch to Poke", closer("Touch"), closer("Poke"));
  refused(
      "rename I.Close to End",
      kMod + std::string("//- a.go\npackage m\n\nimport \"io\"\n\ntype File struct{ io.Closer }\n\n"
                         "type I interface{ Close() error }\n"),
      "File gets Close from outside of this repository");
}

TEST(GoInterfaces, WhatIsAskedForOutsideIsRefused) {
  const auto method = [](const std::string& words) {
    return kMod + std::string("//- a.go\npackage m\n\ntype T struct{}\n\nfunc (t T) ") + words +
           "\n";
  };
  refused("rename T.String to Text", method("String() string { return \"\" }"),
          "a.go:3 T is fmt.Stringer by its String()string, and who asks for that is outside");
  refused("rename T.Error to Text", method("Error() string { return \"\" }"), "T is error by its");
  refused("rename T.Read to Get", method("Read(p []byte) (n int, err error) { return 0, nil }"),
          "T is io.Reader");
  refused("rename T.MarshalJSON to J", method("MarshalJSON() ([]uint8, error) { return nil, nil }"),
          "T is json.Marshaler");
  refused("rename T.As to J", method("As(target interface{}) bool { return false }"),
          "T is errors.As");
  // Its name alone says nothing.
  check("rename T.Read to Get", method("Read() int { return 0 }"),
        method("Get() int { return 0 }"));
  refused(
      "rename T.Walk to Go",
      kMod + std::string("//- a.go\npackage m\n\nimport \"github.com/x/y\"\n\ntype T struct{}\n\n"
                         "var _ y.Walker = (*T)(nil)\n\nfunc (t *T) Walk() {}\n"),
      "a.go:7 says that T is github.com/x/y.Walker, which is outside");
}

// Methods by what an expression is, and never a plain name or a key.
TEST(GoInterfaces, AMethodIsReachedThroughItsObject) {
  const auto files = [](const std::string& name, const std::string& other,
                        const std::string& field) {
    return kMod +
           std::string(
               "//- a.go\npackage m\n\ntype url struct{}\ntype Router struct {\n\tother *Route\n}\n"
               "type Route struct{}\ntype test struct{ url string }\n\n"
               "func NewRouter() *Router { return nil }\n\nfunc (r *Router) ") +
           other + "(u url) *Route { return nil }\n\nfunc (r *Route) " + name +
           "() *Router { return nil }\n\nvar tests = []test{{url: \"\"}}\n\nfunc f() {\n"
           "\tr := NewRouter()\n\tr." +
           other + "(url{})." + name + "()\n\tsub := r." + other + "(url{})." + name +
           "()\n\tsub." + other + "(url{})\n\tnew(Route)." + name + "()\n\tr.other." + field +
           "()\n}\n";
  };
  check("rename Route.url to link", files("url", "Get", "url"), files("link", "Get", "link"));
  // The index does not say of which type r.other is: it is listed.
  check("rename Route.url to link", files("url", "url", "url"), files("link", "url", "url"));
  check("rename Router.url to link", files("url", "url", "url"), files("url", "link", "url"));
  // A field that may be called is no plain value.
  auto callable = files("url", "Get", "url");
  callable.replace(callable.find("url string"), 10, "url func()");
  EXPECT_NE(carry_out("rename Route.url to link", parse(callable)).at("a.go").find("r.other.url()"),
            std::string::npos);
}

TEST(GoInterfaces, ANameThatIsTakenInOneOfThemIsRefused) {
  refused("rename Stack.Push to Drop", pushers("Push"), "Drop is taken");
  refused(
      "rename A.F to G",
      kMod + std::string("//- a.go\npackage m\n\ntype I interface{ F() }\ntype A struct{}\n"
                         "type B struct{}\n\nfunc (A) F() {}\nfunc (B) F() {}\nfunc (B) G() {}\n"),
      "G is taken: a.go:9");
}

}  // namespace
}  // namespace ambit::daemon

// The rename by the index. Files begin with "//- path"; every name that must change is written as
// [[name]], every other use of the name must stay.
#include "daemon/assists/refactor/rename.h"

#include <gtest/gtest.h>

#include "daemon/assists/refactor/plan.h"
#include "daemon/assists/refactor/refactor.h"
#include "tests/indexer/temp_repo.h"

namespace ambit::daemon {
namespace {

struct Fixture {
  std::map<std::string, std::string> before, marked;
};

Fixture parse(std::string_view text) {
  Fixture out;
  std::string path;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const auto line = text.substr(at, end - at);
    at = end;
    if (line.starts_with("//- ")) {
      path = line.substr(4, line.size() - 5);
      continue;
    }
    std::string plain(line);
    for (const std::string_view mark : {"[[", "]]"}) {
      for (auto i = plain.find(mark); i != std::string::npos; i = plain.find(mark))
        plain.erase(i, 2);
    }
    out.before[path] += plain;
    out.marked[path] += line;
  }
  return out;
}

struct Index {
  explicit Index(const Fixture& f) : repo(false) {
    for (const auto& [path, text] : f.before) repo.write(path, text);
    index = indexer::RepoIndex::open(repo.path(), {}).value();
    static_cast<void>(index->update().value());
  }
  indexer::TempRepo repo;
  std::unique_ptr<indexer::RepoIndex> index;
};

// Carries the instruction out and compares with the marked text.
void check(const std::string& instruction, std::string_view text, const std::string& new_name,
           bool comments = false) {
  const auto fixture = parse(text);
  const Index index(fixture);
  const auto snapshot = index.index->snapshot();
  RefactorRequest request;
  request.instruction = instruction;
  request.comments = comments;
  const auto plan = plan_by_index(*snapshot, request);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto changes = plan_changes(*plan, reader_of(*snapshot));
  ASSERT_TRUE(changes) << changes.error().message;
  for (const auto& [path, marked] : fixture.marked) {
    auto want = marked;
    for (auto at = want.find("[["); at != std::string::npos; at = want.find("[[")) {
      const auto end = want.find("]]", at);
      want.replace(at, end + 2 - at, new_name);
    }
    const auto it = changes->find(path);
    EXPECT_EQ(it == changes->end() ? fixture.before.at(path) : *it->second.after, want)
        << path << "\n"
        << to_toml(*plan);
  }
}

std::string refusal(const std::string& instruction, std::string_view text) {
  const Index index(parse(text));
  RefactorRequest request;
  request.instruction = instruction;
  const auto plan = plan_by_index(*index.index->snapshot(), request);
  return plan ? "" : plan.error().message;
}

TEST(Rename, CppFunctionOverFilesWithShadowsAndStrings) {
  check("rename total to grand_total", R"(//- a.h
#pragma once
int [[total]](int x);
//- a.cpp
#include "a.h"
// total of all
int [[total]](int x) { return x + 1; }
//- b.cpp
#include "a.h"
int use() {
  const char* text = "total";
  int y = [[total]](1) + [[total]](2);
  return y + (text != nullptr);
}
int shadow(int total) { return total + 1; }
struct Other { int total; };
int field(Other& o) { return o.total; }
)",
        "grand_total");
}

TEST(Rename, CppClassWithConstructorsAndTemplates) {
  check("rename Box to Crate", R"(//- box.h
#pragma once
#include <vector>
namespace n {
class [[Box]] {
 public:
  explicit [[Box]](int n);
  ~[[Box]]();
  [[Box]](const [[Box]]&) = default;
  static [[Box]] make();
};
}
//- box.cpp
#include "box.h"
namespace n {
[[Box]]::[[Box]](int) {}
[[Box]]::~[[Box]]() {}
[[Box]] [[Box]]::make() { return [[Box]](1); }
}
//- use.cpp
#include "box.h"
std::vector<n::[[Box]]> boxes;
void f() { auto b = n::[[Box]]::make(); static_cast<void>(b); }
)",
        "Crate");
}

TEST(Rename, CppMethodOnlyThroughItsClass) {
  check("rename Box::depth to height", R"(//- box.h
#pragma once
struct Box {
  int [[depth]]() const;
};
struct Tree {
  int depth() const;
};
//- box.cpp
#include "box.h"
int Box::[[depth]]() const { return 1; }
int Tree::depth() const { return 2; }
int f(const Box& b, const Tree& t) { return b.[[depth]]() + t.depth(); }
)",
        "height");
}

TEST(Rename, CppParametersOfPrototypesAreOthers) {
  check("rename Ledger::owner to holder", R"(//- a.h
#include <string>
int before(int owner, const char* owner2);
class Ledger {
 public:
  explicit Ledger(std::string owner);
  void set(const std::string& owner, int n = 0);
  const std::string& [[owner]]() const;
};
//- a.cpp
#include "a.h"
const std::string& Ledger::[[owner]]() const { return owner_; }
)",
        "holder");
  check("rename total to sum", R"(//- b.h
int [[total]](int x);
int other(int total, int *total2);
int more(int (*f)(int total));
)",
        "sum");
}

TEST(Rename, CppOverridesGoTogether) {
  check("rename Shape::area to surface", R"(//- s.hpp
#pragma once
struct Shape { virtual int [[area]]() const; };
struct Square : Shape { int [[area]]() const override; };
struct Room { int area() const; };
//- s.cpp
#include "s.hpp"
int Square::[[area]]() const { return Shape::[[area]](); }
)",
        "surface");
}

TEST(Rename, CStructTagsMacrosAndIncludes) {
  check("rename buf to text_buffer", R"(//- buf.h
struct [[buf]] { int n; };
#define BUF_INIT { 0 }
void buf_add(struct [[buf]] *b);
//- other.h
struct [[buf]];
int other(struct [[buf]] *b);
//- main.c
#include "buf.h"
int main(void) { struct [[buf]] buf = BUF_INIT; buf_add(&buf); return buf.n; }
)",
        "text_buffer");
}

TEST(Rename, PythonOverImports) {
  check("rename load to read_all", R"(//- pkg/store.py
def [[load]](path):
    """load it"""
    return path
//- pkg/main.py
from pkg.store import [[load]]
from pkg import store

def run(load_first):
    load = 3
    return load

print([[load]]("x"), store.[[load]]("y"), f"{[[load]]('z')}")
//- pkg/other.py
import json
print(json.load(open("x")))
)",
        "read_all");
}

TEST(Rename, TypeScriptImportsAndShorthand) {
  check("rename limit to maximum", R"(//- a.ts
export const [[limit]] = 3;
//- b.ts
import { [[limit]] } from "./a";
export const options = { limit: [[limit]], text: `limit ${[[limit]]}` };
//- c.ts
function f(limit: number) { return limit; }
)",
        "maximum");
  const auto fixture = parse("//- a.ts\nconst limit = 3;\nexport const o = { limit };\n");
  const Index index(fixture);
  RefactorRequest request;
  request.instruction = "rename limit to maximum";
  const auto plan = plan_by_index(*index.index->snapshot(), request).value();
  const auto changes = plan_changes(plan, reader_of(*index.index->snapshot())).value();
  EXPECT_EQ(changes.at("a.ts").after, "const maximum = 3;\nexport const o = { limit: maximum };\n");
}

TEST(Rename, GoThroughThePackage) {
  check("rename Reader to Source", R"(//- go.mod
module example.org/m
//- store/store.go
package store

// Reader reads.
type [[Reader]] struct{ n int }

func New() *[[Reader]] { return &[[Reader]]{} }
//- main.go
package main

import (
  "io"

  "example.org/m/store"
)

func use(r io.Reader, s *store.[[Reader]]) {}
)",
        "Source");
}

TEST(Rename, RustUseAndPath) {
  check("rename Parser to Reader", R"(//- src/parse.rs
pub struct [[Parser]] { n: u32 }
impl [[Parser]] {
    pub fn new() -> [[Parser]] { [[Parser]] { n: 0 } }
}
//- src/main.rs
mod parse;
use crate::parse::[[Parser]];
fn main() { let p = [[Parser]]::new(); let q = parse::[[Parser]]::new(); }
)",
        "Reader");
}

TEST(Rename, JavaClass) {
  check("rename Store to Shelf", R"(//- a/Store.java
package a;
public class [[Store]] {
  public [[Store]]() {}
}
//- a/Main.java
package a;
class Main { [[Store]] s = new [[Store]](); String t = "Store"; }
)",
        "Shelf");
}

TEST(Rename, CommentsWhenAsked) {
  check("rename total to sum", "//- a.c\n// [[total]] of all\nint [[total]](void) { return 1; }\n",
        "sum", true);
}

TEST(Rename, RefusesWhatIsTakenOrHiddenOrNoName) {
  EXPECT_NE(refusal("rename a to b", "//- a.c\nint a(void);\nint b(void);\n").find("taken"),
            std::string::npos);
  EXPECT_NE(refusal("rename a to b", "//- a.c\nint a(void);\nint f(int b) { return a() + b; }\n")
                .find("hide"),
            std::string::npos);
  EXPECT_NE(refusal("rename a to while", "//- a.c\nint a(void);\n").find("not a name"),
            std::string::npos);
  EXPECT_NE(refusal("rename a to 1b", "//- a.c\nint a(void);\n").find("not a name"),
            std::string::npos);
  EXPECT_NE(refusal("rename nothing to b", "//- a.c\nint a(void);\n").find("no symbol"),
            std::string::npos);
}

TEST(Rename, AsksWhichWhenThereAreTwo) {
  const auto said = refusal("rename run to start",
                            "//- a.h\nstruct A { void run(); };\nstruct B { void run(); };\n");
  EXPECT_NE(said.find("a.h:1:"), std::string::npos) << said;
  EXPECT_NE(said.find("a.h:2:"), std::string::npos) << said;
}

TEST(Rename, ListsWhatItIsNotSureOf) {
  const Index index(
      parse("//- a.h\nstruct A { int size(); };\n//- b.cpp\n#include \"a.h\"\n"
            "template <class T> int f(T& t) { return t.size(); }\n"));
  RefactorRequest request;
  request.instruction = "rename A::size to count";
  const auto plan = plan_by_index(*index.index->snapshot(), request).value();
  const auto n = count(plan.steps[0]);
  EXPECT_EQ(n.places, 1U);
  EXPECT_EQ(n.unsure, 1U);
  // A person says yes.
  auto edited = plan;
  for (auto& f : edited.steps[0].files) {
    f.change.insert(f.change.end(), f.unsure.begin(), f.unsure.end());
    f.unsure.clear();
  }
  const auto again = parse_plan(to_toml(edited)).value();
  const auto changes = plan_changes(again, reader_of(*index.index->snapshot())).value();
  EXPECT_NE(changes.at("b.cpp").after->find("t.count()"), std::string::npos);
}

TEST(Rename, SaysWhichOtherFilesNameIt) {
  const auto fixture = parse(
      "//- a.cpp\nint total(int x) { return x; }\n//- README.md\nCall total(1).\n"
      "//- b.rst\ntotal(2)\n//- c.md\nsubtotal\n");
  const Index index(fixture);
  RefactorRequest request;
  request.instruction = "rename total to sum";
  const auto plan = plan_by_index(*index.index->snapshot(), request);
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->notes.size(), 1U);
  EXPECT_EQ(plan->notes[0],
            "also named in 2 files of other kinds, which stay as they are: README.md, b.rst");
}

TEST(Rename, LeavesRawStringsAlone) {
  const Index index(
      parse("//- a.cpp\nint total(int x);\nauto s = R\"({\"total\": 1})\";\n"
            "auto t = R\"x(\"total\")\" total)x\"; int y = total(2);\n"));
  RefactorRequest request;
  request.instruction = "rename total to sum";
  const auto plan = plan_by_index(*index.index->snapshot(), request);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto changes = plan_changes(*plan, reader_of(*index.index->snapshot())).value();
  EXPECT_EQ(changes.at("a.cpp").after,
            "int sum(int x);\nauto s = R\"({\"total\": 1})\";\n"
            "auto t = R\"x(\"total\")\" total)x\"; int y = sum(2);\n");
}

TEST(Rename, PiecesOfAFileSeeWhatItSees) {
  const Index index(
      parse("//- a.h\nint total(int x);\n//- use.cpp\n#include \"a.h\"\n#include \"list.inc\"\n"
            "//- list.inc\nint y = total(2);\n//- other.inc\nint z = total(3);\n"));
  RefactorRequest request;
  request.instruction = "rename total to sum";
  const auto plan = plan_by_index(*index.index->snapshot(), request);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto changes = plan_changes(*plan, reader_of(*index.index->snapshot())).value();
  EXPECT_EQ(changes.at("list.inc").after, "int y = sum(2);\n");
  EXPECT_FALSE(changes.contains("other.inc")) << "nobody includes it";
}

TEST(Rename, OneVariable) {
  const Index index(
      parse("//- a.c\nint f(int n) { int m = n; return n + m; }\n"
            "int g(int n) { return n; }\n"));
  RefactorRequest request;
  request.instruction = "rename n to count";
  request.at_path = "a.c";
  request.at_offset = 10;
  const auto plan = plan_by_index(*index.index->snapshot(), request);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto changes = plan_changes(*plan, reader_of(*index.index->snapshot())).value();
  EXPECT_EQ(changes.at("a.c").after,
            "int f(int count) { int m = count; return count + m; }\nint g(int n) { return n; }\n");
}

TEST(Rename, MethodsThatOthersAskForAreRefused) {
  for (const auto& [instruction, text] : std::map<std::string, std::string>{
           {"rename S::fmt to show",
            "//- src/lib.rs\nstruct S;\nimpl std::fmt::Display for S {\n"
            "    fn fmt(&self, f: &mut F) -> R { f.w() }\n}\n"},
           {"rename A.run to go",
            "//- A.java\nclass A implements Runnable {\n  @Override\n  public void run() {}\n}\n"},
           {"rename S::run to go",
            "//- a.hpp\nstruct S : Other {\n  void run() override { }\n};\n"},
           {"rename T.__len__ to size",
            "//- a.py\nclass T:\n    def __len__(self):\n        return 0\n"}}) {
    const auto why = refusal(instruction, text);
    EXPECT_TRUE(why.find("this does not see") != std::string::npos ||
                why.find("trait Display, which is outside") != std::string::npos)
        << instruction << why;
  }
  check("rename Shape::area to size", R"(//- src/lib.rs
trait Shape { fn [[area]](&self) -> i32 { 0 } }
struct A;
impl Shape for A { fn [[area]](&self) -> i32 { 1 } }
fn f(s: &dyn Shape) -> i32 { s.[[area]]() }
)",
        "size");
}

TEST(Rename, RustTellsTraitsOfOneNameAndFieldsFromMethods) {
  check("rename A::start to begin", R"(//- src/lib.rs
mod one; mod two;
//- src/one.rs
pub trait Visit { fn [[start]](&self); }
pub struct A;
impl Visit for A { fn [[start]](&self) {} }
//- src/two.rs
pub trait Visit { fn start(&self); }
pub struct B;
impl Visit for B { fn start(&self) {} }
)",
        "begin");
  const std::string range =
      "//- src/lib.rs\nstruct Span { end: u8 }\nimpl Span {\n"
      "    fn [[end]](&self) -> u8 { self.end }\n    fn f(&self) -> u8 { self.[[end]]() }\n}\n";
  const Index index(parse(range));
  RefactorRequest request;
  request.instruction = "rename end to last";
  request.at_path = "src/lib.rs";
  request.at_offset =
      static_cast<std::uint32_t>(parse(range).before.at("src/lib.rs").find("end(&self)"));
  const auto plan = plan_by_index(*index.index->snapshot(), request);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto changes = plan_changes(*plan, reader_of(*index.index->snapshot())).value();
  EXPECT_EQ(changes.at("src/lib.rs").after,
            "struct Span { end: u8 }\nimpl Span {\n    fn last(&self) -> u8 { self.end }\n"
            "    fn f(&self) -> u8 { self.last() }\n}\n");
}

TEST(Signature, AddsAndRemovesWithCallers) {
  const std::string text =
      "//- a.hpp\n#pragma once\nint scale(int x);\n"
      "//- a.cpp\n#include \"a.hpp\"\nint scale(int x) { return x; }\n"
      "int g() { return scale(1) + scale(scale(2)); }\n";
  const Index index(parse(text));
  const auto run = [&](const std::string& instruction) {
    RefactorRequest request;
    request.instruction = instruction;
    const auto plan = plan_by_index(*index.index->snapshot(), request);
    EXPECT_TRUE(plan) << plan.error().message;
    return plan_changes(*plan, reader_of(*index.index->snapshot())).value();
  };
  auto c = run("add parameter \"int factor\" to scale with 7");
  EXPECT_EQ(c.at("a.hpp").after, "#pragma once\nint scale(int x, int factor);\n");
  EXPECT_EQ(c.at("a.cpp").after,
            "#include \"a.hpp\"\nint scale(int x, int factor) { return x; }\n"
            "int g() { return scale(1, 7) + scale(scale(2, 7), 7); }\n");
  c = run("add parameter \"int factor = 1\" to scale");
  EXPECT_EQ(c.at("a.hpp").after, "#pragma once\nint scale(int x, int factor = 1);\n");
  EXPECT_EQ(c.at("a.cpp").after->substr(0, 56),
            "#include \"a.hpp\"\nint scale(int x, int factor) { return x");
  EXPECT_NE(refusal("remove parameter x from scale", text).find("still used"), std::string::npos);
  const Index python(
      parse("//- a.py\ndef f(a, b=1, c=2):\n    return a + c\n\n"
            "f(1, 2, 3)\nf(1, b=2)\nf(1, c=2)\n"));
  RefactorRequest request;
  request.instruction = "remove parameter b from f";
  const auto plan = plan_by_index(*python.index->snapshot(), request);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto changes = plan_changes(*plan, reader_of(*python.index->snapshot())).value();
  EXPECT_EQ(changes.at("a.py").after,
            "def f(a, c=2):\n    return a + c\n\nf(1, 3)\nf(1)\nf(1, c=2)\n");
}

TEST(Instruction, PlainForms) {
  const auto i = parse_instruction("Rename the class `a::B` to C");
  ASSERT_TRUE(i);
  EXPECT_EQ(i->symbol, "a::B");
  EXPECT_EQ(i->to, "C");
  const auto add = parse_instruction("add a parameter \"int depth = 0\" to f");
  ASSERT_TRUE(add);
  EXPECT_EQ(add->to, "int depth = 0");
  EXPECT_FALSE(parse_instruction("rename everything nicely please now"));
  EXPECT_FALSE(parse_instruction("make it faster"));
  EXPECT_FALSE(parse_instruction(""));
}

}  // namespace
}  // namespace ambit::daemon

// The review without a program around it: rules on small staged changes, fingerprints, patches, and
// answers of a model that wants to do harm.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/format.h"
#include "daemon/assists/review/lexical.h"
#include "daemon/assists/review/model_findings.h"
#include "daemon/assists/review/patch.h"
#include "daemon/assists/review/python_call.h"
#include "daemon/assists/review/suppress.h"
#include "daemon/assists/review/tests_in.h"
#include "tests/indexer/temp_repo.h"

namespace ambit::daemon::review {
namespace {

using indexer::Language;
using indexer::TempRepo;

ChangeSet staged(const TempRepo& repo) {
  repo.git("add -A");
  Source source;
  source.repository = repo.path();
  auto change = load_change(source);
  EXPECT_TRUE(change) << change.error().message;
  return change ? std::move(*change) : ChangeSet{};
}

std::vector<Finding> facts(const TempRepo& repo) {
  const auto change = staged(repo);
  auto index = indexer::RepoIndex::open(repo.path(), {});
  EXPECT_TRUE(index) << index.error().message;
  if (!index || !(*index)->update()) return {};
  return find_facts(change, snapshot_after(change, (*index)->snapshot())).findings;
}

std::string said(const std::vector<Finding>& findings) {
  std::string out;
  for (const auto& f : findings) {
    out += f.rule + " " + f.path + ":" + std::to_string(f.range.line + 1) + "\n";
  }
  return out;
}

TEST(Review, RemovedAndRenamedSymbolsThatAreStillUsed) {
  TempRepo repo;
  repo.write("lib.h", "int area_of(int w);\nint gone_now(int x);\n");
  repo.write(
      "lib.cpp",
      "#include \"lib.h\"\nint area_of(int w) { return w; }\nint gone_now(int x) { return x; }\n");
  repo.write("use.cpp", "#include \"lib.h\"\nint a() { return area_of(1); }\n");
  repo.commit("one");
  repo.write("lib.h", "int surface_of(int w);\n");
  repo.write("lib.cpp", "#include \"lib.h\"\nint surface_of(int w) { return w; }\n");
  auto found = facts(repo);
  ASSERT_EQ(said(found), "removed-symbol lib.cpp:2\n");
  EXPECT_EQ(found[0].related.at(0).path, "use.cpp");
  ASSERT_TRUE(found[0].fix);
  EXPECT_EQ(found[0].fix->edits.at(0).text, "surface_of");
  repo.write("use.cpp", "#include \"lib.h\"\nint a() { return surface_of(1); }\n");
  EXPECT_EQ(said(facts(repo)), "");
}

// The name lives on elsewhere: what counts is the file that an import names.
TEST(Review, MovedOrRenamedWhereAnotherOfTheNameStands) {
  TempRepo repo;
  repo.write("pkg/__init__.py", "from .term import pause as pause\n");
  repo.write("pkg/term.py",
             "class Key:\n    def pause(self):\n        return 1\n\n\n"
             "def pause(info):\n    return info\n\n\ndef wait():\n    pause(1)\n");
  repo.write("examples/demo.py", "import pkg.term\n\n\ndef pause():\n    pkg.pause(2)\n");
  repo.write("examples/own.py", "from demo import pause\n\npause()\n");
  repo.commit("one");
  repo.write("pkg/term.py",
             "def pause_now(info):\n    return info\n\n\ndef wait():\n    pause(1)\n");
  auto found = facts(repo);
  ASSERT_EQ(said(found), "removed-symbol pkg/term.py:1\n");
  std::set<std::string> places;
  for (const auto& r : found[0].related)
    places.insert(r.path + ":" + std::to_string(r.range.line + 1));
  EXPECT_EQ(places,
            (std::set<std::string>{"examples/demo.py:5", "pkg/__init__.py:1", "pkg/term.py:6"}));
  ASSERT_TRUE(found[0].fix);
  const auto& edits = found[0].fix->edits;
  EXPECT_EQ(edits.size(), 4U) << "both words of `pause as pause`";
  EXPECT_TRUE(std::any_of(edits.begin(), edits.end(), [](const Edit& e) {
    return e.path == "pkg/__init__.py" && e.range == Range{0, 27, 0, 32};
  }));

  repo.write("pkg/term.py", "from .other import pause\n\n\ndef wait():\n    pause(1)\n");
  repo.write("pkg/other.py", "def pause(info):\n    return info\n");
  EXPECT_EQ(said(facts(repo)), "") << "moved, and still offered from the old place";
  repo.write("pkg/term.py", "def wait():\n    return 1\n");
  found = facts(repo);
  ASSERT_EQ(said(found), "removed-symbol pkg/term.py:1\n");
  EXPECT_NE(found[0].message.find("moved to pkg/other.py"), std::string::npos) << found[0].message;
  EXPECT_EQ(found[0].explanation, "pkg/term.py defines no pause any more; pkg/other.py:1 does.");
  EXPECT_FALSE(found[0].fix);
  repo.write("pkg/__init__.py", "from .other import pause as pause\n");
  EXPECT_EQ(said(facts(repo)), "");
}

TEST(Review, ANamesakeMayStandInOrAParameterHideIt) {
  TempRepo repo;
  repo.write("other.py", "def pause():\n    return 1\n");
  repo.write("term.py", "def pause():\n    return 1\n\n\ndef wait(pause):\n    pause()\n");
  repo.write("stub.py", "def shown():\n    return 1\n");
  repo.write("stub.pyi", "def shown() -> int: ...\n");
  repo.write("far.py", "def shown():\n    return 1\n");
  repo.write("use.py", "from stub import shown\n");
  repo.write("w.js", "export function widget() {\n  return 1;\n}\n");
  repo.write("w.d.ts", "export declare function widget(): number;\n");
  repo.write("use.ts", "import { widget } from './w';\nwidget();\n");
  repo.commit("one");
  repo.write("w.js", "export function gadget() {\n  return 1;\n}\n");
  repo.write("term.py", "def wait(pause):\n    pause()\n");
  repo.write("stub.py", "def hidden():\n    return 1\n");
  EXPECT_EQ(said(facts(repo)), "") << "a parameter, and stubs that still have it";
  repo.write("stub.pyi", "def hidden() -> int: ...\n");
  repo.write("term.py", "def wait(other):\n    pause()\n");
  const auto found = facts(repo);
  std::set<std::string> from;
  for (const auto& f : found) from.insert(f.path);
  EXPECT_TRUE(from.contains("term.py") && (from.contains("stub.py") || from.contains("stub.pyi")))
      << said(found);
}

TEST(Review, AModuleThatMakesItsNamesMayHaveAnyOfThem) {
  TempRepo repo;
  repo.write("lib.py", "def old_name():\n    return 1\n");
  repo.write("_app.py", "def _private():\n    return 1\n");
  repo.write("use.py", "from lib import old_name\nfrom _app import _private\n");
  repo.commit("one");
  repo.write("lib.py", "def __getattr__(name):\n    return 1\n");
  EXPECT_EQ(said(facts(repo)), "");
  repo.write("lib.py", "class A:\n    def __getattr__(self, name):\n        return 1\n");
  repo.write("_app.py", "def _own():\n    return 1\n");
  EXPECT_EQ(said(facts(repo)), "removed-symbol _app.py:1\nremoved-symbol lib.py:1\n");
}

TEST(Review, MovedInLanguagesOfModulesAndPackages) {
  TempRepo repo;
  repo.write("a.ts", "export function open(x: number) {\n  return x;\n}\n");
  repo.write("b.ts", "export function open() {\n  return 2;\n}\n");
  repo.write("use_a.ts", "import { open } from './a';\nopen(1);\n");
  repo.write("use_b.ts", "import { open } from './b';\nopen();\n");
  repo.write("go.mod", "module example.com/m\n");
  repo.write("alpha/x.go", "package alpha\n\nfunc Parse() int { return 1 }\n");
  repo.write("beta/x.go", "package beta\n\nfunc Parse() int { return 2 }\n");
  repo.write("main.go",
             "package main\n\nimport (\n\t\"example.com/m/alpha\"\n\t\"example.com/m/beta\"\n)\n\n"
             "func main() { alpha.Parse(); beta.Parse() }\n");
  repo.write("one.c",
             "static int clamp(int x) { return x; }\nint one(void) { return clamp(1); }\n");
  repo.write("two.c",
             "static int clamp(int x) { return x; }\nint two(void) { return clamp(2); }\n");
  repo.write("src/lib.rs", "mod left;\nmod right;\nmod user;\n");
  repo.write("src/left.rs", "pub fn token() -> u32 { 1 }\n");
  repo.write("src/right.rs", "pub fn token() -> u32 { 2 }\n");
  repo.write("src/user.rs", "use crate::left::token;\nuse crate::right::token as other;\n");
  repo.commit("one");
  repo.write("a.ts", "export function shut(x: number) {\n  return x;\n}\n");
  repo.write("alpha/x.go", "package alpha\n\nfunc Scan() int { return 1 }\n");
  repo.write("one.c",
             "static int limit(int x) { return x; }\nint one(void) { return clamp(1); }\n");
  repo.write("src/left.rs", "pub fn symbol() -> u32 { 1 }\n");
  std::string places;
  for (const auto& f : facts(repo)) {
    EXPECT_EQ(f.rule, "removed-symbol");
    places += f.path + " <-";
    for (const auto& r : f.related) places += " " + r.path + ":" + std::to_string(r.range.line + 1);
    places += "\n";
  }
  EXPECT_EQ(places,
            "a.ts <- use_a.ts:1 use_a.ts:2\nalpha/x.go <- main.go:8\none.c <- one.c:2\n"
            "src/left.rs <- src/user.rs:1\n");
}

TEST(Review, CallsOfPythonByPositionAndByName) {
  const auto wrong = [](const std::string& parameters, const std::string& call) {
    const auto p = python_parameters(parameters, 0);
    const auto a = python_arguments(call, 0);
    return p && a ? misfit(*p, *a) : "unread";
  };
  EXPECT_EQ(wrong("(path, mode='r')", "(p)"), "");
  EXPECT_EQ(wrong("(path, mode: str = 'r') -> int", "(p, mode=x == y,)"), "");
  EXPECT_EQ(wrong("(path)", "(p, mode=1)"), "passes mode=");
  EXPECT_EQ(wrong("(path, **rest)", "(p, mode=1)"), "");
  EXPECT_EQ(wrong("(path, /, mode)", "(path=1, mode=2)"), "passes path=");
  EXPECT_EQ(wrong("(path, /, **rest)", "(1, path=2)"), "");
  EXPECT_EQ(wrong("(path, *, strict)", "(1)"), "does not give strict");
  EXPECT_EQ(wrong("(path, *, strict)", "(1, 2)"), "gives 2 arguments by position");
  EXPECT_EQ(wrong("(path)", "(1, 2)"), "gives 2 arguments");
  EXPECT_EQ(wrong("(path, *more)", "(1, 2)"), "");
  EXPECT_EQ(wrong("(path, mode)", "(1, path=2)"), "gives path twice");
  EXPECT_EQ(wrong("(path, mode)", "(*both)"), "");
  EXPECT_EQ(wrong("(path, mode)", "(1, **rest)"), "");
  EXPECT_EQ(wrong("(path, mode)", "(1, **rest, nothing=2)"), "passes nothing=");
  EXPECT_EQ(wrong("(self, key)", "(lambda a=1: a)"), "");
  EXPECT_EQ(wrong("(key)", "(x for x in y)"), "");
  EXPECT_EQ(wrong("(key)", "(x := 1)"), "");
  EXPECT_EQ(in_words(*python_parameters("(self, a, /, b=1, *, c, d=2, **e)", 0)),
            "(a, /, b=, *, c, d=, **kwargs)");
  EXPECT_EQ(in_words(*python_parameters("(a, *args, c)", 0)), "(a, *args, c)");
}

TEST(Review, SignaturesWhereNamesCountOrOthersHaveTheName) {
  TempRepo repo;
  repo.write("store/__init__.py", "");
  repo.write("store/disk.py", "def load(path, mode='r'):\n    return path\n");
  repo.write("store/net.py", "def load(url, retries, timeout=3):\n    return url\n");
  repo.write("app.py",
             "from store.disk import load\n\n\ndef main(rest):\n    load('a', mode='b')\n"
             "    load('a')\n    load(*rest)\n");
  repo.write("web.py", "from store.net import load\n\nload('a', 3)\n");
  repo.commit("one");
  repo.write("store/disk.py", "def load(path, how='r'):\n    return path\n");
  auto found = facts(repo);
  ASSERT_EQ(said(found), "changed-signature store/disk.py:1\n");
  EXPECT_EQ(found[0].message,
            "load takes (path, how=) now ((path, mode=) before), but app.py:5 passes mode=");
  repo.write("store/disk.py", "def load(path, mode='r', *, strict):\n    return path\n");
  found = facts(repo);
  ASSERT_EQ(said(found), "changed-signature store/disk.py:1\n");
  EXPECT_EQ(found[0].related.size(), 3U) << "what *rest holds is no keyword";
  repo.write("store/disk.py", "def load(path, mode='r', *, strict=False):\n    return path\n");
  EXPECT_EQ(said(facts(repo)), "");
}

TEST(Review, SignaturesThatCallersDoNotKnow) {
  TempRepo repo;
  repo.write("util.py", "def load(path, mode):\n    return path\n");
  repo.write("app.py", "from util import load\n\nprint(load('x', 'r'))\n");
  repo.write("other.py", "class File:\n    pass\n\n\nfile.load('x', 'y')\n");
  repo.commit("one");
  repo.write("util.py", "def load(path):\n    return path\n");
  EXPECT_EQ(said(facts(repo)), "changed-signature util.py:1\n");
  repo.write("util.py", "def load(path, mode='r', *, strict=False):\n    return path\n");
  EXPECT_EQ(said(facts(repo)), "");
}

TEST(Review, TheLastTestOfAFunctionThatIsStillThere) {
  TempRepo repo;
  repo.write("app.py", "def parse_date(t):\n    return t\n\n\ndef set_up():\n    return 1\n");
  const std::string rest = "from app import parse_date, set_up\n\n\ndef test_other():\n    pass\n";
  repo.write("test_app.py", rest +
                                "\n\ndef test_parse_date():\n    set_up()\n"
                                "    assert parse_date('x')\n");
  repo.commit("one");
  repo.write("test_app.py", "def test_other():\n    pass\n");
  const auto found = facts(repo);
  ASSERT_EQ(said(found), "removed-test test_app.py:2\n") << "set_up only helped";
  EXPECT_NE(found[0].message.find("parse_date"), std::string::npos);
  repo.write("test_app.py", "def test_other():\n    pass\n\n\nLATER = 1\n");
  const auto moved = facts(repo);
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(moved[0].fingerprint, found[0].fingerprint) << "what stands there now does not matter";
}

TEST(Review, FindsTheTestsOfTheCommonFrameworks) {
  const auto names = [](std::string_view text, Language language) {
    std::string out;
    for (const auto& t : tests_in(text, language)) {
      out += t.name + ":" + std::to_string(t.line + 1) + ";";
    }
    return out;
  };
  EXPECT_EQ(names("def test_a():\n  async def test_b (x):\ndef other():\nx = 'def test_c'\n",
                  Language::kPython),
            "test_a:1;test_b:2;");
  EXPECT_EQ(names("func TestA(t *T) {}\nfunc help() {}\n func TestB(t *T) {}\n", Language::kGo),
            "TestA:1;");
  EXPECT_EQ(names("TEST(A, B) {}\nTEST_F( Of , It ) {}\nTEST_P(C, D)\nTESTING(E, F)\nTEST(G)\n",
                  Language::kCpp),
            "A, B:1;Of , It:2;C, D:3;");
  EXPECT_EQ(names("test('adds', f);\n  it(\"is `odd`\", g);\nit('', h);\nitem('no');\n",
                  Language::kTypeScript),
            "'adds':1;\"is `odd`\":2;");
  EXPECT_EQ(names("#[test]\nfn one() {}\nfn two() {}\n#[tokio::test]\nasync fn three() {}\n"
                  "#[latest]\nfn four() {}\n",
                  Language::kRust),
            "one:2;three:5;");
  EXPECT_EQ(names("@Test\npublic void adds() {}\n@Test void subtracts() {}\nvoid no() {}\n",
                  Language::kJava),
            "adds:2;subtracts:3;");
}

TEST(Review, LongRunsOfOneLetterAreReadLikeOtherText) {
  const std::string spaces(2'000'000, ' '), lines(2'000'000, '\n'), letters(2'000'000, 'a');
  EXPECT_EQ(tests_in("TEST(" + spaces + "A, B)", Language::kCpp).size(), 1U);
  EXPECT_EQ(tests_in("TEST(A," + lines + letters + ")", Language::kCpp).size(), 1U);
  EXPECT_EQ(tests_in("#[test]" + lines + "fn a", Language::kRust).size(), 1U);
  TempRepo repo;
  repo.write("a.py", "x = 1\n");
  repo.commit("one");
  repo.write("a.py", "x = 1\nprint('" + spaces + "here')\nprint('" + letters + "')\n");
  EXPECT_EQ(said(facts(repo)), "debug-leftover a.py:2\n");
}

TEST(Review, FilesThatToolsLeftBehind) {
  TempRepo repo;
  repo.write("a.txt", "x\n");
  repo.commit("one");
  for (const char* name : {"a.orig", "b.txt~", "c.LOCAL.12", "d.BASE.3.txt", "LOCAL.1",
                           "e.LOCAL.txt", "f.MINE.12", "origin", "1"}) {
    repo.write(name, "x\n");
  }
  EXPECT_EQ(said(facts(repo)),
            "merge-leftover a.orig:1\nmerge-leftover b.txt~:1\nmerge-leftover c.LOCAL.12:1\n"
            "merge-leftover d.BASE.3.txt:1\n");
}

TEST(Review, PackagesThatBringANameOn) {
  TempRepo repo;
  repo.write("src/lib/ctx.py", "def has_it():\n    return 1\n\n\ndef other():\n    return 2\n");
  repo.write("src/lib/__init__.py",
             "from .ctx import has_it as has_it\nfrom .ctx import other as o\n");
  repo.write("tests/a.py", "import lib\n\nassert lib.has_it()\nassert lib.other()\n");
  repo.write("tests/b.py", "from lib import has_it\n\nassert has_it()\n");
  repo.commit("one");
  repo.write("src/lib/ctx.py", "def has_it(x):\n    return x\n\n\ndef other(x):\n    return x\n");
  const auto found = facts(repo);
  ASSERT_EQ(said(found), "changed-signature src/lib/ctx.py:1\n");
  EXPECT_EQ(found[0].related.size(), 2U);
}

TEST(Review, HelpersOfGoTestsAreOfTheirPackage) {
  TempRepo repo;
  repo.write("a_test.go", "package a\n\nfunc help(n int) int {\n\treturn n\n}\n");
  repo.write("b_test.go", "package a\n\nfunc use() int {\n\treturn help(1)\n}\n");
  repo.write("c_test.go", "package a_test\n\nfunc use() int {\n\treturn help(1)\n}\n");
  repo.commit("one");
  repo.write("a_test.go", "package a\n\nfunc help(n, m int) int {\n\treturn n + m\n}\n");
  const auto found = facts(repo);
  ASSERT_EQ(said(found), "changed-signature a_test.go:3\n");
  ASSERT_EQ(found[0].related.size(), 1U);
  EXPECT_EQ(found[0].related[0].path, "b_test.go");
}

TEST(Review, FilesThatAreGoneButNamed) {
  TempRepo repo;
  repo.write("a/old.h", "int x();\n");
  repo.write("b/user.c", "#include \"../a/old.h\"\n");
  repo.write("web/shape.js", "export function one() {}\n");
  repo.write("web/y.js", "import { one } from './shape.js';\none();\n");
  repo.commit("one");
  repo.git("rm -q a/old.h web/shape.js");
  EXPECT_NE(said(facts(repo)).find("missing-file b/user.c:1"), std::string::npos);
  EXPECT_NE(said(facts(repo)).find("missing-file web/y.js:1"), std::string::npos);
}

TEST(Review, MarkersSecretsLeftoversOnAddedLinesOnly) {
  TempRepo repo;
  repo.write("old.py", "breakpoint()\n");
  repo.write("parse.py", "def f():\n    return 1\n");
  repo.commit("one");
  repo.write("old.py", "breakpoint()\nx = 1\n");
  repo.write("new.js", "// debugger;\nconst s = 'debugger';\ndebugger;\n");
  repo.write("parse.py", "def f(:\n    return 1\n");
  repo.write("m.txt", "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n");
  repo.write("title.rst", "Title\n=======\n\ntext\n");
  const std::string key = std::string("AKIA") + "Z3MHQ7RTW2KXP5LD";
  repo.write("k.py", "key = '" + key + "'\n");
  repo.write("tests/a.test.js", "it.only('x', () => {});\n");
  const auto found = facts(repo);
  EXPECT_EQ(said(found),
            "secret k.py:1\nconflict-marker m.txt:2\ndebug-leftover new.js:3\nparse-error "
            "parse.py:1\nfocused-test tests/a.test.js:1\n");
  Report report;
  report.findings = found;
  for (const auto& text : {format_text(report, true), format_json(report), format_rdjsonl(report),
                           format_sarif(report, SarifProfile::kAi), format_markdown(report)}) {
    EXPECT_EQ(text.find(key), std::string::npos);
  }
}

TEST(Review, ABracketLostInABodyOfCIsSaidOnce) {
  TempRepo repo;
  const std::string head = "int first(int a) {\n  if (a) {\n    a = 2;\n";
  const std::string tail = "  return a;\n}\n\nint second(int a) {\n  return first(a);\n}\n";
  repo.write("a.c", head + "  }\n" + tail);
  repo.write("b.c", "int second(int a);\nint third(void) {\n  return second(1);\n}\n");
  repo.commit("one");
  repo.write("a.c", head + tail);  // nothing but a line less
  EXPECT_EQ(said(facts(repo)), "parse-error a.c:4\n");
  repo.write("a.c",
             head + "  }\n#if A\n  if (a) {\n#else\n  if (!a) {\n#endif\n    a = 3;\n  }\n" + tail);
  EXPECT_EQ(said(facts(repo)), "");
}

TEST(Review, SarifForAiHasRuleIdsOfATaxonomyAndNoFingerprints) {
  Report report;
  report.change = "0123abcd..index";
  report.root = "/r p";
  for (const auto* rule : {"secret", "parse-error", "secret-file"}) {
    Finding f;
    f.rule = rule;
    f.path = "a.c";
    f.snippet = "int a;";
    report.findings.push_back(f);
  }
  const auto run = nlohmann::json::parse(format_sarif(report, SarifProfile::kAi))["runs"][0];
  const auto& list = run["tool"]["driver"]["rules"];
  std::vector<std::string> ids;
  for (const auto& r : run["results"]) {
    ids.push_back(r["ruleId"]);
    const auto id = ids.back().substr(0, ids.back().find('/'));
    EXPECT_EQ(list[r["ruleIndex"].get<std::size_t>()]["id"], id);
    EXPECT_FALSE(r.contains("fingerprints") || r.contains("partialFingerprints"));
    EXPECT_NE(r["message"]["markdown"].get<std::string>().find("int a;"), std::string::npos);
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"CWE-798/secret", "NOVEL-parse-error",
                                           "CWE-798/secret-file"}));
  const auto& from = run["versionControlProvenance"][0];
  EXPECT_EQ(from["revisionId"], "0123abcd");
  EXPECT_EQ(from["repositoryUri"], "file:///r%20p");
  EXPECT_EQ(run["properties"]["ai/origin"], "annotated");
}

TEST(Review, FingerprintsSurviveMovesAndIndentation) {
  TempRepo repo;
  repo.commit("none");
  repo.write("a.py", "def f():\n    breakpoint()\n");
  const auto first = facts(repo);
  repo.git("rm -q --cached a.py");
  std::filesystem::remove(repo.path() / "a.py");
  repo.write("deep/b.py", "import os\n\n\ndef f():\n        breakpoint()\n");
  const auto second = facts(repo);
  ASSERT_EQ(first.size(), 1U);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(first[0].fingerprint, second[0].fingerprint);
  Baseline baseline;
  EXPECT_TRUE(baseline.add(first));
  ASSERT_TRUE(baseline.save(repo.path() / "b.json"));
  const auto loaded = Baseline::load(repo.path() / "b.json");
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->contains(second[0]));
}

TEST(Review, IgnoreCommentsNeedAReason) {
  Finding f;
  f.rule = "debug-leftover";
  f.range = {1, 0, 1, 3};
  EXPECT_TRUE(
      suppressed_in_source("# ambit:ignore debug-leftover used by the tour\nbreakpoint()\n", f));
  EXPECT_TRUE(suppressed_in_source("\nbreakpoint()  # ambit:ignore all on purpose\n", f));
  EXPECT_FALSE(suppressed_in_source("# ambit:ignore debug-leftover\nbreakpoint()\n", f));
  EXPECT_FALSE(suppressed_in_source("# ambit:ignore secret not this one\nbreakpoint()\n", f));
}

TEST(Review, CountsArgumentsOnlyWhereItIsSure) {
  const auto count = [](std::string_view call, Language l) {
    const auto a = count_arguments(code_only(call, l), call.find('('), l);
    return a ? a->count : -1;
  };
  EXPECT_EQ(count("f(a, g(b, c), \"x, y\" /* , */)", Language::kCpp), 3);
  EXPECT_EQ(count("f()", Language::kCpp), 0);
  EXPECT_EQ(count("f(a<b, c>(d))", Language::kCpp), -1);
  EXPECT_EQ(count("f(...xs)", Language::kJavaScript), -1);
  const auto arity = [](std::string_view d, Language l) {
    const auto a = count_parameters(code_only(d, l), d.find('('), l);
    return a ? std::to_string(a->least) + "-" + std::to_string(a->most) : "?";
  };
  EXPECT_EQ(arity("f(int a, int b = g(1, 2))", Language::kCpp), "1-2");
  EXPECT_EQ(arity("f(void)", Language::kC), "0-0");
  EXPECT_EQ(arity("f(const char* s, ...)", Language::kC), "?");
  EXPECT_EQ(arity("f(&self, a: u8)", Language::kRust), "1-1");
}

TEST(Review, PatchesAreReadStrictly) {
  EXPECT_FALSE(parse_patch("--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n"));
  EXPECT_FALSE(parse_patch("--- a/x\n+++ b/x\n@@ -1,9 +1 @@\n-a\n+b\n"));
  EXPECT_FALSE(parse_patch("no diff at all\n"));
  const auto good = parse_patch("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
  ASSERT_TRUE(good) << good.error().message;
  const auto read = [](const std::string&) { return Result<std::string>(std::string("a\nb\n")); };
  const auto sides = sides_of(good->files.at(0), read);
  ASSERT_TRUE(sides);
  EXPECT_EQ(sides->after, "a\nc\n");
}

class Answers : public testing::Test {
 protected:
  void SetUp() override {
    repo_.write("a.c", "int f(int *p) {\n  return 1;\n}\n");
    repo_.commit("one");
    repo_.write("a.c", "int f(int *p) {\n  return *p;\n}\n");
    change_ = staged(repo_);
  }
  [[nodiscard]] static std::string answer(const nlohmann::json& one) {
    return nlohmann::json{{"findings", nlohmann::json::array({one})}}.dump();
  }
  [[nodiscard]] std::size_t kept(const nlohmann::json& one) const {
    return read_model_findings(answer(one), change_, {}).findings.size();
  }
  const nlohmann::json good_{{"path", "a.c"},
                             {"line", 2},
                             {"quote", "return *p;"},
                             {"message", "p may be null"},
                             {"confidence", 0.9}};
  TempRepo repo_;
  ChangeSet change_;
};

TEST_F(Answers, KeepsWhatQuotesAnAddedLine) {
  EXPECT_EQ(kept(good_), 1U);
  const auto with = [&](const char* key, const nlohmann::json& value) {
    auto j = good_;
    j[key] = value;
    return kept(j);
  };
  EXPECT_EQ(with("path", "../../etc/passwd"), 0U);
  EXPECT_EQ(with("line", 1), 0U);  // exists, but did not change
  EXPECT_EQ(with("line", 99999), 0U);
  EXPECT_EQ(with("line", -1), 0U);
  EXPECT_EQ(with("line", "2"), 0U);
  EXPECT_EQ(with("quote", "return p;"), 0U);
  EXPECT_EQ(with("confidence", 0.2), 0U);
  EXPECT_EQ(with("confidence", 7), 0U);
  EXPECT_EQ(with("message", ""), 0U);
  Finding fact;
  fact.path = "a.c";
  fact.range = {1, 0, 1, 5};
  EXPECT_TRUE(read_model_findings(answer(good_), change_, {fact}).findings.empty());
  EXPECT_TRUE(read_model_findings("{\"findings\": []}", change_, {}).problem.empty());
  EXPECT_FALSE(read_model_findings("I cannot", change_, {}).problem.empty());
}

TEST_F(Answers, HundredThousandHostileAnswersNeverLeaveTheChange) {
  std::mt19937 random(7);
  const std::string seed = answer(good_);
  for (int i = 0; i < 100000; ++i) {
    auto text = seed;
    for (auto n = random() % 8; n > 0; --n) {
      const auto at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.resize(at + 1);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 20));
          break;
        default:
          text.erase(at, random() % 10);
          if (text.empty()) text = "{";
      }
    }
    const auto read = read_model_findings(text, change_, {});
    ASSERT_LE(read.findings.size(), 1U);
    for (const auto& f : read.findings) {
      ASSERT_EQ(f.path, "a.c");
      ASSERT_LE(f.range.line, 1U);
      ASSERT_GE(f.range.end_line, 1U);
      ASSERT_LE(f.range.end_line, 3U);
      ASSERT_NE(f.severity, Severity::kError);
    }
  }
}

}  // namespace
}  // namespace ambit::daemon::review

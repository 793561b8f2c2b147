#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "indexer/syntax/extract.h"
#include "indexer/syntax/grammars.h"
#include "indexer/syntax/live.h"
#include "indexer/syntax/parse_time.h"

namespace ambit::indexer {
namespace {

std::string outline(Language language, const std::string& text) {
  Extractor e;
  const auto facts = e.extract(language, text);
  if (!facts) return "error: " + facts.error().message;
  std::string out;
  for (std::size_t i = 0; i < facts->definitions.size(); ++i) {
    const auto s = make_symbol("x", text, language, facts->definitions, i);
    out += std::string(to_string(s.kind)) + (s.declaration_only ? "~ " : " ") +
           (s.scope.empty() ? "" : s.scope + "|") + s.name + "\n";
  }
  return out;
}

std::string replaced(std::string_view text, std::string_view what, const std::string& by) {
  std::string out(text);
  for (auto at = out.find(what); at != std::string::npos; at = out.find(what, at + by.size()))
    out.replace(at, what.size(), by);
  return out;
}

TEST(ParseTime, CountsTheProcessorAndNotTheWait) {
  const ParseTime time(std::chrono::milliseconds(20));
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_FALSE(time.over());
  const auto begin = std::clock();
  while (std::clock() - begin < CLOCKS_PER_SEC / 10) {
  }
  EXPECT_TRUE(time.over());
}

TEST(Rules, OfEveryLanguageFitItsGrammar) {
  for (const auto& info : all_languages()) {
    if (info.language == Language::kNone) continue;
    const auto* g = grammar_of(info.language);
    ASSERT_NE(g, nullptr) << info.name;
    EXPECT_EQ(g->error, "") << info.name;
    EXPECT_FALSE(g->patterns.empty()) << info.name;
  }
}

TEST(Extract, FindsCppDefinitionsWithTheirScope) {
  EXPECT_EQ(
      outline(Language::kCpp,
              "namespace a {\ntemplate <class T> class Foo : B {\n int get() const;\n int x_;\n};\n"
              "int Foo<int>::bar() { int local = 1; return local; }\n}\n"),
      "namespace a\nclass a|Foo\nmethod~ a::Foo|get\nfield a::Foo|x_\nmethod a::Foo|bar\n");
}

TEST(Extract, FindsPythonFieldsOfSelf) {
  EXPECT_EQ(outline(Language::kPython,
                    "class A:\n  y: int = 1\n  def __init__(self):\n    self.z = 1\n    k = 2\n"),
            "class A\nfield A|y\nmethod A|__init__\nfield A|z\n");
}

TEST(Extract, FindsWhatOtherLanguagesDefine) {
  EXPECT_EQ(outline(Language::kGo, "package x\nfunc (s *S) M() {}\ntype S struct { A int }\n"),
            "method S|M\nstruct S\nfield S|A\n");
  EXPECT_EQ(outline(Language::kRust, "impl S { fn m(&self) {} }\npub enum E { A }\n"),
            "method S|m\nenum E\nenumerator E|A\n");
  EXPECT_EQ(outline(Language::kTypeScript,
                    "export interface I { p: string }\nexport const f = () => 1;\n"),
            "interface I\nproperty I|p\nfunction f\n");
  EXPECT_EQ(
      outline(
          Language::kC,
          "#define M 1\nstruct s { int a; };\nstatic int f(void) { return 0; }\nint g(void);\n"),
      "macro M\nstruct s\nfield s|a\nfunction f\nfunction~ g\n");
  EXPECT_EQ(outline(Language::kJava, "class T { int x; T() {} void m() {} enum E { A } }\n"),
            "class T\nfield T|x\nconstructor T|T\nmethod T|m\nenum T|E\nenumerator T.E|A\n");
  EXPECT_EQ(outline(Language::kMarkdown, "# A\n\n## B\n"), "section A\nsection A|B\n");
}

TEST(Extract, LooksThroughModifiersThatTheKotlinGrammarTakesForNames) {
  const std::string text = R"(
@OptIn(UnsafeNumber::class)
actual class First
internal actual constructor(
  internal actual val data: ByteArray = null,
) : Comparable<First> {
  actual open fun one(actual: String) = "actual val none"
  // expect fun neither()
}
@Target(CLASS)
annotation class Mark
)";
  Extractor e;
  const auto facts = e.extract(Language::kKotlin, text);
  ASSERT_TRUE(facts);
  std::set<std::string> names;
  for (const auto& d : facts->definitions) {
    names.insert(text.substr(d.name.begin, d.name.size()));
    if (text.substr(d.name.begin, d.name.size()) == "First") {
      EXPECT_TRUE(text.substr(d.declaration).starts_with("@OptIn(UnsafeNumber::class)\nactual"));
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"First", "data", "one", "Mark"}));
}

TEST(Languages, AFragmentIsWhatItHolds) {
  const auto check = [](std::string_view head, Language expected) {
    EXPECT_EQ(language_of("src/list.inc", head), expected) << head;
  };
  check("", Language::kC);
  check("// Values.\nX(1)\nX(2)\n", Language::kC);
  check("\n  { 1, 2 },\n  FOO(a),\n", Language::kC);
  check("#if A\nint f(void);\n#endif\n", Language::kC);
  check("// Part of a class.\ntemplate <class T>\nvoid f(T);\n", Language::kCpp);
  check("<?php\nfunction f() {}\n", Language::kPhp);
  check("<h1>x</h1>\n<?php echo 1; ?>\n", Language::kPhp);
  check("# BitBake\nSUMMARY = \"x\"\n", Language::kNone);
  check("; nasm\n%macro x 1\n", Language::kNone);
  check("VERSION := 3\n", Language::kNone);
  EXPECT_EQ(language_of("src/list.c.inc", "static int x;\n"), Language::kC);
}

TEST(Soften, LooksThroughMacrosThatTheGrammarCannotPlace) {
  EXPECT_EQ(outline(Language::kCpp,
                    "class LIB_EXPORT Cache final : public B {\n  int n_ GUARDED_BY(mu_);\n"
                    "  void f() EXCLUSIVE_LOCKS_REQUIRED(mu_);\n};\nstruct FILE file;\n"),
            "class Cache\nfield Cache|n_\nmethod~ Cache|f\nvariable file\n");
  EXPECT_EQ(outline(Language::kC,
                    "LIB_EXPORT const t* make(void) LIB_NORETURN;\n"
                    "static int __init start(void) { return FOO(1); }\n"
                    "struct s { int a; } __packed;\n"
                    "const int list[] = {\n#define ITEM(x) x,\n#if A\n  1,\n#endif\n};\n"
                    "int g(void) {\n#ifdef A\n  if (a) {\n#else\n  if (b) {\n#endif\n  }\n"
                    "  return 1;\n}\nint h(void) { return 2; }\n"),
            "function~ make\nfunction start\nstruct s\nfield s|a\nvariable list\nmacro ITEM\n"
            "function g\nfunction h\n");
}

TEST(Soften, KeepsThePositionsAndTheMentions) {
  const std::string text = "class LIB_EXPORT A {\n  int n GUARDED_BY(mu_);\n};\n";
  Extractor e;
  const auto facts = e.extract(Language::kCpp, text);
  ASSERT_TRUE(facts);
  std::string said;
  for (const auto& m : facts->mentions)
    said += text.substr(m.span.begin, m.span.size()) + ":" + std::to_string(m.line) + " ";
  EXPECT_EQ(said, "LIB_EXPORT:0 GUARDED_BY:1 mu_:1 ");
  EXPECT_EQ(facts->definitions[0].name.begin, 17U);
}

TEST(Extract, KeepsSignatureAndDocComment) {
  const std::string text =
      "/// Adds two numbers. And more.\nint add(int a,\n        int b) {\n  return a + b;\n}\n";
  Extractor e;
  const auto facts = e.extract(Language::kCpp, text);
  ASSERT_TRUE(facts);
  const auto s = make_symbol("x", text, Language::kCpp, facts->definitions, 0);
  EXPECT_EQ(s.signature, "int add(int a, int b)");
  EXPECT_EQ(s.doc, "Adds two numbers.");
  EXPECT_EQ(s.span.begin, 0U);
  EXPECT_EQ(s.line, 1U);
  EXPECT_EQ(s.end_line, 4U);
}

TEST(Extract, SurvivesAnyPrefixOfAFileAndRandomBytes) {
  const std::string text =
      "class A { void f() { if (x) { g(1, \"s\"); } } }; // end\n#define X(a) a\n";
  Extractor e;
  for (std::size_t n = 0; n <= text.size(); ++n) {
    for (const auto& info : all_languages()) {
      if (info.language == Language::kNone || n % 7 != 0) continue;
      EXPECT_TRUE(e.extract(info.language, std::string_view(text).substr(0, n))) << info.name;
    }
  }
  std::string noise;
  std::uint32_t x = 1;
  for (int i = 0; i < 4000; ++i)
    noise.push_back(static_cast<char>((x = x * 1664525U + 1013904223U) >> 24));
  for (const auto& info : all_languages()) {
    if (info.language == Language::kNone) continue;
    ExtractLimits limits;
    limits.time = std::chrono::milliseconds(3000);
    (void)e.extract(info.language, noise, limits);
  }
}

TEST(Extract, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  ExtractLimits limits;
  limits.stop = stop.get_token();
  std::string text;
  for (int i = 0; i < 20000; ++i)
    text += "int f" + std::to_string(i) + "(int a) { return a * (a + 1); }\n";
  Extractor e;
  const auto r = e.extract(Language::kC, text, limits);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kCancelled);
  limits = {};
  limits.max_bytes = 10;
  EXPECT_EQ(e.extract(Language::kC, text, limits).error().code, Code::kResourceExhausted);
}

// What is left out of an outline must not show in what it finds.
TEST(Outline, HasTheDefinitionsOfTheWholeText) {
  const std::string text = R"(#ifndef A_H
#define A_H  // guard
#include "b.h"
/* One.
   Two. */
#define MAX(a, b) \
  ((a) > (b) ? (a) : (b) + helper)
struct s {  // of note
  int x;
#ifdef WIDE
  long y;
#endif
};
/** Adds. */
static int add(int a) {
  const char *t = "} {";  /* } */
#define INSIDE 1
  struct s v = {.x = '}', .y = a};
  if (a) { return other(v.x) // }
  ; }
#if B
  more();
#else
  less();
#endif
  return 0; }  int behind;
static const struct s table[] = {
  {1, first},
  [2] = {CALL(second)},
};
void local(void) { struct inner { int z; } i; use(i.z); }
#ifdef C
void branch(int a) {
#else
void branch(void) {
#endif
  tail();
}
PLAIN_MACRO
DECLARE(thing)
int last;
#endif
)";
  Extractor e;
  const auto whole = e.extract(Language::kC, text);
  const auto outline = e.outline(Language::kC, text);
  ASSERT_TRUE(whole && outline);
  EXPECT_EQ(whole->definitions, outline->definitions);
  std::map<std::string, const Definition*> found;
  for (const auto& d : outline->definitions) found[text.substr(d.name.begin, d.name.size())] = &d;
  for (const char* name : {"A_H", "MAX", "s", "x", "y", "add", "INSIDE", "behind", "table", "local",
                           "inner", "z", "branch", "last"}) {
    ASSERT_TRUE(found.contains(name)) << name;
    const auto& d = *found[name];
    const auto before = text.substr(0, d.name.begin);
    EXPECT_EQ(d.line, std::count(before.begin(), before.end(), '\n')) << name;
    EXPECT_EQ(d.column, before.size() - before.rfind('\n') - 1) << name;
  }
  const auto cut = [&](ByteSpan s) { return text.substr(s.begin, s.size()); };
  EXPECT_EQ(cut(found["MAX"]->doc), "/* One.\n   Two. */");
  EXPECT_EQ(found["MAX"]->end_line, found["MAX"]->line + 1);
  EXPECT_TRUE(cut(found["add"]->span).ends_with("return 0; }"));
  EXPECT_EQ(cut(found["add"]->doc), "/** Adds. */");
  EXPECT_EQ(found["add"]->end_line, found["behind"]->line);
  std::set<std::string> words;
  for (const auto& m : outline->mentions) words.insert(cut(m.span));
  for (const char* name : {"helper", "other", "more", "less", "first", "CALL", "second", "use",
                           "tail", "WIDE", "PLAIN_MACRO", "DECLARE", "thing"})
    EXPECT_TRUE(words.contains(name)) << name;
  for (const char* name : {"return", "Adds", "if", "note", "guard"})
    EXPECT_FALSE(words.contains(name)) << name;
  EXPECT_TRUE(outline->errors.empty());
}

std::string said(const Definition& d) {
  std::string out = d.owner;
  for (const auto n : {d.name.begin, d.name.end, d.span.begin, d.span.end, d.declaration,
                       d.signature_end, d.doc.begin, d.doc.end, d.line, d.column, d.end_line,
                       static_cast<std::uint32_t>(d.parent), static_cast<std::uint32_t>(d.kind),
                       std::uint32_t{d.exported}, std::uint32_t{d.declaration_only}})
    out += " " + std::to_string(n);
  return out;
}

void expect_in_place(const Facts& facts, std::string_view text) {
  const auto at = [&](ByteSpan span, std::uint32_t line, std::uint32_t column) {
    ASSERT_LE(span.begin, span.end);
    ASSERT_LE(span.end, text.size());
    const auto before = text.substr(0, span.begin);
    EXPECT_EQ(line, std::count(before.begin(), before.end(), '\n'));
    EXPECT_EQ(column, before.size() - (before.rfind('\n') + 1));
  };
  for (std::size_t i = 0; i < facts.definitions.size(); ++i) {
    const auto& d = facts.definitions[i];
    at(d.name, d.line, d.column);
    EXPECT_LT(d.parent, static_cast<std::int32_t>(i));
    EXPECT_LE(d.span.begin, d.declaration);
    EXPECT_LE(d.declaration, d.name.begin);
    EXPECT_LE(d.name.end, d.span.end);
    EXPECT_LE(d.span.end, text.size());
    EXPECT_LE(facts.definitions[i == 0 ? 0 : i - 1].name.begin, d.name.begin);
  }
  for (const auto& l : facts.locals) at(l.name, l.line, l.column);
}

// Keystrokes in the middle of a file: what is kept and moved must be what a fresh parse says, in
// every text without errors, on whatever way it came about.
void type_into(Language language, LiveDetail detail, std::string text) {
  std::mt19937 random(11);
  const auto pick = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  Extractor e;
  const auto shared = [](const std::string& t) { return std::make_shared<const std::string>(t); };
  auto live = follow(e, language, detail, nullptr, shared(text));
  ASSERT_TRUE(live->facts().errors.empty());
  ASSERT_FALSE(live->facts().definitions.empty());
  const auto check = [&](const LiveFacts& now, const LiveFacts& fresh, const std::string& what) {
    const auto& a = now.facts.definitions;
    const auto& b = fresh.facts.definitions;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
      ASSERT_EQ(said(a[i]), said(b[i])) << what << ", definition " << i << " of\n" << text;
    ASSERT_EQ(a.size(), b.size()) << what;
    ASSERT_EQ(now.facts.mentions, fresh.facts.mentions) << what;
    ASSERT_EQ(now.facts.imports, fresh.facts.imports) << what;
    ASSERT_EQ(now.facts.locals, fresh.facts.locals) << what;
    ASSERT_EQ(now.facts.errors, fresh.facts.errors) << what;
  };
  const std::string typed = "abcx(); {}\n+*/\"#,";
  const auto step = [&](const std::string& next, const std::string& what) {
    const auto fresh = follow(e, language, detail, nullptr, shared(next));
    text = next;
    const bool right = fresh->facts().errors.empty();
    // A keystroke's answer is exact, or has every fact in its place and says that it is old.
    const auto quick = follow_typing(e, detail, live, shared(next));
    const auto old = follow_typing(e, detail, live, shared(next), std::chrono::milliseconds(0));
    EXPECT_TRUE(old->provisional || *live->text == next) << what;
    for (const auto& now : {quick, old}) {
      expect_in_place(now->facts(), text);
      if (right && !now->provisional) check(now->live, fresh->live, what);
    }
    // Whatever lies behind it, the exact answer is that of a fresh parse.
    const auto settled = follow(e, language, detail, pick(2) == 0 ? live : quick, shared(next));
    EXPECT_FALSE(settled->provisional);
    if (right) check(settled->live, fresh->live, what);
    live = pick(2) == 0 ? settled : quick;
  };
  for (int episode = 0; episode < 40 && !testing::Test::HasFatalFailure(); ++episode) {
    std::vector<std::string> way;  // there and back, each step a few bytes at one place
    auto at = pick(text.size());
    for (int n = 1 + static_cast<int>(pick(4)); n > 0; --n) {
      way.push_back(text);
      auto next = text;
      if (pick(3) == 0) {
        next.erase(std::min(at, next.size() - 4), 1 + pick(3));
      } else {
        next.insert(std::min(at, next.size()), 1, typed[pick(typed.size())]);
      }
      at += pick(3);
      step(next, "episode " + std::to_string(episode));
    }
    for (; !way.empty(); way.pop_back()) step(way.back(), "back, " + std::to_string(episode));
  }
}

std::string c_file() {
  std::string text = "#include <a.h>\n// License\n\n";
  for (int i = 0; i < 40; ++i) {
    const auto n = std::to_string(i);
    text += "/* Doc of f" + n + ". */\nstatic int f" + n +
            "(int a, int b) {\n  int c = g(a);\n  return c + b;\n}\n\nstruct s" + n +
            " {\n  int x; // note\n#ifdef A\n  char *y;\n#endif\n};\n#define M" + n + "(v) h(v)\n";
  }
  return text;
}
// Types of many members: the members are parsed one by one.
std::string class_file(std::string_view head, std::string_view member, std::string_view tail) {
  std::string text;
  for (int t = 0; t < 2; ++t) {
    text += replaced(head, "N", std::to_string(t));
    for (int i = 0; i < 12; ++i) text += replaced(member, "N", std::to_string(i));
    text += tail;
  }
  return text;
}

TEST(Live, TypingGivesTheFactsOfAFreshParse) {
  type_into(Language::kC, LiveDetail::kWhole, c_file());
}
TEST(Live, TypingGivesTheOutlineOfAFreshParse) {
  type_into(Language::kC, LiveDetail::kOutline, c_file());
}
TEST(Live, TypingIntoAMember) {
  type_into(Language::kJava, LiveDetail::kWhole,
            class_file("// The first.\npublic class TN extends B {\n  private int x;\n",
                       "  /** Adds N. */\n  @Keep\n  public int fN(int a, List<String> b) {\n"
                       "    int c = a + g(b.size());\n    if (c > N) { return h(c); }\n"
                       "    return this.x + c;\n  }\n  int vN; // of note\n\n",
                       "}\n"));
  type_into(Language::kTypeScript, LiveDetail::kWhole,
            class_file("import { g } from './g';\nexport class TN implements B {\n",
                       "  /** Adds N. */\n  fN(a: number, b: string[]): number {\n"
                       "    const c = a + g(b.length);\n    if (c > N) { return h(c); }\n"
                       "    return b.map((x) => x + `${c}`).length;\n  }\n  vN?: string;\n\n",
                       "}\n\nexport const other = (a: string) => a + 1;\n"));
  type_into(Language::kPython, LiveDetail::kWhole,
            class_file("import os\n\n\nclass TN(B):\n    \"\"\"Doc.\"\"\"\n\n    x = 1\n\n",
                       "    @keep\n    def fN(self, a, b=0):\n        'Adds N.'\n"
                       "        c = a + os.g(b)\n        if c > N:\n            return h(c)\n"
                       "        return self.x\n\n    # A value.\n    vN = 3\n\n",
                       "\n\ndef last(a):\n    return a\n\n\n"));
  type_into(Language::kCpp, LiveDetail::kOutline,
            class_file("namespace nN {\n// A class.\nclass TN : public B {\n public:\n",
                       "  // Adds N.\n  int fN(int a, const std::string& b) const {\n"
                       "    int c = a + g(b.size());\n    if (c > N) { return h(c); }\n"
                       "    return x_ + c;\n  }\n  int vN_ = 3;  // of note\n\n",
                       " private:\n  int x_;\n};\n}  // namespace\n"));
  type_into(Language::kGo, LiveDetail::kWhole,
            class_file("package p\n\nimport \"a/b\"\n\ntype TN struct {\n\tx int\n}\n\n",
                       "// FN adds.\nfunc (t *TN) fN(a int, s []string) (int, error) {\n"
                       "\tc := a + g(len(s))\n\tif c > N {\n\t\treturn h(c), nil\n\t}\n"
                       "\treturn t.x + c, nil\n}\n\nvar vN = 3 // of note\n\n",
                       "func last() {}\n\n"));
  type_into(Language::kJavaScript, LiveDetail::kWhole,
            class_file("import { g } from './g';\nexport class TN extends B {\n",
                       "  /** Adds N. */\n  fN(a, b = 0) {\n    const c = a + g(b);\n"
                       "    if (c > N) { return h(c); }\n    return [b].map((x) => x + `${c}`);\n"
                       "  }\n\n",
                       "}\n\nexport const other = (a) => a + 1;\n"));
  type_into(Language::kRust, LiveDetail::kWhole,
            class_file("use a::b;\n\npub struct TN { pub x: i32 }\nimpl TN {\n",
                       "    /// Adds N.\n    pub fn fN(&self, a: i32, b: &str) -> i32 {\n"
                       "        let c = a + g(b.len());\n        if c > N { return h(c); }\n"
                       "        self.x + c\n    }\n    const VN: i32 = 3; // of note\n\n",
                       "}\n"));
}

}  // namespace
}  // namespace ambit::indexer

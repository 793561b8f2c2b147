#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <random>
#include <set>

#include "index_of.h"
#include "indexer/index.h"
#include "indexer/store/maintenance.h"
#include "temp_repo.h"

namespace ambit::indexer {
namespace {

// Everything that a snapshot says, as text.
std::string dump(const Snapshot& s) {
  std::string out;
  for (const auto& f : s.files()) {
    out += f.path + " " + f.blob.hex() + " " + std::string(f.skipped) + "\n";
    for (const auto& d : s.symbols_in(f.path)) {
      out += "  " + d.scope + "|" + d.name + "|" + d.signature + "|" + d.doc + "|" +
             std::to_string(d.span.begin) + "-" + std::to_string(d.span.end) + "\n";
    }
    for (const auto& r : s.references_in(f.path))
      out += "  > " + r.name + " " + std::to_string(r.line) + "\n";
  }
  for (const auto* name : {"f0", "f1", "f2", "f3", "Thing"}) {
    for (const auto& d : s.definitions(name))
      out += std::string(name) + " = " + d.path + ":" + std::to_string(d.line) + "\n";
    for (const auto& r : s.references(name))
      out += std::string(name) + " < " + r.path + ":" + std::to_string(r.line) + "\n";
  }
  return out;
}

TEST(RepoIndex, AnswersWhatIsWhere) {
  TempRepo repo;
  repo.write("a.h", "int add(int a, int b);\n");
  repo.write("a.c", "#include \"a.h\"\nint add(int a, int b) { return a + b; }\n");
  repo.write("b.c", "#include \"a.h\"\nint twice(int v) { return add(v, v); }\n");
  repo.write(".env", "TOKEN=1\n");
  repo.commit("one");
  auto index = index_of(repo.path());
  auto report = index->update();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->files, 4U);
  EXPECT_EQ(report->skipped["secret"], 1U);
  const auto s = index->snapshot();
  const auto defs = s->definitions("add");
  ASSERT_EQ(defs.size(), 2U);
  EXPECT_EQ(defs[0].path, "a.c");  // the body before the prototype
  const auto refs = s->references("add");
  ASSERT_EQ(refs.size(), 1U);
  EXPECT_EQ(refs[0].kind, ReferenceKind::kCall);
  const auto meant = s->resolve("b.c", refs[0].span.begin);
  ASSERT_FALSE(meant.empty());
  EXPECT_EQ(meant[0].symbol.path, "a.c");
  const auto local = s->resolve("b.c", refs[0].span.begin + 4);
  ASSERT_FALSE(local.empty());
  EXPECT_EQ(local[0].symbol.name_span.begin, 29U);
  EXPECT_EQ(s->find_symbols("twc", 5)[0].name, "twice");
  EXPECT_EQ(s->search("return add", false, 10)->size(), 1U);
  EXPECT_EQ(s->search("a.. \\+ b", true, 10)->size(), 0U);
  EXPECT_EQ(s->search("return \\w \\+ b", true, 10)->size(), 1U);
  EXPECT_EQ(s->search("(", true, 10).error().code, Code::kInvalidArgument);
  EXPECT_EQ(s->text(".env").error().code, Code::kPermission);
}

TEST(RepoIndex, CodeInStringsRefersToWhatItNames) {
  TempRepo repo;
  const auto uses = [&](const std::string& path, const std::string& text) {
    auto index = index_of(repo.path());
    EXPECT_TRUE(index->update());
    const auto with =
        index->snapshot()->with_buffers({{path, std::make_shared<const std::string>(text)}});
    std::vector<std::string> out;
    for (const auto& r : with->references("zed"))
      out.push_back(std::to_string(r.line + 1) + ":" + std::to_string(r.column + 1));
    return out;
  };
  using Places = std::vector<std::string>;
  EXPECT_EQ(uses("a.py",
                 "x = f'{zed} {{zed}} zed {a(zed, {1: zed})!r:>{zed}}'\ny = 'zed {zed}'\n"
                 "z = rf\"\"\"a\n{zed}\n\"\"\" + zed\n"),
            (Places{"1:8", "1:28", "1:37", "1:47", "4:2", "5:7"}));
  EXPECT_EQ(uses("a.rb", "x = \"zed #{zed} zed\" + 'zed #{zed}' + zed\n"),
            (Places{"1:12", "1:39"}));
  EXPECT_EQ(uses("a.kt", "val x = \"zed $zed ${f(zed)} \\$zed\" + zed\n"),
            (Places{"1:15", "1:23", "1:38"}));
  EXPECT_EQ(uses("a.cs", "var x = $\"zed {zed}\" + \"{zed}\" + zed;\n"), (Places{"1:16", "1:34"}));
  EXPECT_EQ(
      uses("a.ts", "f(`zed://${zed} $zed ${g({zed}, `a${zed}`)}`, \"${zed}\", zed); // zed\n"),
      (Places{"1:12", "1:27", "1:37", "1:57"}));
  EXPECT_EQ(uses("b.ts", "zed.$zed = $zed(zed$, `$${zed}`)\n"), (Places{"1:1", "1:27"}));
  EXPECT_EQ(uses("c.ts", "x.match(/^(`+)[/'\"] zed/); zed\ny = zed / 2; // `\nzed\n"),
            (Places{"1:28", "2:5", "3:1"}));
  // Lines are counted in strings that go on behind a backslash, or at once.
  EXPECT_EQ(uses("a.c", "const char* x = \"zed \\\n zed\";\nint y = zed;\n"), (Places{"3:9"}));
  EXPECT_EQ(uses("a.rs",
                 "let x = \"zed \\\n zed\n zed\"; zed('\"', '\\'', b'z', '\\u{e9}') + zed;\n"
                 "fn f<'zed>(x: &'zed str) { r\"zed\\\"; r#\"zed \" zed\"#; zed }\n"),
            (Places{"3:8", "3:41", "4:7", "4:17", "4:53"}));
  EXPECT_EQ(uses("a.swift", "let x = \"zed \\(f(zed))\" + zed\n"), (Places{"1:18", "1:27"}));
}

TEST(RepoIndex, APrototypeAndItsBodyAreOneMeaningAndOtherLanguagesAreNoRivals) {
  TempRepo repo;
  repo.write("a.h", "int add(int a, int b);\n");
  repo.write("a.c", "#include \"a.h\"\nint add(int a, int b) { return a + b; }\n");
  const std::string use = "#include \"a.h\"\nint twice(int v) { return add(v, v); }\n";
  repo.write("b.c", use);
  repo.write("a.py", "def add(a, b):\n    return a + b\n");
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  const auto meant = index->snapshot()->resolve("b.c", static_cast<std::uint32_t>(use.find("add")));
  ASSERT_EQ(meant.size(), 3U);
  EXPECT_EQ(meant[0].symbol.path, "a.c");
  EXPECT_GT(meant[0].confidence, 0.8F);
  EXPECT_EQ(meant[1].symbol.path, "a.h");
  EXPECT_LT(meant[2].confidence, 0.1F);
}

TEST(RepoIndex, LaysUnsavedTextOverTheSnapshot) {
  TempRepo repo;
  repo.write("a.py", "def f0():\n  pass\n");
  repo.commit("one");
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  const auto base = index->snapshot();
  const auto with =
      base->with_buffers({{"a.py", std::make_shared<const std::string>("def f1():\n  f0()\n")}});
  EXPECT_TRUE(with->definitions("f0").empty());
  EXPECT_EQ(with->definitions("f1").size(), 1U);
  EXPECT_EQ(with->references("f0").size(), 1U);
  EXPECT_EQ(base->definitions("f0").size(), 1U);
  EXPECT_TRUE(base->definitions("f1").empty());
}

TEST(RepoIndex, AKeystrokeIsAnsweredAtOnceAndSettledLater) {
  TempRepo repo;
  std::string code;
  for (int i = 0; i < 400; ++i) code += "int f" + std::to_string(i) + "(int a) {\n  return a;\n}\n";
  repo.write("a.c", code);
  repo.commit("one");
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  const auto saved = index->snapshot();
  const auto overlay = [&](const std::string& text) {
    return saved->with_typing({{"a.c", std::make_shared<const std::string>(text)}});
  };
  EXPECT_TRUE(overlay(code)->unsettled().empty());
  // No end of this comment: what is behind it is known to the next parse of the whole file alone.
  const auto at = code.find("int f200");
  auto typed = code;
  typed.insert(at, "/*\n");
  const auto now = overlay(typed);
  EXPECT_EQ(now->unsettled(), std::vector<std::string>{"a.c"});
  EXPECT_EQ(now->tree_name(), saved->tree_name() + " + 1 unsaved, 1 as before the last keystrokes");
  const auto f300 = now->definitions("f300");
  ASSERT_EQ(f300.size(), 1U);
  EXPECT_EQ(f300[0].line, 901U);
  EXPECT_EQ(typed.substr(f300[0].name_span.begin, 4), "f300");
  const auto settled = now->settled();
  EXPECT_TRUE(settled->unsettled().empty());
  auto other = index_of(repo.path());
  ASSERT_TRUE(other->update());
  const auto buffer = std::make_shared<const std::string>(typed);
  EXPECT_EQ(dump(*settled), dump(*other->snapshot()->with_buffers({{"a.c", buffer}})));
  // What was settled is what the next keystroke builds on, and a closed comment is exact at once.
  EXPECT_TRUE(overlay(typed)->unsettled().empty());
  typed.insert(at + 2, " */");
  EXPECT_TRUE(overlay(typed)->settled()->unsettled().empty());
  EXPECT_EQ(overlay(typed)->definitions("f300").size(), 1U);
}

TEST(RepoIndex, AStoppedUpdateSaysSoAndTheNextOneIsWhole) {
  TempRepo repo;
  for (int i = 0; i < 50; ++i)
    repo.write("f" + std::to_string(i) + ".c", "int f" + std::to_string(i) + "(void);\n");
  auto index = index_of(repo.path());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(index->update(stop.get_token()).error().code, Code::kCancelled);
  EXPECT_TRUE(index->snapshot()->definitions("f7").empty());
  ASSERT_TRUE(index->update());
  EXPECT_EQ(index->snapshot()->definitions("f7").size(), 1U);
}

TEST(RepoIndex, ACopyUnderAnotherNameIsReadAsWhatItsNameSays) {
  TempRepo repo;
  const std::string text = "class Ledger {\n public:\n  int owner();\n};\n";
  repo.write("a.txt", text);
  repo.commit("one");
  auto index = index_of(repo.path());
  ASSERT_TRUE(index->update());
  repo.write("ledger.h", text);
  repo.write(".ambit-1-0.tmp", "class Thing {};\n");  // an apply is under way
  ASSERT_TRUE(index->update_paths({"ledger.h", ".ambit-1-0.tmp"}));
  EXPECT_EQ(index->snapshot()->definitions("owner").size(), 1U);
  EXPECT_EQ(index->snapshot()->search("Thing", false, 10)->size(), 0U);
}

TEST(RepoIndex, SaysWhatItDidNotUnderstand) {
  TempRepo repo;
  repo.write("good.c", "int f0(void) { return 1; }\n");
  repo.write("bad.c", "int f1(void) { return 1; }\n)))) $$ ((((\nint f2(void) { return 1; }\n");
  repo.commit("one");
  auto index = index_of(repo.path());
  const auto report = index->update();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->partial, 1U);
  const auto s = index->snapshot();
  EXPECT_EQ(s->file("good.c")->unparsed, 0);
  EXPECT_GT(s->file("bad.c")->unparsed, 0);
  EXPECT_TRUE(s->unparsed_ranges("good.c").empty());
  ASSERT_FALSE(s->unparsed_ranges("bad.c").empty());
  EXPECT_EQ(s->definitions("f1").size(), 1U);
}

TEST(Store, KeepsWhatIsNeededAndNoMore) {
  TempRepo repo, cache(false);
  repo.write("a.c", "int f0(void) { return 1; }\n");
  repo.write("b.c", "int f1(void) { return 1; }\n");
  repo.commit("one");
  ASSERT_TRUE(index_of(repo.path(), cache.path())->update());
  auto report = verify_store(cache.path());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->records, 2U);
  EXPECT_TRUE(report->damaged.empty());
  // What was written lately stays, needed or not.
  repo.write("a.c", "int f2(void) { return 1; }\n");
  ASSERT_TRUE(index_of(repo.path(), cache.path())->update());
  report = collect_store(cache.path(), {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->removed_records, 0U);
  GarbageOptions all;
  all.keep_days = 0;
  report = collect_store(cache.path(), all);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->removed_records, 1U);
  auto again = index_of(repo.path(), cache.path());
  const auto built = again->update();
  ASSERT_TRUE(built);
  EXPECT_EQ(built->reused_files, 1U);  // the changed one is read, then known
  EXPECT_EQ(verify_store(cache.path())->records, 2U);
  EXPECT_EQ(again->snapshot()->definitions("f2").size(), 1U);
  // A damaged file is found, removed, and learnt again.
  for (const auto& e : std::filesystem::directory_iterator(cache.path())) {
    if (e.path().extension() == ".seg")
      std::filesystem::resize_file(e.path(), std::filesystem::file_size(e.path()) - 1);
  }
  report = verify_store(cache.path());
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->damaged.empty());
  again = index_of(repo.path(), cache.path());
  ASSERT_TRUE(again->update());
  EXPECT_EQ(again->snapshot()->definitions("f1").size(), 1U);
  // A limit of one byte leaves nothing.
  all.max_bytes = 1;
  report = collect_store(cache.path(), all);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->bytes_after, 0U);
}

// A save costs no writing: what it changed is kept in memory, and written once at the end.
TEST(RepoIndex, WritesNothingWhileFilesAreSaved) {
  TempRepo repo, cache(false);
  repo.write("a.c", "int f0(void) { return 1; }\n");
  repo.write("b.c", "int f1(void) { return 1; }\n");
  repo.commit("one");
  const auto bytes = [&] {
    std::uintmax_t sum = 0;
    for (const auto& e : std::filesystem::directory_iterator(cache.path())) sum += e.file_size();
    return sum;
  };
  auto index = index_of(repo.path(), cache.path());
  ASSERT_TRUE(index->update());
  const auto before = bytes();
  for (int i = 0; i < 30; ++i) {
    repo.write("a.c", "int g" + std::to_string(i) + "(void) { return 1; }\n");
    ASSERT_TRUE(index->update_paths({"a.c"}));
    ASSERT_EQ(index->snapshot()->definitions("g" + std::to_string(i)).size(), 1U);
    if (i > 0) {
      ASSERT_TRUE(index->snapshot()->definitions("g" + std::to_string(i - 1)).empty());
    }
  }
  EXPECT_EQ(bytes(), before);
  const auto unchanged = index->snapshot();
  repo.write("ignored.o", "x");
  repo.write(".git/info/exclude", "*.o\n");
  ASSERT_TRUE(index->update_paths({"ignored.o", "gone.c"}));
  EXPECT_EQ(index->snapshot(), unchanged);
  index.reset();
  EXPECT_GT(bytes(), before);
  const auto report = verify_store(cache.path());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->records, 3U);  // both of the start, and the last of 30
  index = index_of(repo.path(), cache.path());
  const auto again = index->update();
  ASSERT_TRUE(again);
  EXPECT_EQ(index->snapshot()->definitions("g29").size(), 1U);
}

// The promise that nothing is stale: after any step, the living index says what a new one says.
TEST(RepoIndex, IncrementalEqualsRebuilt) {
  TempRepo repo, cache(false);
  std::mt19937 random(7);
  const auto pick = [&](unsigned n) {
    return std::uniform_int_distribution<unsigned>(0, n - 1)(random);
  };
  const auto text = [&] {
    std::string t = "// v" + std::to_string(pick(1000)) + "\n";
    for (unsigned i = 0, n = 1 + pick(3); i < n; ++i) {
      t += "/// Doc " + std::to_string(pick(9)) + "\nint f" + std::to_string(pick(4)) +
           "(int a) { return f" + std::to_string(pick(4)) + "(a) + Thing; }\n";
    }
    return t;
  };
  const auto name = [&] {
    return (pick(2) == 0 ? "src/" : "") + std::string("m") + std::to_string(pick(6)) + ".cc";
  };
  repo.write("m0.cc", text());
  repo.commit("start");
  repo.git("branch other");
  auto living = index_of(repo.path(), cache.path());
  ASSERT_TRUE(living->update());
  for (int step = 0; step < 200; ++step) {
    std::vector<std::string> paths;
    const auto action = pick(12);
    if (action < 4) {
      paths.push_back(name());
      repo.write(paths.back(), text());
    } else if (action == 4) {
      paths.push_back(name());
      std::filesystem::remove(repo.path() / paths.back());
    } else if (action == 5) {
      const auto from = name();
      const auto to = name();
      std::error_code ec;
      std::filesystem::rename(repo.path() / from, repo.path() / to, ec);
      paths = {from, to};
    } else if (action == 6) {
      repo.commit("step");
    } else if (action == 7) {
      repo.git("stash -q -u");
    } else if (action == 8) {
      repo.commit("switch");
      repo.git(pick(2) == 0 ? "checkout -q other" : "checkout -q main");
    } else if (action == 9) {
      repo.commit("before");
      if (!repo.git("rebase -q -X theirs other")) repo.git("rebase --abort");
    } else if (action == 10) {
      repo.git("stash pop -q");
    } else {  // a linked worktree shares what is known, and nothing else
      repo.commit("worktree");
      TempRepo other(false);
      const auto place = other.path() / "wt";
      ASSERT_TRUE(repo.git("worktree add -q --detach '" + place.string() + "' other"));
      std::ofstream(place / "only_here.cc") << text();
      auto linked = index_of(place, cache.path());
      ASSERT_TRUE(linked->update());
      auto rebuilt = index_of(place);
      ASSERT_TRUE(rebuilt->update());
      ASSERT_EQ(dump(*linked->snapshot()), dump(*rebuilt->snapshot())) << "step " << step;
      repo.git("worktree remove --force '" + place.string() + "'");
    }
    if (!paths.empty() && !living->snapshot()->files().empty()) {
      ASSERT_TRUE(living->update_paths(paths)) << step;
    } else {
      ASSERT_TRUE(living->update()) << step;
    }
    auto rebuilt = index_of(repo.path());
    ASSERT_TRUE(rebuilt->update());
    ASSERT_EQ(dump(*living->snapshot()), dump(*rebuilt->snapshot()))
        << "step " << step << " action " << action;
  }
}

}  // namespace
}  // namespace ambit::indexer

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "inference/memory/predictor.h"
#include "inference/memory/weights.h"

namespace ambit::inference {
namespace {

constexpr std::string_view kLedger =
    "long Ledger::balance_cents() const {\n"
    "  long sum = 0;\n"
    "  for (const long entry : entries) {\n"
    "    sum += entry;\n"
    "  }\n"
    "  return sum;\n"
    "}\n";

std::string best(const MemoryView& view, const MemoryDocument& document, std::size_t lines = 1) {
  const MemoryQuery query(std::make_shared<const MemoryView>(view), document);
  const auto guesses = query.guess(4, lines);
  return guesses.empty() ? "" : guesses[0].text;
}

// Every position's next lexemes must add up to one with what is new.
TEST(RepositoryMemory, ProbabilitiesAddUpToOne) {
  RepositoryMemory memory;
  memory.replace("ledger.cpp", "1", kLedger);
  memory.commit();
  for (std::size_t cut = 0; cut < kLedger.size(); cut += 7) {
    const MemoryQuery query(memory.view(), {"other.cpp", kLedger.substr(0, cut), ""});
    const auto next = query.next({});
    double sum = next.novel;
    for (const auto& candidate : next.candidates) sum += candidate.probability;
    // At most 16 candidates are handed out, so the rest may be missing.
    EXPECT_LE(sum, 1 + 1e-6) << cut;
    if (next.candidates.size() < 16) {
      EXPECT_NEAR(sum, 1, 1e-5) << cut;
    }
  }
}

TEST(RepositoryMemory, GoesOnAsAnotherFileDid) {
  RepositoryMemory memory;
  memory.replace("src/ledger.cpp", "1", kLedger);
  memory.commit();
  EXPECT_EQ(best(*memory.view(), {"src/b.cpp", "long f() {\n  for (const long ", ""}),
            "entry : entries) {");
  // The part of a word that is typed already is not written again.
  EXPECT_EQ(best(*memory.view(), {"src/b.cpp", "long f() {\n  for (const long en", ""}),
            "try : entries) {");
}

TEST(RepositoryMemory, ReadsThroughOtherIndentation) {
  RepositoryMemory memory;
  memory.replace("a.py", "1",
                 "def go():\n    with open(path) as handle:\n        return handle.read()\n");
  memory.commit();
  EXPECT_EQ(
      best(*memory.view(),
           {"b.py", "class A:\n\tdef f(self):\n\t\twith open(path) as handle:\n\t\t\treturn ", ""}),
      "handle.read()");
}

TEST(RepositoryMemory, PutsNamesInTheirPlaces) {
  // No context of this line occurred before, but its shape did, twice.
  const MemoryDocument document{"a.py",
                                "class A:\n"
                                "    def __init__(self, width, height, depth, colour):\n"
                                "        self.width = width\n"
                                "        self.height = height\n"
                                "        self.depth = depth\n"
                                "        self.colour = ",
                                "\n"};
  EXPECT_EQ(best(*RepositoryMemory().view(), document), "colour");
}

TEST(RepositoryMemory, KnowsNothingOfTheTextItMustGuess) {
  RepositoryMemory memory;
  memory.replace("a.c", "1", "int f(void) {\n  return unusual_answer(41, 7);\n}\n");
  memory.commit();
  // The same file, open, without that line: what was saved must not speak.
  const MemoryQuery query(memory.view(), {"a.c", "int f(void) {\n  return ", "\n}\n"});
  for (const auto& guess : query.guess(4, 1)) {
    EXPECT_EQ(guess.text.find("unusual"), std::string::npos) << guess.text;
  }
  // Nor what another open buffer said before it was edited.
  const std::vector<MemoryBuffer> open{{"a.c", "int f(void) {\n  return 1;\n}\n"}};
  const MemoryQuery other(memory.view(), {"b.c", "int f(void) {\n  return ", "\n}\n"}, open);
  for (const auto& guess : other.guess(4, 1)) {
    EXPECT_EQ(guess.text.find("unusual"), std::string::npos) << guess.text;
  }
}

TEST(RepositoryMemory, AnEditedFileReplacesItsOwnPart) {
  RepositoryMemory memory;
  memory.replace("a.c", "1", "void f() { open_the_door(left); }\n");
  memory.replace("b.c", "1", "void g() { close_the_door(right); }\n");
  memory.commit();
  EXPECT_EQ(best(*memory.view(), {"c.c", "void h() { open_", ""}), "the_door(left); }");
  const auto old_view = memory.view();
  memory.replace("a.c", "2", "void f() { paint_the_wall(red); }\n");
  memory.remove("b.c");
  memory.commit();
  EXPECT_EQ(best(*memory.view(), {"c.c", "void h() { open_", ""}), "");
  EXPECT_EQ(best(*memory.view(), {"c.c", "void h() { close_", ""}), "");
  EXPECT_EQ(best(*memory.view(), {"c.c", "void h() { paint_", ""}), "the_wall(red); }");
  EXPECT_EQ(memory.view()->files, 1U);
  // Who holds an older view goes on with it.
  EXPECT_EQ(best(*old_view, {"c.c", "void h() { open_", ""}), "the_door(left); }");
}

TEST(RepositoryMemory, ChangesOneByOneSayTheSameAsReadingEverythingAtOnce) {
  std::mt19937 random(5);
  const auto text_of = [](int file, int version) {
    std::string out;
    for (int i = 0; i < 8; ++i) {
      out += "call_" + std::to_string((file * 7 + version * 3 + i) % 11) + "(value_" +
             std::to_string((file + i) % 5) + ", " + std::to_string(i) + ");\n";
    }
    return out;
  };
  RepositoryMemory grown;
  std::map<int, int> versions;
  for (int change = 0; change < 60; ++change) {
    const int file = static_cast<int>(random() % 12);
    const std::string path = "f" + std::to_string(file) + ".c";
    if (random() % 6 == 0) {
      grown.remove(path);
      versions.erase(file);
    } else {
      versions[file] = change;
      ASSERT_TRUE(grown.replace(path, std::to_string(change), text_of(file, change)));
    }
    if (random() % 3 == 0) grown.commit();
  }
  grown.commit();
  RepositoryMemory fresh;
  for (const auto& [file, version] : versions) {
    fresh.replace("f" + std::to_string(file) + ".c", "", text_of(file, version));
  }
  fresh.commit();
  EXPECT_EQ(grown.view()->files, fresh.view()->files);
  EXPECT_EQ(grown.view()->lexemes, fresh.view()->lexemes);
  EXPECT_LE(grown.view()->parts.size(), 8U);
  for (int i = 0; i < 11; ++i) {
    const std::string before = "call_" + std::to_string(i) + "(";
    const MemoryQuery a(grown.view(), {"x.c", before, ""}), b(fresh.view(), {"x.c", before, ""});
    const auto x = a.next({}), y = b.next({});
    std::map<std::string, double> px, py;
    for (const auto& c : x.candidates) px[std::string(a.text_of(id_of(c.lexeme)))] = c.probability;
    for (const auto& c : y.candidates) py[std::string(b.text_of(id_of(c.lexeme)))] = c.probability;
    ASSERT_EQ(px.size(), py.size()) << i;
    for (const auto& [text, p] : px) EXPECT_NEAR(p, py[text], 1e-4) << before << text;
  }
}

TEST(RepositoryMemory, StaysWithinItsBound) {
  RepositoryMemory memory(1000);
  for (int i = 0; i < 50; ++i) memory.replace("f" + std::to_string(i), "", kLedger);
  memory.commit();
  EXPECT_LE(memory.view()->lexemes, 1000U);
  EXPECT_TRUE(memory.view()->full);
  EXPECT_GT(memory.view()->files, 10U);
}

TEST(RepositoryMemory, TakesAnyBytes) {
  std::mt19937 random(9);
  RepositoryMemory memory;
  for (int i = 0; i < 40; ++i) {
    std::string text(random() % 400, '\0');
    for (char& c : text)
      c = static_cast<char>(random() % 4 == 0 ? random() : "ab( \n\t{;"[random() % 8]);
    memory.replace("f" + std::to_string(i), "", text);
    if (i % 5 == 0) memory.commit();
    const std::size_t cut = text.empty() ? 0 : random() % text.size();
    const MemoryQuery query(memory.view(), {"g", std::string_view(text).substr(0, cut),
                                            std::string_view(text).substr(cut)});
    for (const auto& guess : query.guess(3, 4)) {
      EXPECT_FALSE(guess.text.empty());
      EXPECT_LE(std::exp(guess.log_probability), 1 + 1e-9);
    }
  }
}

TEST(RepositoryMemory, OffersNothingInsideAWord) {
  const MemoryQuery query(RepositoryMemory().view(), {"a.c", "int alpha;\nint al", "pha;\n"});
  EXPECT_TRUE(query.inside_word());
  EXPECT_TRUE(query.guess(4, 1).empty());
}

TEST(RepositoryMemory, KnowsTheRepositorysWordsByTheirBeginning) {
  RepositoryMemory memory;
  memory.replace("a.cpp", "", "int InitDefaultCompletion();\nint InitOther();\n");
  memory.replace("b.cpp", "", "int InitDefaultCompletion();\n");
  memory.commit();
  // No context of it occurs anywhere.
  const MemoryQuery query(memory.view(), {"c.md", "see also InitDef", ""});
  const auto next = query.next({});
  ASSERT_FALSE(next.candidates.empty());
  EXPECT_EQ(query.text_of(id_of(next.candidates[0].lexeme)), "InitDefaultCompletion");
  // What the file itself said before it was edited counts no more.
  EXPECT_TRUE(MemoryQuery(memory.view(), {"a.cpp", "see InitO", ""}).next({}).candidates.empty());
}

TEST(RepositoryMemory, TellsTheLikelyKeys) {
  RepositoryMemory memory;
  memory.replace("a.cpp", "", kLedger);
  memory.commit();
  const auto keys_after = [&](std::string_view before) {
    std::string out;
    for (const auto& key : MemoryQuery(memory.view(), {"b.cpp", before, ""}).likely_keys()) {
      out += "[" + key.text + "]";
    }
    return out;
  };
  EXPECT_TRUE(keys_after("long f() {\n  long sum =").starts_with("[ ]"));
  EXPECT_TRUE(keys_after("long f() {\n  long sum = ").starts_with("[0]"));
  EXPECT_TRUE(keys_after("long f() {\n  long sum = 0;").starts_with("[\n  ]"));
  EXPECT_TRUE(keys_after("long f() {\n  for (const long ent").starts_with("[r]"));
}

TEST(RepositoryMemory, GrowsABlockWhileItIsSure) {
  RepositoryMemory memory;
  for (const char* name : {"a.cpp", "b.cpp", "c.cpp"}) memory.replace(name, "", kLedger);
  memory.commit();
  EXPECT_EQ(
      best(*memory.view(),
           {"d.cpp", "long Ledger::balance_cents() const {\n  long sum = 0;\n  for (const", "\n"},
           8),
      " long entry : entries) {\n    sum += entry;\n  }");
}

}  // namespace
}  // namespace ambit::inference

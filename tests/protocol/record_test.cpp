// A session recorded from a real conversation, and replayed without its model.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

using ::testing::ElementsAre;
using json = nlohmann::json;

constexpr const char* kInline = "textDocument/inlineCompletion";

class Recording : public Protocol {
 protected:
  // Types, is answered by the model, types through, gives up on something slow, and leaves.
  void record(const std::string& root, const std::string& document) {
    auto& client = editor({"record", file()});
    client.start(root);
    client.open(document, "once = ");
    const auto ask = [&](int column) {
      return client.call(kInline, LspClient::inline_params(document, 0, column, 2));
    };
    EXPECT_THAT(texts(ask(7)), ElementsAre("once = first_answer();"));
    client.change(document, 2, "once = fir");
    EXPECT_THAT(texts(ask(10)), ElementsAre("once = first_answer();"));
    client.change(document, 3, "slow = ");
    const int slow = client.request(kInline, LspClient::inline_params(document, 0, 7));
    client.notify("$/cancelRequest", {{"id", slow}});
    EXPECT_EQ(error_code(client.reply(slow)), -32800);
    client.change(document, 4, "int total = ");
    EXPECT_THAT(texts(ask(12)), ElementsAre("int total = price * count;"));
    (void)pid_of_daemon(client);  // another one in the replay
    EXPECT_TRUE(client.call("shutdown", nullptr).contains("result"));
    client.notify("exit", nullptr);
    EXPECT_EQ(client.wait_exit(), 0);
  }
  [[nodiscard]] std::string file() const { return (folder_ / "session.jsonl").string(); }
  // `ambit replay --json`; its exit code in code_.
  json replay() {
    std::string out;
    code_ = run({"replay", file(), "--json"}, &out);
    return json::parse(out, nullptr, false);
  }

  int code_ = -1;
};

TEST_F(Recording, IsReplayedWithoutTheModel) {
  // In no repository: how far one is read at a question, and so the prompt, differs between runs.
  record("", "untitled:Untitled-1");
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U) << "it holds source text";
  script(R"({"default": {"fault": "exit"}})");
  const auto report = replay();
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(code_, 0) << report.dump(1);
  EXPECT_EQ(report["different"], 0);
  EXPECT_GE(report["answers"], 6);
  // Whether the question that is taken back reaches the model is a matter of moments, in both.
  EXPECT_GE(report["model"]["same_prompt"], 2) << report.dump(1);
}

TEST_F(Recording, ShowsWhatIsDifferentNow) {
  record("file://" + (folder_ / "project").string(), uri("a.cpp"));
  std::ifstream in(file());
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string was = "price * count;\"";
  for (auto at = text.find(was); at != std::string::npos; at = text.find(was, at)) {
    text.replace(at, 5, "costs");
  }
  std::ofstream(file()) << text;
  const auto report = replay();
  EXPECT_EQ(code_, 1);
  EXPECT_EQ(report["different"], 1) << report.dump(1);
  EXPECT_THAT(report["differences"][0].get<std::string>(), ::testing::HasSubstr("costs"));
}

TEST_F(Recording, DamageIsSaid) {
  EXPECT_EQ(run({"replay", file()}), 2) << "it is not there";
  std::ofstream(file()) << "{\"ambit\": \"something else\"}\n";
  EXPECT_EQ(run({"replay", file()}), 2);
  std::ofstream(file()) << R"({"ambit":"recording","version":1,"model":"scripted:x","fim":"psm"})"
                        << "\n{\"ask\": 1, \"prompt\": [\"no\"]}\n";
  EXPECT_EQ(run({"replay", file()}), 5);
  // Half a line at the end is what a killed session leaves.
  std::ofstream(file()) << R"({"ambit":"recording","version":1,"model":"scripted:x","fim":"psm"})"
                        << "\n{\"editor\": {\"jsonr";
  EXPECT_EQ(run({"replay", file()}), 0);
}

}  // namespace
}  // namespace ambit::testing

#include "tests/support/meta_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace ambit::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class MetaModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loaded = MetaModel::load(MetaModel::default_path());
    if (!loaded) GTEST_SKIP() << loaded.error().message;
    model_.emplace(std::move(*loaded));
  }
  // "" when the message is valid.
  std::string check(Sender sender, const char* text, std::string_view answered = {}) {
    return model_->check(sender, nlohmann::json::parse(text), answered).value_or("");
  }
  std::string client(const char* text) { return check(Sender::kClient, text); }
  std::string answer(std::string_view method, const std::string& result) {
    return check(Sender::kServer, (R"({"jsonrpc":"2.0","id":1,"result":)" + result + "}").c_str(),
                 method);
  }
  std::optional<MetaModel> model_;
};

TEST_F(MetaModelTest, AcceptsWhatEditorsSend) {
  EXPECT_EQ(client(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,
    "rootUri":"file:///x","capabilities":{"general":{"positionEncodings":["utf-16"]},
    "experimental":{"anything":[1]}},"initializationOptions":{"a":1}}})"),
            "");
  EXPECT_EQ(client(R"({"jsonrpc":"2.0","method":"textDocument/didChange","params":{
    "textDocument":{"uri":"file:///x","version":2},"contentChanges":[
    {"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":2147483647}},"text":"a"},
    {"text":"b"}]}})"),
            "");
  EXPECT_EQ(client(R"({"jsonrpc":"2.0","id":"x","method":"shutdown"})"), "");
}

TEST_F(MetaModelTest, NamesThePlaceOfTheFirstViolation) {
  EXPECT_EQ(client(R"({"jsonrpc":"2.0","id":1,"method":"textDocument/inlineCompletion","params":{
    "textDocument":{"uri":"file:///x"},"position":{"line":0,"character":-1},
    "context":{"triggerKind":1}}})"),
            "params.position.character: -1 is below 0");
  EXPECT_EQ(client(R"({"jsonrpc":"2.0","id":1,"method":"textDocument/inlineCompletion","params":{
    "textDocument":{"uri":"file:///x"},"position":{"line":0,"character":2147483648},
    "context":{"triggerKind":1}}})"),
            "params.position.character: 2147483648 is above 2147483647");
  EXPECT_EQ(client(R"({"jsonrpc":"2.0","id":1,"method":"textDocument/inlineCompletion","params":{
    "textDocument":{"uri":"file:///x"},"position":{"line":0,"character":1},
    "context":{"triggerKind":7}}})"),
            "params.context.triggerKind: 7 is no InlineCompletionTriggerKind");
  EXPECT_EQ(client(R"({"jsonrpc":"2.0","method":"textDocument/didClose","params":{
    "textDocument":{}}})"),
            "params.textDocument.uri: missing");
}

TEST_F(MetaModelTest, ChecksDirectionAndKindOfMethod) {
  EXPECT_THAT(check(Sender::kServer, R"({"jsonrpc":"2.0","method":"initialized","params":{}})"),
              HasSubstr("goes the other way"));
  EXPECT_THAT(client(R"({"jsonrpc":"2.0","method":"shutdown"})"), HasSubstr("no notification"));
  EXPECT_THAT(client(R"({"jsonrpc":"2.0","id":1,"method":"textDocument/nope","params":{}})"),
              HasSubstr("is no request"));
  EXPECT_EQ(client(R"({"jsonrpc":"2.0","method":"ambit/anything","params":[1]})"), "");
}

TEST_F(MetaModelTest, ChecksResultsOfTheAnsweredMethod) {
  EXPECT_EQ(answer("textDocument/inlineCompletion", "null"), "");
  EXPECT_EQ(answer("textDocument/inlineCompletion", R"({"items":[{"insertText":"a",
    "range":{"start":{"line":0,"character":0},"end":{"line":0,"character":1}}}]})"),
            "");
  EXPECT_EQ(answer("textDocument/inlineCompletion", R"({"items":[{"insertText":"a","range":
    {"start":{"line":0,"character":0},"end":{"line":0.5,"character":1}}}]})"),
            "result.items[0].range.end.line: 0.5 is not an integer");
  EXPECT_EQ(answer("textDocument/inlineCompletion", R"({"items":[{"insertTxt":"a"}]})"),
            "result.items[0].insertText: missing");
  EXPECT_EQ(answer("initialize", R"({"capabilities":{"textDocumentSync":{"openClos":true}}})"),
            "result.capabilities.textDocumentSync.openClos: no such property");
  EXPECT_EQ(answer("shutdown", "0"), "result: 0 is not null");
  EXPECT_EQ(answer("workspace/configuration", "[]"),
            "id: workspace/configuration is answered by the other side");
}

TEST_F(MetaModelTest, ChecksTheJsonRpcPart) {
  const auto server = [&](const char* text) { return check(Sender::kServer, text, "shutdown"); };
  EXPECT_THAT(server(R"({"id":1,"result":null})"), StartsWith("jsonrpc"));
  EXPECT_THAT(server(R"({"jsonrpc":"2.0","id":1})"), HasSubstr("exactly one"));
  EXPECT_THAT(server(R"({"jsonrpc":"2.0","id":1,"result":null,"error":null})"),
              HasSubstr("exactly one"));
  EXPECT_THAT(server(R"({"jsonrpc":"2.0","id":1.5,"result":null})"), StartsWith("id"));
  EXPECT_THAT(server(R"({"jsonrpc":"2.0","id":null,"result":null})"), StartsWith("id"));
  EXPECT_EQ(server(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}})"), "");
  EXPECT_THAT(server(R"({"jsonrpc":"2.0","id":1,"error":{"code":"x","message":"x"}})"),
              StartsWith("error.code"));
  EXPECT_THAT(server(R"({"jsonrpc":"2.0","id":1,"error":{"code":1}})"),
              StartsWith("error.message"));
}

TEST_F(MetaModelTest, ChecksEveryKindOfType) {
  const auto type = [&](const char* name, const char* text) {
    return model_->check_type(name, nlohmann::json::parse(text)).value_or("");
  };
  EXPECT_EQ(type("MarkupContent", R"({"kind":"markdown","value":"x"})"), "");
  EXPECT_EQ(type("MarkupContent", R"({"kind":"html","value":"x"})"),
            "MarkupContent.kind: \"html\" is no MarkupKind");
  EXPECT_EQ(type("CodeActionKind", R"("refactor.ours")"), "") << "open for custom values";
  EXPECT_EQ(type("WorkspaceEdit", R"({"changes":{"file:///x":[{"range":{"start":{"line":0,
    "character":0},"end":{"line":0,"character":0}},"newText":""}]}})"),
            "");
  EXPECT_THAT(type("WorkspaceEdit", R"({"changes":{"no scheme":[]}})"), HasSubstr("scheme"));
  EXPECT_EQ(type("WorkspaceEdit", R"({"changes":{"file:///x":[{"newText":""}]}})"),
            "WorkspaceEdit.changes[\"file:///x\"][0].range: missing");
  EXPECT_EQ(type("ParameterInformation", R"({"label":[1,2]})"), "");
  EXPECT_NE(type("ParameterInformation", R"({"label":[1,2,3]})"), "") << "a tuple has its length";
  EXPECT_EQ(type("WorkDoneProgressEnd", R"({"kind":"end"})"), "");
  EXPECT_THAT(type("WorkDoneProgressEnd", R"({"kind":"fin"})"), HasSubstr("is not \"end\""));
}

TEST_F(MetaModelTest, ChecksTheValueOfWorkDoneProgress) {
  const auto progress = [&](const std::string& value) {
    return check(Sender::kServer, (R"({"jsonrpc":"2.0","method":"$/progress","params":{"token":"t",
      "value":)" + value + "}}")
                                      .c_str());
  };
  EXPECT_EQ(progress(R"({"kind":"begin","title":"Indexing","percentage":0})"), "");
  EXPECT_EQ(progress(R"({"kind":"begin"})"), "params.value.title: missing");
  EXPECT_EQ(progress("[1]"), "");
}

TEST(MetaModel, SaysWhenTheFileIsAbsent) {
  const auto missing = MetaModel::load("/nowhere/metaModel.json");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace ambit::testing

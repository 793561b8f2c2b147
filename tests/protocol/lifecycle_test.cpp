#include "lsp/framing.h"
#include "tests/protocol/harness.h"

namespace ambit::testing {
namespace {

using json = nlohmann::json;

TEST_F(Protocol, RefusesRequestsBeforeInitializeAndAfterShutdown) {
  auto& client = editor();
  EXPECT_EQ(error_code(client.call("textDocument/inlineCompletion",
                                   LspClient::inline_params(uri("a.cpp"), 0, 0))),
            -32002);
  const auto hello = client.start("file://" + (folder_ / "project").string());
  ASSERT_TRUE(hello.contains("result"));
  EXPECT_EQ(hello["result"]["serverInfo"]["name"], "ambit");
  EXPECT_EQ(hello["result"]["capabilities"]["positionEncoding"], "utf-16");
  EXPECT_EQ(error_code(client.call(
                "initialize",
                {{"processId", nullptr}, {"rootUri", nullptr}, {"capabilities", json::object()}})),
            -32600);
  const auto bye = client.call("shutdown", nullptr);
  ASSERT_TRUE(bye.contains("result"));
  EXPECT_TRUE(bye["result"].is_null());
  EXPECT_EQ(error_code(client.call("workspace/executeCommand", {{"command", "ambit.status"}})),
            -32600);
  client.notify("exit", nullptr);
  EXPECT_EQ(client.wait_exit(), 0);
}

TEST_F(Protocol, EndsWithOneWhenNobodyAskedForShutdown) {
  auto& by_exit = started_editor();
  by_exit.notify("exit", nullptr);
  EXPECT_EQ(by_exit.wait_exit(), 1);
  auto& by_end_of_input = started_editor();
  by_end_of_input.close_input();
  EXPECT_EQ(by_end_of_input.wait_exit(), 1);
}

TEST_F(Protocol, AnswersWhatItDoesNotKnow) {
  auto& client = started_editor();
  const auto raw = [&](const char* body) {
    client.send_raw(lsp::frame(body));
    return error_code(client.reply("raw"));
  };
  EXPECT_EQ(raw(R"({"jsonrpc":"2.0","id":"raw","method":"textDocument/nope","params":{}})"),
            -32601);
  EXPECT_EQ(raw(R"({"jsonrpc":"2.0","id":"raw","method":"$/nope"})"), -32601);
  EXPECT_EQ(raw(R"({"jsonrpc":"2.0","id":"raw","method":"textDocument/inlineCompletion",
                    "params":{"textDocument":7}})"),
            -32602);
  client.send_raw(lsp::frame(R"({"jsonrpc":"2.0","method":"$/nope","params":[]})"));
  client.send_raw(lsp::frame(R"({"jsonrpc":"2.0","method":"textDocument/didOpen","params":3})"));
  client.send_raw(lsp::frame(R"({"jsonrpc":"2.0","id":99,"result":"nobody asked"})"));
  EXPECT_GT(pid_of_daemon(client), 0) << "it goes on after all of that";
}

TEST_F(Protocol, FindsTheNextMessageAfterGarbage) {
  auto& client = started_editor();
  const auto raw = [&](const std::string& bytes) {
    client.send_raw(bytes);
    return error_code(client.reply(nullptr));
  };
  EXPECT_EQ(raw(lsp::frame("{\"jsonrpc\":")), -32700);
  EXPECT_EQ(raw(lsp::frame("[]")), -32600) << "LSP has no batches";
  EXPECT_EQ(raw("Content-Length: 99999999999\r\n\r\n"), -32600);
  EXPECT_GT(pid_of_daemon(client), 0);
  EXPECT_EQ(raw("Content-Length: many\r\n\r\n"), -32700);
  EXPECT_GT(pid_of_daemon(client), 0);
}

}  // namespace
}  // namespace ambit::testing

// The remote backend against llama.cpp's real server.
#include "tests/inference/remote/llama_server.h"
#include "tests/inference/remote/remote_fixture.h"

namespace ambit::testing {
namespace {

class RemoteLlama : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = LlamaServer::missing(); !why.empty()) GTEST_SKIP() << why;
    server_ = std::make_unique<LlamaServer>("w*h;", "abcd");
    ASSERT_TRUE(server_->ready()) << "llama.cpp's server does not start";
    backend_ = remote_backend(remote_options(server_->url(), "llamacpp"));
  }
  std::unique_ptr<LlamaServer> server_;
  std::shared_ptr<Backend> backend_;
};

TEST_F(RemoteLlama, CompletesConversesAndCancels) {
  const auto& tokenizer = *backend_->tokenizer();
  const auto fim = Asked(*backend_, fim_request(tokenizer)).wait();
  EXPECT_EQ(fim.result.finish, Finish::kStop) << fim.result.error.message;
  EXPECT_EQ(fim.text, "w*h;");
  // Both vocabularies write a byte as a token, so a BOS added twice would show here.
  EXPECT_EQ(fim.result.usage.prompt_tokens,
            static_cast<std::int64_t>(fim_request(tokenizer).prompt.size()));
  const auto info = backend_->describe();
  EXPECT_EQ(info.context, 32768);
  EXPECT_NE(info.device.find("text with special tokens"), std::string::npos) << info.device;

  auto chat = chat_request(tokenizer, false);
  chat.max_new_tokens = 9;
  const auto reply = Asked(*backend_, chat).wait();
  EXPECT_EQ(reply.result.finish, Finish::kLength) << reply.result.error.message;
  EXPECT_EQ(reply.text, "abcdabcda");

  chat.max_new_tokens = 20000;
  Asked endless(*backend_, chat);
  ASSERT_TRUE(endless.wait_token());
  endless.cancel();
  EXPECT_EQ(endless.wait().result.finish, Finish::kCancelled);
  // It has one slot: were the cancelled request still running there, this one would wait for it.
  EXPECT_EQ(Asked(*backend_, fim_request(tokenizer)).wait().text, "w*h;");
}

TEST_F(RemoteLlama, SendsIdsWithTheModelsOwnTokenizerAndFallsBackWithAnother) {
  // The bytes tokenizer has the same byte ids only by chance; this server's differ in the special
  // ones, so its ids must not be sent.
  auto options = remote_options(server_->url(), "llamacpp");
  options.exact_tokenizer = true;
  auto backend = remote_backend(std::move(options));
  const auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
  EXPECT_EQ(out.text, "w*h;");
  EXPECT_EQ(backend->describe().device.find("token ids"), std::string::npos);
}

}  // namespace
}  // namespace ambit::testing

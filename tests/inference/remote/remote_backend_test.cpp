// The remote backend against a server that does what real ones do on bad days.
#include <nlohmann/json.hpp>

#include "inference/remote/prompt_parts.h"
#include "tests/inference/remote/remote_fixture.h"

namespace ambit::testing {
namespace {

using nlohmann::json;
using Request = FaultServer::Request;
using Reply = FaultServer::Reply;

constexpr const char* kFinish = R"({"choices":[{"text":"","finish_reason":"stop"}]})";

void whole_answer(Reply& reply, const std::string& text) {
  reply.begin_stream();
  reply.event(piece(text));
  reply.event(kFinish);
  reply.event(
      R"({"choices":[],"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}})");
  reply.end_stream();
}

TEST(RemoteBackend, StreamsACompletionWithTheSpecialTokensAsText) {
  FaultServer server(like_vllm([](const Request&, Reply& r) { whole_answer(r, "b;\\n"); }));
  auto backend = remote_backend(remote_options(server.url()));
  const auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
  EXPECT_EQ(out.result.finish, Finish::kStop) << out.result.error.message;
  EXPECT_EQ(out.text, "b;\n");
  EXPECT_EQ(out.result.usage.prompt_tokens, 9);
  EXPECT_EQ(out.result.usage.reused_tokens, 4);
  const auto body = json::parse(server.requests().back().body);
  EXPECT_EQ(body["prompt"],
            "<｜begin▁of▁sentence｜>### other.c\nint x;\n<｜fim▁begin｜>a = "
            "<｜fim▁hole｜>\nb<｜fim▁end｜>");
  EXPECT_EQ(body["model"], "tiny");
  EXPECT_EQ(body["stream"], true);
  const auto info = backend->describe();
  EXPECT_EQ(info.state, inference::BackendState::kReady);
  EXPECT_EQ(info.context, 4096);
  EXPECT_NE(info.device.find("text with special tokens"), std::string::npos) << info.device;
  EXPECT_FALSE(info.leaves_machine);
}

TEST(RemoteBackend, SendsIdsWhenTheVocabularyIsTheSame) {
  auto handler = [](const Request& request, Reply& reply) {
    if (request.target == "/tokenize") {
      const auto text = json::parse(request.body)["prompt"].get<std::string>();
      reply.json(200, json{{"tokens", Tokenizer::bytes()->encode_with_special(text)}}.dump());
      return;
    }
    like_vllm([](const Request&, Reply& r) {
      r.begin_stream();
      // The bytes of an é, one token each, whose text the server holds back until it is whole.
      r.event(R"({"choices":[{"text":"","token_ids":[195],"finish_reason":null}]})");
      r.event(R"({"choices":[{"text":"é","token_ids":[169],"finish_reason":null}]})");
      r.event(kFinish);
      r.end_stream();
    })(request, reply);
  };
  FaultServer server(handler);
  auto options = remote_options(server.url());
  options.exact_tokenizer = true;
  auto backend = remote_backend(std::move(options));
  const auto request = fim_request(*backend->tokenizer());
  const auto out = Asked(*backend, request).wait();
  EXPECT_EQ(out.result.finish, Finish::kStop) << out.result.error.message;
  EXPECT_EQ(out.text, "é");
  const auto body = json::parse(server.requests().back().body);
  EXPECT_EQ(body["prompt"], json(request.prompt));
  EXPECT_NE(backend->describe().device.find("token ids"), std::string::npos);
}

TEST(RemoteBackend, SendsNothingOfARepositoryThatHasNotAgreed) {
  FaultServer server(like_vllm([](const Request&, Reply& r) { whole_answer(r, "x"); }));
  auto backend = remote_backend(remote_options(server.url()));
  for (const char* root : {"", "/other"}) {
    auto request = fim_request(*backend->tokenizer());
    request.repository = root;
    const auto out = Asked(*backend, request).wait();
    EXPECT_EQ(out.result.finish, Finish::kError);
    EXPECT_EQ(out.result.error.code, Code::kPermission);
  }
  EXPECT_TRUE(server.requests().empty());
}

TEST(RemoteBackend, ACutStreamIsAnErrorAndNeverAShorterAnswer) {
  FaultServer server(like_vllm([](const Request&, Reply& r) {
    r.begin_stream();
    r.event(piece("half of"));
    r.hang_up = true;
  }));
  auto backend = remote_backend(remote_options(server.url()));
  const auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
  EXPECT_EQ(out.result.finish, Finish::kError);
  EXPECT_EQ(out.result.error.code, Code::kUnavailable);
  EXPECT_EQ(out.text, "half of");
}

TEST(RemoteBackend, AnEndOfTheBodyWithoutAnEndOfTheAnswerIsACut) {
  FaultServer server(like_vllm([](const Request&, Reply& r) {
    r.begin_stream();
    r.event(piece("half"));
    r.bytes("0\r\n\r\n");
  }));
  auto backend = remote_backend(remote_options(server.url()));
  const auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
  EXPECT_EQ(out.result.finish, Finish::kError);
  EXPECT_NE(out.result.error.message.find("broke its answer off"), std::string::npos)
      << out.result.error.message;
}

TEST(RemoteBackend, AsksAgainOnlyWhileNothingCame) {
  std::atomic<int> tries{0};
  FaultServer server(like_vllm([&](const Request&, Reply& r) {
    switch (tries++) {
      case 0:
        r.json(429, R"({"error":{"message":"slow down"}})", "Retry-After: 0\r\n");
        return;
      case 1:
        r.json(503, "");
        return;
      case 2:
        r.hang_up = true;  // nothing at all
        return;
      default:
        whole_answer(r, "late");
    }
  }));
  auto backend = remote_backend(remote_options(server.url()));
  const auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
  EXPECT_EQ(out.result.finish, Finish::kStop) << out.result.error.message;
  EXPECT_EQ(out.text, "late");
  EXPECT_EQ(tries, 4);
}

TEST(RemoteBackend, ARetryAfterBeyondTheDeadlineEndsTheRequestAtOnce) {
  FaultServer server(like_vllm([](const Request&, Reply& r) {
    r.json(429, R"({"error":{"message":"slow\ndown"}})", "Retry-After: 3600\r\n");
  }));
  auto backend = remote_backend(remote_options(server.url()));
  auto request = fim_request(*backend->tokenizer());
  request.deadline_ms = 15000;
  const auto out = Asked(*backend, request).wait();
  EXPECT_EQ(out.result.finish, Finish::kError);
  EXPECT_EQ(out.result.error.code, Code::kResourceExhausted);
  EXPECT_NE(out.result.error.message.find("slow down"), std::string::npos);
}

TEST(RemoteBackend, OtherRefusalsAreNotRepeated) {
  for (const auto& [status, code] : {std::pair{400, Code::kInvalidArgument},
                                     {401, Code::kPermission},
                                     {404, Code::kNotFound},
                                     {302, Code::kUnavailable}}) {
    std::atomic<int> tries{0};
    FaultServer server(like_vllm([&, wanted = status](const Request&, Reply& r) {
      ++tries;
      r.json(wanted, "{}", "Location: http://127.0.0.1:9/elsewhere\r\n");
    }));
    auto backend = remote_backend(remote_options(server.url()));
    const auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
    EXPECT_EQ(out.result.finish, Finish::kError);
    EXPECT_EQ(out.result.error.code, code) << status;
    EXPECT_EQ(tries, 1) << status;
  }
}

TEST(RemoteBackend, CancellingClosesTheConnection) {
  std::atomic<bool> closed{false};
  {
    FaultServer server(like_vllm([&](const Request&, Reply& r) {
      r.begin_stream();
      r.event(piece("first"));
      closed = r.wait_closed();
      r.hang_up = true;
    }));
    auto backend = remote_backend(remote_options(server.url()));
    Asked asked(*backend, fim_request(*backend->tokenizer()));
    ASSERT_TRUE(asked.wait_token());
    asked.cancel();
    EXPECT_EQ(asked.wait().result.finish, Finish::kCancelled);
  }
  EXPECT_TRUE(closed);
}

TEST(RemoteBackend, ASilentServerMeetsTheDeadline) {
  FaultServer server(like_vllm([](const Request&, Reply& r) { r.hang_up = r.wait_closed(); }));
  auto backend = remote_backend(remote_options(server.url()));
  backend->wake();
  auto request = fim_request(*backend->tokenizer());
  request.deadline_ms = 300;
  EXPECT_EQ(Asked(*backend, request).wait().result.finish, Finish::kDeadline);
}

// Each of these must end with an error of one line, quickly, without memory to speak of.
TEST(RemoteBackend, HostileAnswersAreBounded) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
  const std::vector<std::pair<const char*, std::function<void(Reply&)>>> faults = {
      {"wrong JSON",
       [](Reply& r) { r.begin_stream() && r.event("{\"choices\": [") && r.end_stream(); }},
      {"no object", [](Reply& r) { r.begin_stream() && r.event("[1,2]") && r.end_stream(); }},
      {"wrong types",
       [](Reply& r) {
         r.begin_stream() && r.event(R"({"choices":{"text":3}})") && r.end_stream();
       }},
      {"an error in the stream",
       [](Reply& r) {
         r.begin_stream() && r.event(piece("x")) &&
             r.event(R"({"error":{"message":"out of memory","code":500}})") && r.end_stream();
       }},
      {"not HTTP", [](Reply& r) { r.bytes("SSH-2.0-OpenSSH_9.2\r\n\r\n"), r.hang_up = true; }},
      {"endless headers",
       [&](Reply& r) {
         r.bytes(head);
         while (r.bytes("X-A: " + std::string(1000, 'a') + "\r\n")) {
         }
         r.hang_up = true;
       }},
      {"an endless event",
       [&](Reply& r) {
         r.bytes(head + "\r\ndata: ");
         while (r.bytes(std::string(60000, 'a'))) {
         }
         r.hang_up = true;
       }},
      {"a compressed body",
       [&](Reply& r) { r.bytes(head + "Content-Encoding: gzip\r\n\r\nxx"), r.hang_up = true; }},
      {"a deep document", [](Reply& r) { r.json(200, std::string(100000, '[')); }},
      {"a wrong length",
       [](Reply& r) {
         r.bytes("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx");
         r.hang_up = true;
       }},
  };
  for (const auto& [name, fault] : faults) {
    FaultServer server(like_vllm([&](const Request&, Reply& r) { fault(r); }));
    auto options = remote_options(server.url());
    options.attempts = 1;
    auto backend = remote_backend(std::move(options));
    const auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
    EXPECT_EQ(out.result.finish, Finish::kError) << name;
    EXPECT_FALSE(out.result.error.message.empty()) << name;
    EXPECT_EQ(out.result.error.message.find('\n'), std::string::npos) << name;
  }
}

TEST(RemoteBackend, AnAnswerWithoutEndIsCutAtWhatWasAskedFor) {
  FaultServer server(like_vllm([](const Request&, Reply& r) {
    r.begin_stream();
    while (r.event(piece(std::string(1000, 'y')))) {
    }
    r.hang_up = true;
  }));
  auto backend = remote_backend(remote_options(server.url()));
  const auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
  EXPECT_EQ(out.result.finish, Finish::kLength);
  EXPECT_LT(out.text.size(), 20000U);
}

TEST(RemoteBackend, ConversesWithReasoningKeptApart) {
  FaultServer server([](const Request& request, Reply& reply) {
    if (request.target == "/beta/models") {
      reply.json(200, R"({"data":[{"id":"deepseek-v4"}]})");
    } else if (request.target != "/beta/chat/completions") {
      reply.json(200, R"({"choices":[{"text":"x","finish_reason":"length"}]})");
    } else if (request.body.find("\"max_tokens\":1,") != std::string::npos) {
      reply.json(200, R"({"choices":[{"message":{"content":"y"},"finish_reason":"length"}]})");
    } else {
      reply.begin_stream();
      reply.event(R"({"choices":[{"delta":{"role":"assistant","content":""}}]})");
      reply.event(R"({"choices":[{"delta":{"reasoning_content":"I think"}}]})");
      reply.event(R"({"choices":[{"delta":{"content":"fine"}}]})");
      reply.event(R"({"choices":[{"delta":{},"finish_reason":"stop"}]})");
      reply.end_stream();
    }
  });
  auto options = remote_options(server.url() + "/beta", "deepseek");
  options.api_key = "k-123";
  auto backend = remote_backend(std::move(options));
  const auto thinking = Asked(*backend, chat_request(*backend->tokenizer(), true)).wait();
  EXPECT_EQ(thinking.text, "I think</think>fine") << thinking.result.error.message;
  const auto body = json::parse(server.requests().back().body);
  EXPECT_EQ(body["thinking"]["type"], "enabled");
  EXPECT_EQ(body["messages"][0]["content"], "The repository.");
  EXPECT_EQ(body["messages"][1]["content"], "Review <think >this</think >.");
  EXPECT_NE(server.requests().back().head.find("Authorization: Bearer k-123"), std::string::npos);
  const auto plain = Asked(*backend, chat_request(*backend->tokenizer(), false)).wait();
  EXPECT_EQ(plain.text, "fine");
  const auto fim = Asked(*backend, fim_request(*backend->tokenizer())).wait();
  const auto asked = json::parse(server.requests().back().body);
  EXPECT_EQ(asked["prompt"], "### other.c\nint x;\na = ");
  EXPECT_EQ(asked["suffix"], "\nb");
  EXPECT_EQ(fim.text, "x");
  EXPECT_EQ(backend->describe().device.find("k-123"), std::string::npos);
}

TEST(RemoteBackend, ReusesConnections) {
  FaultServer server(like_vllm([](const Request&, Reply& r) { whole_answer(r, "x"); }));
  auto backend = remote_backend(remote_options(server.url()));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Asked(*backend, fim_request(*backend->tokenizer())).wait().result.finish,
              Finish::kStop);
  }
  EXPECT_LE(server.connections(), 2);
}

TEST(RemoteBackend, SaysWhyThereIsNoModel) {
  FaultServer server([](const Request&, Reply& r) { r.json(401, "{}"); });
  auto backend = remote_backend(remote_options(server.url()));
  const auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
  EXPECT_EQ(out.result.error.code, Code::kPermission);
  EXPECT_EQ(backend->describe().state, inference::BackendState::kUnavailable);
  EXPECT_NE(backend->describe().problem.find("remote.api_key"), std::string::npos);
}

TEST(RemoteBackend, EndsWhileRequestsRun) {
  FaultServer server(like_vllm([](const Request&, Reply& r) { r.hang_up = r.wait_closed(); }));
  auto backend = remote_backend(remote_options(server.url()));
  Asked asked(*backend, fim_request(*backend->tokenizer()));
  backend.reset();
  EXPECT_EQ(asked.wait().result.finish, Finish::kCancelled);
}

}  // namespace
}  // namespace ambit::testing

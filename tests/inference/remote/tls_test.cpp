// Certificates are checked, host names too, and there is no way around it.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/inference/remote/remote_fixture.h"

namespace ambit::testing {
namespace {

namespace fs = std::filesystem;

class RemoteTls : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("openssl version >/dev/null 2>&1") != 0) {
      GTEST_SKIP() << "there is no openssl program to make certificates with";
    }
    std::string pattern = (fs::temp_directory_path() / "ambit-tls-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  // A certificate that is its own authority.
  FaultServer::Tls certificate(const std::string& name, const std::string& alternative) {
    const auto base = (folder_ / name).string();
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
        "/CN=test -addext subjectAltName=" +
        alternative + " -keyout " + base + ".key -out " + base + ".pem >/dev/null 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return {base + ".pem", base + ".key"};
  }
  Outcome ask(const FaultServer::Tls& tls, const std::string& ca) {
    FaultServer server(like_vllm([](const auto&, FaultServer::Reply& r) {
                         r.begin_stream();
                         r.event(piece("sealed"));
                         r.event(R"({"choices":[{"text":"","finish_reason":"stop"}]})");
                         r.end_stream();
                       }),
                       &tls);
    auto options = remote_options(server.url());
    options.attempts = 1;
    auto backend = remote_backend(std::move(options), ca);
    auto out = Asked(*backend, fim_request(*backend->tokenizer())).wait();
    requests_ = server.requests().size();
    return out;
  }
  fs::path folder_;
  std::size_t requests_ = 0;
};

TEST_F(RemoteTls, SpeaksToAServerWhoseAuthorityIsNamed) {
  const auto tls = certificate("good", "IP:127.0.0.1");
  const auto out = ask(tls, tls.certificate_file);
  EXPECT_EQ(out.text, "sealed") << out.result.error.message;
}

TEST_F(RemoteTls, RefusesAnUnknownAuthority) {
  const auto out = ask(certificate("unknown", "IP:127.0.0.1"), "");
  EXPECT_EQ(out.result.error.code, Code::kPermission) << out.result.error.message;
  EXPECT_EQ(requests_, 0U);
}

TEST_F(RemoteTls, RefusesACertificateOfAnotherHost) {
  const auto tls = certificate("other", "DNS:elsewhere.example,IP:127.0.0.2");
  const auto out = ask(tls, tls.certificate_file);
  EXPECT_EQ(out.result.error.code, Code::kPermission) << out.result.error.message;
  EXPECT_EQ(requests_, 0U);
}

TEST_F(RemoteTls, SaysWhichCertificatesCannotBeRead) {
  inference::remote::HttpClient::Options options;
  options.url = *inference::remote::parse_url("https://127.0.0.1:1");
  options.ca_file = folder_ / "none.pem";
  const auto client = inference::remote::HttpClient::open(options);
  ASSERT_FALSE(client);
  EXPECT_NE(client.error().message.find("none.pem"), std::string::npos);
}

}  // namespace
}  // namespace ambit::testing

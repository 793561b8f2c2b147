// `ambit lsp`: the editors' forwarder. Bytes both ways; on the way it remembers initialize and the
// open documents, so that a daemon that died is replaced without the editor noticing more than one
// message. It ends when its input ends or the editor dies.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/cli/daemon_client.h"
#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/forward/message_head.h"
#include "daemon/session/documents.h"
#include "lsp/framing.h"
#include "lsp/message.h"

namespace ambit::daemon {

namespace {

using nlohmann::json;

class Forwarder {
 public:
  Forwarder(std::string model, int in, int out) : model_(std::move(model)), in_(in), out_(out) {}

  int run() {
    if (!connect_daemon()) return kExitUnavailable;
    std::array<char, 65536> buffer;
    while (true) {
      pollfd fds[3] = {{in_, POLLIN, 0}, {daemon_.get(), POLLIN, 0}, {parent_.get(), POLLIN, 0}};
      if (::poll(fds, 3, -1) < 0) {
        if (errno == EINTR) continue;
        return kExitInternal;
      }
      if (fds[2].revents != 0) return 1;
      if (fds[1].revents != 0) {
        const auto n = ::read(daemon_.get(), buffer.data(), buffer.size());
        if (n > 0) {
          from_daemon_.feed({buffer.data(), static_cast<std::size_t>(n)});
          while (auto event = from_daemon_.next()) {
            if (auto* frame = std::get_if<lsp::Frame>(&*event)) from_daemon(frame->body);
          }
        } else if (n == 0 || errno != EINTR) {
          if (exit_code_) return *exit_code_;
          if (!recover()) return kExitUnavailable;
        }
      }
      if (fds[0].revents != 0) {
        const auto n = ::read(in_, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return shut_down_ ? 0 : 1;
        from_editor_.feed({buffer.data(), static_cast<std::size_t>(n)});
        while (auto event = from_editor_.next()) {
          if (auto* frame = std::get_if<lsp::Frame>(&*event)) {
            from_editor(frame->body);
            if (exit_code_) return *exit_code_;
          } else {
            const auto& error = std::get<Error>(*event);
            const auto code = error.code == Code::kResourceExhausted
                                  ? lsp::ErrorCode::kInvalidRequest
                                  : lsp::ErrorCode::kParseError;
            to_editor(lsp::encode_error(std::nullopt, {code, error.message, {}}));
          }
        }
      }
    }
  }

 private:
  static constexpr std::string_view kReplayId = "\"ambit-replay\"";

  bool connect_daemon() {
    auto fd = connect_or_start(model_);
    if (!fd) {
      report(fd.error());
      return false;
    }
    daemon_ = std::move(*fd);
    from_daemon_ = lsp::FrameReader();
    return true;
  }

  void to_daemon(std::string_view body) {
    const auto bytes = lsp::frame(body);
    // A daemon that is gone shows as the end of its stream, and everything is replayed then.
    (void)write_all(daemon_.get(), bytes.data(), bytes.size());
  }
  void to_editor(std::string_view body) {
    const auto bytes = lsp::frame(body);
    if (!write_all(out_, bytes.data(), bytes.size())) exit_code_ = 1;
  }

  void from_editor(const std::string& body) {
    const auto head = read_head(body);
    if (head) {
      if (head->is_request()) pending_.insert_or_assign(std::string(head->id), body);
      if (head->method == "initialize") {
        initialize_ = body;
        watch_parent(body);
      } else if (head->method == "shutdown") {
        shut_down_ = true;
      } else if (head->method == "exit") {
        to_daemon(body);
        exit_code_ = shut_down_ ? 0 : 1;
        return;
      } else if (head->method.starts_with("textDocument/did")) {
        mirror(head->method, body);
      }
    }
    to_daemon(body);
  }

  void from_daemon(const std::string& body) {
    const auto head = read_head(body);
    if (head && head->is_response()) {
      if (head->id == kReplayId) return;
      if (const auto found = pending_.find(std::string(head->id)); found != pending_.end()) {
        if (found->second == initialize_) {
          const auto parsed = json::parse(body, nullptr, false);
          if (parsed.is_object() &&
              body.find("\"positionEncoding\":\"utf-8\"") != std::string::npos) {
            encoding_ = PositionEncoding::kUtf8;
          }
        }
        pending_.erase(found);
      }
    }
    // The editor has the registrations of the first daemon already.
    if (head && replayed_ && head->method == "client/registerCapability") {
      to_daemon(R"({"jsonrpc":"2.0","id":)" + std::string(head->id) + R"(,"result":null})");
      return;
    }
    to_editor(body);
  }

  void watch_parent(const std::string& body) {
    const auto message = json::parse(body, nullptr, false);
    if (!message.is_object()) return;
    const auto params = message.value("params", json::object());
    if (!params.is_object() || !params.contains("processId")) return;
    if (!params["processId"].is_number_integer()) return;
    const auto pid = params["processId"].get<int>();
    parent_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  }

  void mirror(std::string_view method, const std::string& body) {
    const auto message = json::parse(body, nullptr, false);
    if (!message.is_object()) return;
    try {
      const auto& params = message.at("params");
      const auto& item = params.at("textDocument");
      const auto uri = item.at("uri").get<std::string>();
      if (method == "textDocument/didOpen") {
        documents_.open(uri, item.value("languageId", ""), item.value("version", 0),
                        item.at("text").get<std::string>());
      } else if (method == "textDocument/didClose") {
        documents_.close(uri);
      } else if (method == "textDocument/didChange") {
        Document* document = documents_.find(uri);
        if (document == nullptr) return;
        for (const auto& change : params.at("contentChanges")) {
          const auto text = change.at("text").get<std::string>();
          if (!change.contains("range")) {
            documents_.replace(*document, text);
            continue;
          }
          const auto at = [&](const char* which) {
            const auto& p = change["range"].at(which);
            return Position{p.at("line").get<std::uint32_t>(),
                            p.at("character").get<std::uint32_t>()};
          };
          documents_.replace(*document, at("start"), at("end"), text, encoding_);
        }
        document->version = item.value("version", document->version + 1);
      }
    } catch (const json::exception&) {
      // The daemon answers malformed messages; the mirror skips them.
    }
  }

  // The daemon is gone: a new one is told what the old one knew. Requests that only ask are asked
  // again; what might have acted already is answered with an error.
  bool recover() {
    if (!connect_daemon()) {
      to_editor(
          message_to_user("Ambit's daemon ended and cannot be started again; see `ambit "
                          "doctor`."));
      return false;
    }
    if (initialize_.empty()) return true;
    replayed_ = true;
    auto pending = std::move(pending_);
    pending_.clear();
    auto message = json::parse(initialize_);
    const bool unanswered = pending.contains(message["id"].dump());
    if (unanswered) {
      to_daemon(initialize_);
      pending_.emplace(message["id"].dump(), initialize_);
      pending.erase(message["id"].dump());
    } else {
      message["id"] = "ambit-replay";
      to_daemon(message.dump());
      to_daemon(R"({"jsonrpc":"2.0","method":"initialized","params":{}})");
    }
    for (const auto& [uri, document] : documents_.all()) {
      to_daemon(json{{"jsonrpc", "2.0"},
                     {"method", "textDocument/didOpen"},
                     {"params",
                      {{"textDocument",
                        {{"uri", uri},
                         {"languageId", document.language},
                         {"version", document.version},
                         {"text", *document.text}}}}}}
                    .dump(-1, ' ', false, json::error_handler_t::replace));
    }
    for (const auto& [id, body] : pending) {
      const auto head = read_head(body);
      if (head->method == "shutdown") {
        to_editor(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":null})");
      } else if (head->method == "workspace/executeCommand") {
        to_editor(R"({"jsonrpc":"2.0","id":)" + id +
                  R"(,"error":{"code":-32803,"message":"Ambit's daemon restarted; try again"}})");
      } else {
        pending_.emplace(id, body);
        to_daemon(body);
      }
    }
    if (!told_) {
      to_editor(message_to_user("Ambit's daemon ended and was started again."));
      told_ = true;
    }
    return true;
  }

  static std::string message_to_user(const std::string& text) {
    return json{{"jsonrpc", "2.0"},
                {"method", "window/showMessage"},
                {"params", {{"type", 2}, {"message", text}}}}
        .dump();
  }

  const std::string model_;
  const int in_, out_;
  FileDescriptor daemon_, parent_;
  lsp::FrameReader from_editor_, from_daemon_;
  std::string initialize_;
  Documents documents_;
  PositionEncoding encoding_ = PositionEncoding::kUtf16;
  std::map<std::string, std::string> pending_;  // raw id -> message
  bool shut_down_ = false, replayed_ = false, told_ = false;
  std::optional<int> exit_code_;
};

}  // namespace

int lsp_command(const Arguments& arguments) {
  Options options("lsp", "[--stdio|--pipe PATH] [--model SPEC]", "The language server.");
  (void)options.flag("--stdio", "speak on stdin and stdout (the default)");
  auto& pipe = options.text("--pipe", "", "PATH", "connect to this unix socket of the editor");
  auto& model = options.text("--model", "", "SPEC", "instead of the configured model");
  (void)options.text("--clientProcessId", "", "PID", "the editor; initialize says it too");
  if (auto done = options.parse(arguments)) return *done;
  std::signal(SIGPIPE, SIG_IGN);
  if (pipe.empty()) return Forwarder(model, STDIN_FILENO, STDOUT_FILENO).run();
  auto fd = connect_local(pipe);
  if (!fd) return report(fd.error());
  return Forwarder(model, fd->get(), fd->get()).run();
}

}  // namespace ambit::daemon

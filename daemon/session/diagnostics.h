// What one window shows as diagnostics: per document and source, pushed or pulled, never both.
//
// A client that declared textDocument.diagnostic pulls: it gets the answer from this table in
// microseconds (VS Code asks on every keystroke), `unchanged` while nothing changed, and a refresh
// after each change where it takes one. Any other client, and Neovim (client_info.cpp says why),
// gets publishDiagnostics.
//
// Items are LSP Diagnostics with every member that we know; what the client did not declare
// (codeDescription, data, tags, relatedInformation, a MarkupContent message) is left out or made
// plain here. Columns are in the session's encoding. Strand only; Session::set_diagnostics is for
// any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "daemon/session/client_info.h"
#include "lsp/message.h"

namespace ambit::daemon {

class Diagnostics {
 public:
  using json = nlohmann::json;
  static constexpr std::size_t kMaxPerDocument = 1000;  // of each source; more are cut off

  struct Outgoing {
    std::function<void(const std::string& method, const json& params)> notify;
    std::function<void()> refresh;  // workspace/diagnostic/refresh, where the client takes it
    std::function<void(const lsp::RequestId&, const json& result)> reply;
  };
  // first_serial: where result ids start; a random one keeps those of a replaced daemon apart.
  Diagnostics(Outgoing out, std::uint64_t first_serial)
      : out_(std::move(out)), serial_(first_serial) {}
  // After initialize.
  void set_client(const ClientInfo& client) { client_ = client; }

  // Replaces what `source` says of the document; an empty array takes it back. version: of the
  // document that the items are about, if it is open.
  void set(const std::string& uri, const std::string& source, std::optional<std::int64_t> version,
           json items);
  // Takes back all that a source said.
  void clear(const std::string& source);
  // The items of one document as they were set, of all sources: for code actions.
  [[nodiscard]] json items(const std::string& uri) const;

  // textDocument/diagnostic and workspace/diagnostic. A workspace request for which there is no
  // news is held until there is; a newer one, cancel() and finish() answer it.
  [[nodiscard]] json document_report(const std::string& uri, const json& previous_result_id);
  // True when it was answered at once, false when it is held now; parts may have been streamed.
  bool workspace_report(const lsp::RequestId& id, const json& params);
  // True when this was the held request; it has its answer then, -32800 is the caller's to send.
  bool cancel(const lsp::RequestId& id);
  // Answers what is held: the session shuts down.
  void finish();

 private:
  struct Document {
    std::map<std::string, json> by_source;
    std::optional<std::int64_t> version;
    std::uint64_t serial = 0;  // the result id
  };
  struct Held {
    lsp::RequestId id;
    json partial_token;
    std::map<std::string, std::string> known;  // uri -> result id
  };
  [[nodiscard]] json shown(const Document& document, const DiagnosticSupport& support) const;
  void changed(const std::string& uri, Document& document);
  [[nodiscard]] json news(Held& held);
  void answer_held();

  Outgoing out_;
  ClientInfo client_;
  std::map<std::string, Document> documents_;
  std::optional<Held> held_;
  std::uint64_t serial_;
  bool batching_ = false;
};

// A diagnostic without what the client does not take. `pull`: MarkupContent may stay.
[[nodiscard]] nlohmann::json fit_diagnostic(nlohmann::json item, const DiagnosticSupport& support);

}  // namespace ambit::daemon

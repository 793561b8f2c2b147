// What a refactor of the editor looks at: the window's documents over the index, at one moment; and
// edits in the words of the editor.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "daemon/handlers/features.h"

namespace ambit::daemon {

struct OpenDocument {
  std::string uri;
  std::int64_t version = 0;
  std::shared_ptr<const std::string> text;
};

// The window as it is at one moment.
struct View {
  std::shared_ptr<Workspace> workspace;
  std::shared_ptr<AssistContext> context;
  std::map<std::string, OpenDocument> open;  // by path relative to the root
};

// `argument`: {uri?}; without one it is the window's newest document. Worker threads. kNotFound:
// there is no repository around it.
[[nodiscard]] Result<View> view_of(FeatureRun& run, const nlohmann::json& argument);

// The same when the index has read everything; kUnavailable when that takes longer.
[[nodiscard]] Result<View> indexed_view_of(FeatureRun& run, const nlohmann::json& argument,
                                           std::chrono::milliseconds limit);

// A WorkspaceEdit in the form that the editor takes, open documents with their versions.
class EditorEdit {
 public:
  EditorEdit(const View& view, ClientInfo client) : view_(view), client_(std::move(client)) {}
  // edits: TextEdits of one file, which may be none.
  void add(const std::string& path, nlohmann::json edits);
  // With a change annotation: what the editor asks about before it is done.
  void annotate(const std::string& id, nlohmann::json annotation);
  [[nodiscard]] bool empty() const { return documents_.empty(); }
  [[nodiscard]] nlohmann::json take();
  [[nodiscard]] const ClientInfo& client() const { return client_; }

 private:
  const View& view_;
  ClientInfo client_;
  nlohmann::json documents_ = nlohmann::json::array(), plain_ = nlohmann::json::object();
  nlohmann::json annotations_ = nlohmann::json::object();
};

}  // namespace ambit::daemon

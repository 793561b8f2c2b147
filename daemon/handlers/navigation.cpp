// Definition, references and symbols from the index, when features.navigation is on: for languages
// that have no language server at hand. Answers include unsaved text.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/handlers/convert.h"
#include "daemon/handlers/features.h"
#include "daemon/handlers/table.h"
#include "lsp/uri.h"

namespace ambit::daemon {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxReferences = 2000;
constexpr std::size_t kMaxSymbols = 200;
constexpr std::size_t kMaxDefinitions = 10;
constexpr int kMaxDepth = 64;    // of symbols inside one another; deeper ones stand beside
constexpr float kAsGood = 0.1F;  // how much less sure than the best an answer may be

int symbol_kind(indexer::SymbolKind kind) {
  switch (kind) {
    case indexer::SymbolKind::kFunction:
    case indexer::SymbolKind::kMacro:
      return 12;
    case indexer::SymbolKind::kMethod:
      return 6;
    case indexer::SymbolKind::kClass:
      return 5;
    case indexer::SymbolKind::kStruct:
    case indexer::SymbolKind::kUnion:
      return 23;
    case indexer::SymbolKind::kInterface:
    case indexer::SymbolKind::kTrait:
      return 11;
    case indexer::SymbolKind::kEnum:
      return 10;
    case indexer::SymbolKind::kEnumerator:
      return 22;
    case indexer::SymbolKind::kField:
      return 8;
    case indexer::SymbolKind::kProperty:
      return 7;
    case indexer::SymbolKind::kConstant:
      return 14;
    case indexer::SymbolKind::kTypeAlias:
      return 5;
    case indexer::SymbolKind::kNamespace:
      return 3;
    case indexer::SymbolKind::kModule:
      return 2;
    case indexer::SymbolKind::kConstructor:
      return 9;
    case indexer::SymbolKind::kVariable:
    case indexer::SymbolKind::kLabel:
      return 13;
    case indexer::SymbolKind::kSection:
      return 15;
  }
  return 13;
}

// One question: the snapshot with the window's text, and how to say places in it. Texts are read
// once.
class Places {
 public:
  Places(std::shared_ptr<const indexer::Snapshot> snapshot, std::filesystem::path root,
         PositionEncoding encoding)
      : snapshot_(std::move(snapshot)), root_(std::move(root)), encoding_(encoding) {}

  [[nodiscard]] const indexer::Snapshot& snapshot() const { return *snapshot_; }
  [[nodiscard]] const std::string* text(const std::string& path) {
    auto [it, is_new] = texts_.try_emplace(path);
    if (is_new) {
      if (auto text = snapshot_->text(path)) it->second = std::move(*text);
    }
    return it->second ? &*it->second : nullptr;
  }
  // Null when the file is gone.
  [[nodiscard]] json location(const std::string& path, indexer::ByteSpan span) {
    const auto* content = text(path);
    if (content == nullptr || span.end > content->size()) return nullptr;
    return {{"uri", lsp::uri_from_path((root_ / path).string())},
            {"range", range_json(*content, span.begin, span.end, encoding_)}};
  }
  [[nodiscard]] json information(const indexer::Symbol& s, indexer::ByteSpan span) {
    json where = location(s.path, span);
    if (where.is_null()) return where;
    json out = {{"name", s.name}, {"kind", symbol_kind(s.kind)}, {"location", std::move(where)}};
    if (!s.scope.empty()) out["containerName"] = s.scope;
    return out;
  }
  [[nodiscard]] std::size_t offset(const std::string& text, Position position) const {
    return offset_at(text, position, encoding_);
  }

 private:
  std::shared_ptr<const indexer::Snapshot> snapshot_;
  std::filesystem::path root_;
  PositionEncoding encoding_;
  std::map<std::string, std::optional<std::string>> texts_;
};

// Symbols by position, each inside of the last one before it that encloses it.
json symbol_tree(const std::vector<indexer::Symbol>& all, std::size_t& next, std::uint32_t end,
                 std::string_view text, PositionEncoding encoding, int depth = 0) {
  json out = json::array();
  while (next < all.size() && all[next].name_span.begin < end) {
    const auto& s = all[next++];
    if (s.span.end > text.size()) continue;
    json one = {{"name", s.name},
                {"kind", symbol_kind(s.kind)},
                {"detail", s.signature},
                {"range", range_json(text, s.span.begin, s.span.end, encoding)},
                {"selectionRange", range_json(text, s.name_span.begin, s.name_span.end, encoding)}};
    if (depth < kMaxDepth) {
      json inside = symbol_tree(all, next, s.span.end, text, encoding, depth + 1);
      if (!inside.empty()) one["children"] = std::move(inside);
    }
    out.push_back(std::move(one));
  }
  return out;
}

void append(json& out, json one) {
  if (!one.is_null() && std::find(out.begin(), out.end(), one) == out.end())
    out.push_back(std::move(one));
}

// Asks on a worker thread; null where nothing can be known of the document.
void ask_index(
    Session& session, const lsp::RequestId& id, const json& params,
    std::function<json(Places&, const std::string& path, const std::string& text)> answer) {
  const auto path = lsp::path_from_uri(params.at("textDocument").at("uri").get<std::string>());
  if (!path) return session.reply(id, nullptr);
  const auto context = session.assist_context(*path, {});
  if (context->root.empty()) return session.reply(id, nullptr);
  const auto inside = std::filesystem::path(*path).lexically_relative(context->root).string();
  run_feature(session, id, params,
              [context, inside, answer = std::move(answer),
               encoding = session.client.encoding](FeatureRun&) -> Result<lsp::Json> {
                Places places(context->snapshot->settled(), context->root, encoding);
                const auto* text = places.text(inside);
                return lsp::Json(text == nullptr ? json(nullptr) : answer(places, inside, *text));
              });
}

}  // namespace

bool offers_navigation(Session& session) {
  return session.config_for(nullptr).flag("features.navigation");
}

void on_definition(Session& session, const lsp::RequestId& id, const json& params) {
  const auto position = position_of(params.at("position"));
  ask_index(
      session, id, params,
      [position](Places& places, const std::string& path, const std::string& text) {
        json out = json::array();
        const auto at = static_cast<std::uint32_t>(places.offset(text, position));
        const auto found = places.snapshot().resolve(path, at);
        for (const auto& d : found) {
          if (out.size() >= kMaxDefinitions || d.confidence < found.front().confidence - kAsGood)
            break;
          append(out, places.location(d.symbol.path, d.symbol.name_span));
        }
        return out;
      });
}

void on_references(Session& session, const lsp::RequestId& id, const json& params) {
  const auto position = position_of(params.at("position"));
  const auto& context = member(params, {"context"});
  const bool declaration = member(context, {"includeDeclaration"}) == json(true);
  ask_index(
      session, id, params,
      [position, declaration](Places& places, const std::string& path, const std::string& text) {
        json out = json::array();
        const auto at = places.offset(text, position);
        const auto word = word_span(text, at);
        const auto name = text.substr(word.begin, word.size());
        if (name.empty()) return out;
        const auto& snapshot = places.snapshot();
        const auto meant = snapshot.resolve(path, static_cast<std::uint32_t>(at));
        // What only its own file can name has its uses there.
        const bool here = !meant.empty() && !meant.front().symbol.exported &&
                          meant.front().symbol.path == path &&
                          meant.front().symbol.kind == indexer::SymbolKind::kVariable;
        if (declaration) {
          if (here) append(out, places.location(path, meant.front().symbol.name_span));
          for (const auto& d : snapshot.definitions(name)) {
            if (!here) append(out, places.location(d.path, d.name_span));
          }
        }
        for (const auto& r : snapshot.references(name, kMaxReferences)) {
          if (!here || r.path == path) append(out, places.location(r.path, r.span));
        }
        return out;
      });
}

void on_document_symbol(Session& session, const lsp::RequestId& id, const json& params) {
  ask_index(session, id, params,
            [trees = session.client.symbol_trees, encoding = session.client.encoding](
                Places& places, const std::string& path, const std::string& text) {
              auto all = places.snapshot().symbols_in(path);
              json out = json::array();
              if (trees) {
                // A name outside of its own range (typedef struct { … } name) has no place in it.
                std::erase_if(all, [](const indexer::Symbol& s) {
                  return s.name_span.begin < s.span.begin || s.name_span.end > s.span.end;
                });
                std::size_t next = 0;
                return symbol_tree(all, next, 0xFFFFFFFF, text, encoding);
              }
              for (const auto& s : all) {
                if (json one = places.information(s, s.span); !one.is_null())
                  out.push_back(std::move(one));
              }
              return out;
            });
}

void on_workspace_symbol(Session& session, const lsp::RequestId& id, const json& params) {
  const auto query = params.at("query").get<std::string>();
  std::vector<std::shared_ptr<AssistContext>> contexts;
  for (const auto& folder : session.folders) contexts.push_back(session.assist_context(folder, {}));
  run_feature(session, id, params,
              [query, contexts = std::move(contexts),
               encoding = session.client.encoding](FeatureRun& run) -> Result<lsp::Json> {
                json out = json::array();
                for (const auto& context : contexts) {
                  if (run.stop.stop_requested()) break;
                  if (context->root.empty()) continue;
                  Places places(context->snapshot->settled(), context->root, encoding);
                  for (const auto& s : places.snapshot().find_symbols(query, kMaxSymbols))
                    append(out, places.information(s, s.name_span));
                }
                return lsp::Json(std::move(out));
              });
}

}  // namespace ambit::daemon

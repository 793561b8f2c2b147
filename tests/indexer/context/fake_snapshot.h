// A Snapshot made of texts in a toy language, so that packing is tested without a repository:
// "def NAME ..." defines a function, "class NAME" a class, "import NAME" an import; both reach to
// the line before the next "def", "class" or end of text. Every other identifier is a call.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "indexer/index.h"

namespace ambit::indexer {

class FakeSnapshot final : public Snapshot {
 public:
  explicit FakeSnapshot(std::map<std::string, std::string> texts) : texts_(std::move(texts)) {}

  std::shared_ptr<const Snapshot> with_buffers(const Buffers& buffers) const override {
    auto texts = texts_;
    for (const auto& [path, text] : buffers) texts[path] = *text;
    return std::make_shared<FakeSnapshot>(std::move(texts));
  }
  std::string tree_name() const override { return "fake"; }
  std::vector<FileInfo> files() const override {
    std::vector<FileInfo> out;
    for (const auto& [path, text] : texts_) out.push_back(*file(path));
    return out;
  }
  std::optional<FileInfo> file(std::string_view path) const override {
    const auto it = texts_.find(std::string(path));
    if (it == texts_.end()) return std::nullopt;
    FileInfo f;
    f.path = it->first;
    f.bytes = it->second.size();
    const std::uint64_t h = std::hash<std::string>{}(it->second);
    for (int i = 0; i < 8; ++i) f.blob.bytes[i] = static_cast<std::uint8_t>(h >> (8 * i));
    return f;
  }
  Result<std::string> text(std::string_view path) const override {
    const auto it = texts_.find(std::string(path));
    if (it == texts_.end()) return make_error(Code::kNotFound, "no such file");
    return it->second;
  }
  std::vector<Symbol> symbols_in(std::string_view path) const override { return parse(path).first; }
  std::vector<Reference> references_in(std::string_view path) const override {
    return parse(path).second;
  }
  std::vector<Symbol> definitions(std::string_view name, std::size_t) const override {
    std::vector<Symbol> out;
    for (const auto& [path, text] : texts_) {
      for (auto& s : parse(path).first) {
        if (s.name == name) out.push_back(s);
      }
    }
    return out;
  }
  std::vector<Reference> references(std::string_view, std::size_t) const override { return {}; }
  std::vector<ResolvedDefinition> resolve(std::string_view, std::uint32_t) const override {
    return {};
  }
  std::vector<Symbol> find_symbols(std::string_view, std::size_t) const override { return {}; }
  Result<std::vector<TextMatch>> search(std::string_view, bool, std::size_t,
                                        std::stop_token) const override {
    return std::vector<TextMatch>{};
  }

 private:
  std::pair<std::vector<Symbol>, std::vector<Reference>> parse(std::string_view path) const {
    std::vector<Symbol> symbols;
    std::vector<Reference> references;
    const auto it = texts_.find(std::string(path));
    if (it == texts_.end()) return {};
    const std::string& text = it->second;
    std::uint32_t line = 0;
    for (std::size_t begin = 0; begin < text.size(); ++line) {
      auto end = text.find('\n', begin);
      if (end == std::string::npos) end = text.size();
      const std::string row = text.substr(begin, end - begin);
      std::vector<std::string> words;
      std::string word;
      for (const char c : row + " ") {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
          word += c;
        } else if (!word.empty()) {
          words.push_back(std::exchange(word, ""));
        }
      }
      std::size_t first = 0;
      const bool defines = words.size() >= 2 && (words[0] == "def" || words[0] == "class");
      if (defines) {
        if (!symbols.empty()) symbols.back().end_line = line - 1;
        Symbol s;
        s.path = path;
        s.name = words[1];
        s.kind = words[0] == "def" ? SymbolKind::kFunction : SymbolKind::kClass;
        s.signature = row;
        s.line = line;
        s.end_line = line;
        s.span.begin = static_cast<std::uint32_t>(begin);
        symbols.push_back(s);
        first = 2;
      }
      const bool imports = !words.empty() && words[0] == "import";
      for (std::size_t i = imports ? 1 : first; i < words.size(); ++i) {
        Reference r;
        r.path = path;
        r.name = words[i];
        r.kind = imports ? ReferenceKind::kImport : ReferenceKind::kCall;
        r.line = line;
        references.push_back(r);
      }
      begin = end + 1;
      if (!symbols.empty()) {
        symbols.back().end_line = line;
        symbols.back().span.end = static_cast<std::uint32_t>(std::min(begin, text.size()));
      }
    }
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      symbols[i].span.end = symbols[i + 1].span.begin;
    }
    return {symbols, references};
  }

  std::map<std::string, std::string> texts_;
};

}  // namespace ambit::indexer

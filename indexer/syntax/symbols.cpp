// From positions to what people read: scope, signature, first line of the doc comment.
#include <algorithm>

#include "indexer/syntax/extract.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kSignatureBytes = 240;
constexpr std::size_t kDocBytes = 200;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

void fold(std::string_view text, std::size_t limit, std::string& out) {
  for (const char c : text) {
    if (out.size() >= limit) return;
    if (is_space(c) || c == '\\') {
      if (!out.empty() && out.back() != ' ') out.push_back(' ');
    } else {
      out.push_back(c);
    }
  }
}

void trim_end(std::string& s, std::string_view of) {
  while (!s.empty() && of.find(s.back()) != std::string_view::npos) s.pop_back();
}

std::string_view cut(std::string_view text, std::uint32_t begin, std::uint32_t end) {
  if (begin >= text.size() || end <= begin) return {};
  return text.substr(begin, end - begin);
}

}  // namespace

std::string signature_of(std::string_view text, const Definition& d) {
  std::string out;
  fold(cut(text, d.declaration, std::min<std::uint32_t>(d.signature_end, d.declaration + 4096)),
       kSignatureBytes, out);
  trim_end(out, " {;,=");
  if (d.signature_end < d.name.begin) {  // typedef struct { … } name
    out += " … ";
    out += cut(text, d.name.begin, d.name.end);
  }
  // A cut inside a multi-byte character leaves no half of it.
  if (out.size() >= kSignatureBytes) {
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0) out.pop_back();
  }
  return out;
}

std::string doc_line_of(std::string_view text, const Definition& d) {
  auto doc = cut(text, d.doc.begin, d.doc.end);
  static constexpr std::string_view kMarks = "/*!#-;<>\"'` \t\r%|=";
  while (!doc.empty()) {
    const auto newline = doc.find('\n');
    auto line = doc.substr(0, newline);
    if (line.starts_with("r\"") || line.starts_with("u\"")) line.remove_prefix(1);
    const auto begin = line.find_first_not_of(kMarks);
    if (begin != std::string_view::npos) {
      line.remove_prefix(begin);
      std::string out;
      fold(line, kDocBytes, out);
      for (const std::string_view end : {"*/", "\"\"\"", "'''", "-->"}) {
        if (const auto at = out.find(end); at != std::string::npos) out.resize(at);
      }
      if (const auto stop = out.find(". "); stop != std::string::npos) out.resize(stop + 1);
      trim_end(out, " ");
      if (d.doc.begin > d.declaration) trim_end(out, "\"'");
      if (!out.empty()) return out;
    }
    if (newline == std::string_view::npos) break;
    doc.remove_prefix(newline + 1);
  }
  return {};
}

std::string scope_of(std::string_view text, Language language, const std::vector<Definition>& all,
                     std::size_t index) {
  const auto separator = language_info(language).separator;
  std::vector<std::string> parts;
  for (auto i = index; parts.size() < 64;) {
    const auto& d = all[i];
    if (!d.owner.empty()) {
      std::string owner;
      for (const char c : d.owner) {
        if (c == '\x1f') {
          owner += separator;
        } else {
          owner.push_back(c);
        }
      }
      parts.push_back(std::move(owner));
    }
    if (d.parent < 0 || static_cast<std::size_t>(d.parent) >= i) break;
    i = static_cast<std::size_t>(d.parent);
    parts.emplace_back(cut(text, all[i].name.begin, all[i].name.end));
  }
  std::string out;
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    if (!out.empty()) out += separator;
    out += *it;
  }
  return out;
}

Symbol make_symbol(std::string_view path, std::string_view text, Language language,
                   const std::vector<Definition>& all, std::size_t index) {
  const auto& d = all[index];
  Symbol s;
  s.path = path;
  s.name = cut(text, d.name.begin, d.name.end);
  s.scope = scope_of(text, language, all, index);
  s.signature = signature_of(text, d);
  s.doc = doc_line_of(text, d);
  s.kind = d.kind;
  s.span = d.span;
  s.name_span = d.name;
  s.line = d.line;
  s.column = d.column;
  s.end_line = d.end_line;
  s.exported = d.exported;
  s.declaration_only = d.declaration_only;
  return s;
}

}  // namespace ambit::indexer

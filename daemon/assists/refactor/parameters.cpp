#include "daemon/assists/refactor/parameters.h"

#include <algorithm>

#include "daemon/assists/refactor/rename.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::kNoNode;
using indexer::Language;
using indexer::SyntaxTree;

namespace {

bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::size_t skip_blank(std::string_view text, std::size_t at) {
  while (at < text.size() && blank(text[at])) ++at;
  return at;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string parameter_name(std::string_view text, Language language) {
  text = text.substr(0, text.find('='));
  if (c_family(language) || language == Language::kJava || language == Language::kCSharp) {
    // void (*call)(int), int a[4]
    if (const auto star = text.find("(*"); star != std::string_view::npos) {
      text = text.substr(star, text.find(')', star) - star);
    }
    text = text.substr(0, text.find('['));
  }
  const bool before_colon = language == Language::kPython || language == Language::kRust ||
                            same_family(language, Language::kJavaScript) ||
                            language == Language::kKotlin || language == Language::kScala ||
                            language == Language::kSwift;
  if (before_colon) text = text.substr(0, text.find(':'));
  const bool first = language == Language::kGo;
  std::string found, word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && word_byte(text[i])) {
      word += text[i];
      continue;
    }
    if (!word.empty()) {
      if (first) return word;
      found = word;
    }
    word.clear();
  }
  return found;
}

std::size_t list_after(std::string_view text, std::size_t at) {
  at = skip_blank(text, at);
  if (text.substr(at, 2) == "::") at = skip_blank(text, at + 2);  // Rust's turbofish
  if (at < text.size() && (text[at] == '<' || text[at] == '[')) {
    const char open = text[at], close = open == '<' ? '>' : ']';
    int depth = 0;
    for (auto i = at; i < text.size() && i < at + 500; ++i) {
      if (text[i] == open) ++depth;
      if (text[i] == close && --depth == 0) {
        at = skip_blank(text, i + 1);
        break;
      }
      if (text[i] == ';' || text[i] == '{') return std::string_view::npos;
    }
  }
  return at < text.size() && text[at] == '(' ? at : std::string_view::npos;
}

ListEdit without_piece(const ListPieces& list, std::size_t n) {
  auto span = list.pieces[n];
  if (n + 1 < list.pieces.size()) {
    span.end = list.pieces[n + 1].begin;
  } else if (n > 0) {
    span.begin = list.pieces[n - 1].end;
  }
  return {span, ""};
}

ListEdit with_piece(const ListPieces& list, std::size_t n, const std::string& words) {
  const auto at = [](std::size_t offset) {
    const auto byte = static_cast<std::uint32_t>(offset);
    return ByteSpan{byte, byte};
  };
  if (list.pieces.empty()) return {at(list.open + 1), words};
  if (n < list.pieces.size()) return {at(list.pieces[n].begin), words + ", "};
  return {at(list.pieces.back().end), ", " + words};
}

std::optional<ListPieces> list_pieces(std::string_view text, std::size_t open) {
  ListPieces out;
  out.open = open;
  int depth = 0;
  std::size_t begin = open + 1;
  const auto piece = [&](std::size_t end) {
    auto b = skip_blank(text, begin), e = end;
    while (e > b && blank(text[e - 1])) --e;
    if (e > b) out.pieces.push_back({static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(e)});
    begin = end + 1;
  };
  for (auto i = open; i < text.size() && i < open + 100'000; ++i) {
    const char c = text[i];
    const bool separator = c == '\'' && i > open && word_byte(text[i - 1]);  // 1'000
    if (!separator && (c == '"' || c == '\'' || c == '`')) {
      for (++i; i < text.size() && text[i] != c && text[i] != '\n'; ++i) {
        if (text[i] == '\\') ++i;
      }
      continue;
    }
    if (c == '/' && i + 1 < text.size() && (text[i + 1] == '*' || text[i + 1] == '/')) {
      const auto end = text.find(text[i + 1] == '*' ? "*/" : "\n", i + 2);
      if (end == std::string_view::npos) return std::nullopt;
      i = text[i + 1] == '*' ? end + 1 : end;
      continue;
    }
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') {
      if (--depth == 0) {
        piece(i);
        out.close = i;
        return out;
      }
    }
    if (c == ',' && depth == 1) {
      // A comma inside <…> separates types, when what stands around looks like a template.
      const auto so_far = text.substr(begin, i - begin);
      const auto opens = std::count(so_far.begin(), so_far.end(), '<');
      auto closes = std::count(so_far.begin(), so_far.end(), '>');
      for (auto at = so_far.find("->"); at != std::string_view::npos;
           at = so_far.find("->", at + 2)) {
        --closes;
      }
      const auto ahead = text.substr(i, text.find_first_of(");", i) - i);
      if (opens > closes && ahead.find('>') != std::string_view::npos) continue;
      piece(i);
    }
  }
  return std::nullopt;
}

std::optional<ListPieces> list_pieces(const SyntaxTree& tree, std::string_view text,
                                      std::size_t open) {
  const auto at = static_cast<std::uint32_t>(open);
  const auto bracket = tree.around({at, at + 1});
  if (bracket == kNoNode || tree[bracket].type != "(") return std::nullopt;
  const auto list = tree[bracket].parent;
  if (list == kNoNode || tree[list].span.begin != at || text[tree[list].span.end - 1] != ')' ||
      tree.holds_error(list)) {
    return std::nullopt;
  }
  ListPieces out;
  out.open = open;
  out.close = tree[list].span.end - 1;
  std::optional<ByteSpan> piece;
  const auto end_piece = [&] {
    if (piece) out.pieces.push_back(*piece);
    piece.reset();
  };
  const auto take = [&](std::uint32_t i) {
    const auto& n = tree[i];
    if (n.type == ",") return end_piece();
    if (n.type.find("comment") != std::string_view::npos || n.span.size() == 0) return;
    piece = ByteSpan{piece ? piece->begin : n.span.begin, n.span.end};
  };
  for (const auto c : tree.children(list)) {
    if (c == bracket || (tree[c].type == ")" && tree[c].span.end == tree[list].span.end)) continue;
    // In Go one declaration may hold several names.
    if (tree[c].type == "parameter_declaration" && text[out.close] == ')') {
      bool several = false;
      for (const auto inner : tree.children(c)) several = several || tree[inner].type == ",";
      if (several) {
        for (const auto inner : tree.children(c)) take(inner);
        continue;
      }
    }
    take(c);
  }
  end_piece();
  return out;
}

Parameter read_parameter(std::string_view words, Language language) {
  Parameter out;
  out.words = std::string(words);
  const bool python = language == Language::kPython, script = script_family(language);
  const auto plain = words.substr(0, words.find_first_of("=:"));
  out.marker = python && (words == "*" || words == "/");
  if (out.marker) return out;
  out.name =
      words.starts_with('{') || words.starts_with('[') ? "" : parameter_name(words, language);
  out.open_ended = words.find("...") != std::string_view::npos ||
                   (python && words.starts_with('*')) || words.starts_with("vararg ") ||
                   words.starts_with("params ");
  auto value = words.find('=');
  while (value != std::string_view::npos && words.substr(value).starts_with("=>")) {
    value = words.find('=', value + 1);
  }
  out.optional = value != std::string_view::npos || (script && trim(plain).ends_with('?'));
  if (language == Language::kGo) {
    const auto name = words.find_first_of(" \t");
    out.type = name == std::string_view::npos ? "" : std::string(trim(words.substr(name)));
  }
  return out;
}

namespace {

// Go: either all have names or none has, and the last one has its type behind its name.
bool go_names(const std::vector<Parameter>& list) {
  const auto is_type = [](const Parameter& p) {
    const auto word = std::string_view(p.words).substr(0, p.words.find_first_of(" \t"));
    return word == "chan" || word == "struct" || word == "interface" || word == "func" ||
           std::any_of(word.begin(), word.end(), [](char c) { return !word_byte(c); });
  };
  return !list.empty() && !list.back().type.empty() &&
         std::none_of(list.begin(), list.end(), is_type);
}

}  // namespace

std::vector<Parameter> read_parameters(std::string_view text, const ListPieces& list,
                                       Language language) {
  std::vector<Parameter> out;
  for (const auto span : list.pieces) {
    out.push_back(read_parameter(text.substr(span.begin, span.size()), language));
  }
  if (out.size() == 1 && out[0].words == "void" && same_family(language, Language::kC)) out.clear();
  bool by_name = false;
  std::size_t position = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto& p = out[i];
    const bool own = (language == Language::kPython && (p.name == "self" || p.name == "cls")) ||
                     (language == Language::kRust && p.name == "self") ||
                     (script_family(language) && p.name == "this");
    p.receiver = i == 0 && own;
    p.by_name_only = by_name && !p.marker;
    if (language == Language::kPython && p.words.starts_with('*')) by_name = true;
    if (!p.receiver && !p.marker && !p.by_name_only) p.position = position++;
  }
  if (language == Language::kGo && !go_names(out)) {
    for (auto& p : out) {
      p.name.clear();
      p.type = p.words;
    }
  }
  for (std::size_t i = out.size(); i-- > 1;) {
    if (language == Language::kGo && out[i - 1].type.empty()) out[i - 1].type = out[i].type;
  }
  return out;
}

std::string_view name_sign(Language language) {
  switch (language) {
    case Language::kPython:
    case Language::kKotlin:
    case Language::kScala:
      return "=";
    case Language::kCSharp:
    case Language::kPhp:
    case Language::kSwift:
      return ": ";
    default:
      return "";
  }
}

std::string_view argument_name(std::string_view words, Language language) {
  const auto sign = name_sign(language).substr(0, 1);
  std::size_t end = 0;
  while (end < words.size() && word_byte(words[end])) ++end;
  const auto value = words.substr(std::min(skip_blank(words, end), words.size()));
  if (sign.empty() || end == 0 || !value.starts_with(sign)) return {};
  return value.substr(1).starts_with(sign) ? std::string_view() : words.substr(0, end);
}

bool is_spread(std::string_view words, Language language) {
  if (language == Language::kPython || language == Language::kKotlin ||
      language == Language::kRuby) {
    return words.starts_with('*');
  }
  return words.starts_with("...") || words.ends_with("...");
}

}  // namespace ambit::daemon

#include "daemon/assists/refactor/signature.h"

#include <algorithm>

#include "daemon/assists/refactor/rename_sites.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;

namespace {

bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::size_t skip_blank(std::string_view text, std::size_t at) {
  while (at < text.size() && blank(text[at])) ++at;
  return at;
}

PlanSite site_at(std::string_view text, std::size_t offset) {
  PlanSite out;
  const auto before = text.substr(0, offset);
  out.line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const auto start = before.rfind('\n');
  out.column =
      static_cast<std::uint32_t>(offset - (start == std::string_view::npos ? 0 : start + 1) + 1);
  return out;
}

PlanEdit plan_edit(std::string_view text, const ListEdit& edit) {
  return {site_at(text, edit.span.begin),
          std::string(text.substr(edit.span.begin, edit.span.size())), edit.text};
}

}  // namespace

std::string parameter_name(std::string_view text, Language language) {
  text = text.substr(0, text.find('='));
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
    if (c == '"' || c == '\'' || c == '`') {
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

Result<std::vector<PlanStep>> plan_signature(const indexer::Snapshot& snapshot,
                                             const RefactorRequest& request,
                                             const Instruction& instruction,
                                             std::vector<std::string>& notes,
                                             std::stop_token stop) {
  // Where the function is meant: the same judgement as a rename, to a name that nobody has.
  const RenameTarget target{instruction.symbol, request.at_path, request.at_offset};
  AMBIT_TRY(uses, plan_rename(snapshot, target, "ambit_no_such_name", request.paths, stop));
  const auto& definition = uses.definitions[0];
  if (definition.kind != indexer::SymbolKind::kFunction &&
      definition.kind != indexer::SymbolKind::kMethod &&
      definition.kind != indexer::SymbolKind::kConstructor &&
      definition.kind != indexer::SymbolKind::kMacro) {
    return make_error(Code::kInvalidArgument, uses.symbol + " is no function");
  }
  const bool add = instruction.kind == Instruction::kAddParameter;
  const auto language = indexer::language_of(definition.path);
  const auto name = add ? parameter_name(instruction.to, language) : instruction.to;
  if (name.empty()) {
    return make_error(Code::kInvalidArgument, "'" + instruction.to + "' declares no parameter");
  }
  const bool has_default = instruction.to.find('=') != std::string::npos;
  if (add && instruction.value.empty() && !has_default) {
    return make_error(Code::kInvalidArgument, "say what callers pass: add parameter \"" +
                                                  instruction.to + "\" to " + instruction.symbol +
                                                  " with VALUE");
  }
  PlanStep step;
  step.title =
      (add ? "add parameter " + instruction.to + " to " : "remove parameter " + name + " from ") +
      uses.symbol;
  std::optional<std::size_t> position;  // of the parameter that goes
  bool used = false;
  // Declarations first: they tell which argument is meant.
  for (const bool declarations : {true, false}) {
    for (const auto& f : uses.files) {
      AMBIT_TRY(text, snapshot.text(f.path));
      const auto own = indexer::language_of(f.path);
      PlanFile* file = nullptr;
      const auto edits = [&]() -> std::vector<PlanEdit>& {
        if (file == nullptr) {
          const auto it = std::find_if(step.files.begin(), step.files.end(),
                                       [&](const PlanFile& p) { return p.path == f.path; });
          if (it == step.files.end()) {
            step.files.push_back({});
            step.files.back().path = f.path;
            step.files.back().blob = f.blob.hex();
            file = &step.files.back();
          } else {
            file = &*it;
          }
        }
        return file->edits;
      };
      for (const auto& s : f.sites) {
        if (s.place != Place::kCode || s.definition != declarations) continue;
        const auto where = f.path + ":" + std::to_string(s.line + 1);
        if (s.confidence < kSureConfidence) {
          notes.push_back(where + " may mean it too and is left alone: " + std::string(s.why));
          continue;
        }
        const auto open = list_after(text, s.span.end);
        const auto list = open == std::string_view::npos ? std::nullopt : list_pieces(text, open);
        if (!list) {
          if (!declarations) notes.push_back(where + " is no call and is left alone");
          continue;
        }
        auto pieces = *list;
        if (declarations) {
          // (void) is an empty list.
          if (pieces.pieces.size() == 1 &&
              std::string_view(text).substr(pieces.pieces[0].begin, pieces.pieces[0].size()) ==
                  "void") {
            if (!add) return make_error(Code::kInvalidArgument, where + " has no parameters");
            edits().push_back({site_at(text, pieces.pieces[0].begin), "void", instruction.to});
            continue;
          }
          std::size_t receiver = 0;
          std::optional<std::size_t> found;
          for (std::size_t i = 0; i < pieces.pieces.size(); ++i) {
            const auto p =
                std::string_view(text).substr(pieces.pieces[i].begin, pieces.pieces[i].size());
            if (i == 0 && (p == "self" || p == "cls" || p == "&self" || p == "&mut self" ||
                           p == "this" || p == "mut self")) {
              receiver = 1;
            }
            if (parameter_name(p, own) == name) found = i;
          }
          if (add) {
            if (found) {
              return make_error(Code::kInvalidArgument, where + " has a parameter " + name);
            }
            auto words = instruction.to;
            // A default stands once in C++: where the function is declared first.
            const auto it = uses.definitions.begin();
            const bool body = std::any_of(it, uses.definitions.end(), [&](const auto& d) {
              return d.path == f.path && d.name_span.begin == s.span.begin && !d.declaration_only;
            });
            const bool declared_too = std::any_of(it, uses.definitions.end(),
                                                  [](const auto& d) { return d.declaration_only; });
            if (same_family(own, Language::kC) && has_default && body && declared_too) {
              words = words.substr(0, words.find('='));
              while (!words.empty() && blank(words.back())) words.pop_back();
            }
            edits().push_back(plan_edit(text, with_piece(pieces, pieces.pieces.size(), words)));
            continue;
          }
          if (!found) {
            // A prototype may leave out names; the body's position counts.
            if (position && *position < pieces.pieces.size()) {
              edits().push_back(plan_edit(text, without_piece(pieces, *position)));
              continue;
            }
            return make_error(Code::kInvalidArgument, where + " has no parameter " + name);
          }
          position = *found - receiver;
          edits().push_back(plan_edit(text, without_piece(pieces, *found)));
          // Is it still used in the body?
          const auto end = std::min<std::size_t>(text.size(), definition.span.end);
          if (definition.path == f.path && definition.name_span.begin == s.span.begin) {
            for (auto at = text.find(name, pieces.close); at != std::string::npos && at < end;
                 at = text.find(name, at + 1)) {
              const bool whole = !word_byte(text[at - 1]) && (at + name.size() >= text.size() ||
                                                              !word_byte(text[at + name.size()]));
              used = used || whole;
            }
          }
          continue;
        }
        if (add) {
          if (instruction.value.empty()) continue;  // the default serves
          edits().push_back(
              plan_edit(text, with_piece(pieces, pieces.pieces.size(), instruction.value)));
          continue;
        }
        // By name (Python, Kotlin, C#), else by place.
        std::optional<std::size_t> which;
        for (std::size_t i = 0; i < pieces.pieces.size(); ++i) {
          const auto p =
              std::string_view(text).substr(pieces.pieces[i].begin, pieces.pieces[i].size());
          if (p.starts_with(name) && p.size() > name.size()) {
            const auto next = skip_blank(p, name.size());
            const bool equals = next < p.size() && p[next] == '=' && p.substr(next, 2) != "==";
            if (equals && own == Language::kPython) which = i;
          }
        }
        if (!which && position && *position < pieces.pieces.size()) {
          const auto p = std::string_view(text).substr(pieces.pieces[*position].begin,
                                                       pieces.pieces[*position].size());
          const auto equals = p.find('=');
          const bool keyword =
              own == Language::kPython && equals != std::string_view::npos &&
              p.substr(equals, 2) != "==" &&
              std::all_of(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(equals),
                          [](char c) { return word_byte(c) || c == ' '; });
          if (!keyword) which = *position;
        }
        if (!which) continue;  // left out: its default was used
        const auto p = std::string_view(text).substr(pieces.pieces[*which].begin,
                                                     pieces.pieces[*which].size());
        if (p.find('(') != std::string_view::npos) {
          notes.push_back(
              where + " loses an argument that calls something: " + std::string(p.substr(0, 60)));
        }
        edits().push_back(plan_edit(text, without_piece(pieces, *which)));
      }
    }
  }
  if (used) {
    return make_error(Code::kInvalidArgument, name + " is still used in the body of " +
                                                  uses.symbol + " (" + definition.path +
                                                  "); remove the uses first");
  }
  std::erase_if(step.files, [](const PlanFile& f) { return f.edits.empty(); });
  std::sort(step.files.begin(), step.files.end(),
            [](const PlanFile& a, const PlanFile& b) { return a.path < b.path; });
  if (step.files.empty()) return make_error(Code::kInvalidArgument, "there is nothing to change");
  return std::vector<PlanStep>{std::move(step)};
}

}  // namespace ambit::daemon

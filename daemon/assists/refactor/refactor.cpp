#include "daemon/assists/refactor/refactor.h"

#include <algorithm>

#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/move_files.h"
#include "daemon/assists/refactor/signature.h"

namespace ambit::daemon {
namespace {

// Words, or whole phrases between quotes of one kind.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size() && out.size() < 100;) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at;
      continue;
    }
    if (c == '"' || c == '\'' || c == '`') {
      const auto end = std::min(text.find(c, at + 1), text.size());
      out.emplace_back(text.substr(at + 1, end - at - 1));
      at = end + 1;
      continue;
    }
    const auto end = std::min(text.find_first_of(" \t\r\n", at), text.size());
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

std::string lower(std::string text) {
  for (auto& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

}  // namespace

std::optional<Instruction> parse_instruction(std::string_view text) {
  auto w = words_of(text);
  if (w.size() == 3 && lower(w[0]) == "rename" && lower(w[1]) == "to") {
    return Instruction{Instruction::kRename, "", w[2], "", ""};
  }
  if (w.size() < 4) return std::nullopt;
  const auto verb = lower(w[0]);
  const auto drop = [&](std::size_t at, std::initializer_list<std::string_view> words) {
    while (at + 3 < w.size() &&
           std::find(words.begin(), words.end(), lower(w[at])) != words.end()) {
      w.erase(w.begin() + static_cast<std::ptrdiff_t>(at));
    }
  };
  const auto is = [&](std::size_t at, std::initializer_list<std::string_view> words) {
    return at < w.size() && std::find(words.begin(), words.end(), lower(w[at])) != words.end();
  };
  if (verb == "rename") {
    drop(1, {"the", "function", "method", "class", "struct", "type", "field", "variable", "symbol",
             "constant", "macro", "interface", "enum", "namespace", "file", "definition", "of"});
    if (w.size() != 4 || !is(2, {"to", "as", "into", "->", "=>"})) return std::nullopt;
    return Instruction{Instruction::kRename, w[1], w[3], "", ""};
  }
  if (verb == "move") {
    drop(1, {"the", "function", "class", "definition", "file", "folder", "of"});
    if (w.size() != 4 || !is(2, {"to", "into", "->"})) return std::nullopt;
    return Instruction{Instruction::kMove, w[1], w[3], "", ""};
  }
  // add parameter "int depth" to f with 0
  if ((verb == "add" || verb == "remove" || verb == "drop") && w.size() >= 5) {
    const bool add = verb == "add";
    std::size_t at = 1;
    if (is(at, {"a", "the"})) ++at;
    if (!is(at, {"parameter", "argument", "param"})) return std::nullopt;
    ++at;
    Instruction out;
    out.kind = add ? Instruction::kAddParameter : Instruction::kRemoveParameter;
    for (; at < w.size() && !is(at, {add ? "to" : "from"}); ++at) {
      out.to += (out.to.empty() ? "" : " ") + w[at];
    }
    if (at + 1 >= w.size() || out.to.empty()) return std::nullopt;
    out.symbol = w[at + 1];
    at += 2;
    if (add && at + 1 < w.size() && is(at, {"before"})) {
      out.before = w[at + 1];
      at += 2;
    }
    if (at < w.size()) {
      if (!add || !is(at, {"with", "passing", "="}) || at + 1 >= w.size()) return std::nullopt;
      for (++at; at < w.size(); ++at) out.value += (out.value.empty() ? "" : " ") + w[at];
    }
    return out;
  }
  // reorder parameters of f to b, a
  if (verb == "reorder" && w.size() >= 6 && is(1, {"parameters", "arguments"}) && is(2, {"of"}) &&
      is(4, {"to", "as"})) {
    Instruction out{Instruction::kReorderParameters, w[3], "", "", ""};
    for (std::size_t at = 5; at < w.size(); ++at) out.to += (out.to.empty() ? "" : " ") + w[at];
    return out;
  }
  return std::nullopt;
}

FileReader reader_of(const indexer::Snapshot& snapshot) {
  return [&snapshot](const std::string& path) -> Result<std::optional<std::string>> {
    auto text = snapshot.text(path);
    if (text) return std::optional<std::string>(std::move(*text));
    if (text.error().code == Code::kNotFound) return std::optional<std::string>();
    return text.error();
  };
}

namespace {

// The files that "A to B" moves; empty when A is no path of the repository.
Result<Moves> moves_of(const indexer::Snapshot& snapshot, std::string from, std::string to,
                       bool move) {
  Moves out;
  while (from.ends_with('/')) from.pop_back();
  if (from.empty()) return out;
  const bool into = to.ends_with('/');
  while (to.ends_with('/')) to.pop_back();
  if (!move && to.find('/') == std::string::npos) to = folder_of_path(from) + to;
  if (into) to += (to.empty() ? "" : "/") + from.substr(from.rfind('/') + 1);
  if (snapshot.file(from)) {
    out[from] = to;
  } else if (from.find('/') != std::string::npos || move) {
    for (const auto& f : snapshot.files()) {
      if (f.path.starts_with(from + "/")) out[f.path] = to + f.path.substr(from.size());
    }
  }
  if (out.contains(to) || (out.size() == 1 && out.begin()->first == out.begin()->second)) {
    return make_error(Code::kInvalidArgument, from + " is there already");
  }
  return out;
}

Result<void> add_steps(const indexer::Snapshot& snapshot, const RefactorRequest& request,
                       std::string_view words, Plan& out, std::stop_token stop) {
  const auto instruction = parse_instruction(words);
  if (!instruction) {
    return make_error(Code::kUnsupported,
                      "'" + std::string(words.substr(0, 100)) + "' is no plain form");
  }
  switch (instruction->kind) {
    case Instruction::kMove:
    case Instruction::kRename: {
      // A path that exists means the file; "rename a.h to b.h" stays in its folder.
      const bool move = instruction->kind == Instruction::kMove;
      AMBIT_TRY(moves, moves_of(snapshot, instruction->symbol, instruction->to, move));
      if (moves.size() == 1 &&
          indexer::language_of(moves.begin()->first) == indexer::Language::kJava) {
        const auto& [from, to] = *moves.begin();
        AMBIT_TRY(step, plan_java_file_move(snapshot, from, to, out.notes, stop));
        out.steps.push_back(std::move(step));
        break;
      }
      if (!moves.empty()) {
        AMBIT_TRY(step, plan_file_moves(snapshot, moves, out.notes, stop));
        out.steps.push_back(std::move(step));
        break;
      }
      if (move) {
        AMBIT_TRY(step, plan_move(snapshot, instruction->symbol, request.at_path, instruction->to,
                                  out.notes, stop));
        out.steps.push_back(std::move(step));
        break;
      }
      if (instruction->symbol.empty() && request.at_path.empty()) {
        return make_error(Code::kInvalidArgument, "say what to rename: rename A to B");
      }
      RenameTarget target{instruction->symbol, request.at_path, request.at_offset};
      AMBIT_TRY(rename, plan_rename(snapshot, target, instruction->to, request.paths, stop));
      out.notes.insert(out.notes.end(), rename.tied.begin(), rename.tied.end());
      out.notes.insert(out.notes.end(), rename.notes.begin(), rename.notes.end());
      out.steps.push_back(rename_step(rename, request.comments, request.strings));
      break;
    }
    case Instruction::kAddParameter:
    case Instruction::kRemoveParameter:
    case Instruction::kReorderParameters: {
      AMBIT_TRY(steps, plan_signature(snapshot, request, *instruction, out.notes, stop));
      for (auto& step : steps) out.steps.push_back(std::move(step));
      break;
    }
  }
  return {};
}

}  // namespace

std::string plain_forms() {
  return " (rename A to B; add parameter \"DECL\" to F with VALUE; remove parameter P from F; "
         "reorder parameters of F to B, A; move NAME or FILE to PATH): ";
}

Result<Plan> plan_by_index(const indexer::Snapshot& snapshot, const RefactorRequest& request,
                           std::stop_token stop) {
  Plan out;
  out.id = new_plan_id();
  out.instruction = request.instruction;
  out.tree = snapshot.tree_name();
  // Several steps, one behind another: "rename a to b; rename c to d".
  const std::string_view all = request.instruction;
  for (std::size_t at = 0; at <= all.size();) {
    const auto end = std::min(all.find_first_of(";\n", at), all.size());
    const auto words = all.substr(at, end - at);
    at = end + 1;
    if (words.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    AMBIT_CHECK_OK(add_steps(snapshot, request, words, out, stop));
  }
  if (out.steps.empty()) return make_error(Code::kInvalidArgument, "the instruction is empty");
  return out;
}

}  // namespace ambit::daemon

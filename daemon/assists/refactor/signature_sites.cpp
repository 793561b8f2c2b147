#include "daemon/assists/refactor/signature_sites.h"

#include <algorithm>

#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;

namespace {

std::string_view piece_of(std::string_view text, ByteSpan span) {
  return text.substr(span.begin, span.size());
}

// Somebody could notice when it is computed.
bool has_effect(std::string_view words) {
  return words.find('(') != std::string_view::npos || words.find("++") != std::string_view::npos ||
         words.find("--") != std::string_view::npos || words.find('=') != std::string_view::npos;
}

Error refused(const SourceFile& f, ByteSpan name, const std::string& why) {
  return refusal(f.path, f.line_of(name.begin), why);
}

// Go: a type stands behind the name, or it is a type alone.
bool has_type(const Parameter& p) {
  return p.words.find(' ') != std::string::npos || p.words == p.type;
}

// Go: the name in front of piece n may have its type from there or behind.
void keep_type(const NewSignature& s, const ListPieces& list, const std::vector<Parameter>& own,
               std::size_t n, NestedEdits& edits) {
  if (s.language != Language::kGo || n == 0 || has_type(own[n - 1])) return;
  edits.edit(list.pieces[n - 1], own[n - 1].words + " " + own[n - 1].type);
}

class Call {
 public:
  Call(const NewSignature& signature, const SourceFile& file, ByteSpan name, const ListPieces& list,
       std::vector<std::string>& notes, NestedEdits& edits)
      : s_(signature),
        file_(file),
        name_(name),
        list_(list),
        notes_(notes),
        edits_(edits),
        language_(indexer::language_of(file.path)) {
    for (const auto span : list.pieces) words_.push_back(piece_of(file.text, span));
    const auto before = around(file.text, name.begin, language_);
    const bool object =
        !s_.known.empty() && s_.known[0].receiver && s_.known[0].name != "cls" &&
        (language_ == Language::kRust
             ? before.scoped
             : before.member && !s_.scope.empty() && before.qualifier == last_name(s_.scope));
    first_ = object && !words_.empty() ? 1 : 0;
    for (auto i = first_; i < words_.size(); ++i) {
      const bool named = !argument_name(words_[i], language_).empty();
      if (language_ == Language::kPython && words_[i].starts_with("**")) {
        names_ = some_names_ = true;
      } else if (is_spread(words_[i], language_)) {
        spread_ = true;
      } else if (named) {
        names_ = true;
      } else if (!spread_ && !names_) {
        ++positional_;
      }
    }
  }

  Result<void> add() {
    const bool by_place = !s_.fresh.by_name_only;
    const bool last = s_.at == s_.known.size();
    if (s_.asked.value.empty()) {  // the default serves, where nothing falls on its place
      if (by_place && (positional_ > s_.position || (spread_ && !last))) {
        return refused(file_, name_, "passes arguments behind it; say with what: … with VALUE");
      }
      return {};
    }
    if (by_place && positional_ >= s_.position && !(spread_ && positional_ == s_.position)) {
      put(with_piece(list_, first_ + s_.position, s_.asked.value));
      return {};
    }
    const auto sign = name_sign(language_);
    if (spread_ && (sign.empty() || (by_place && !last))) return unknown_length();
    if (sign.empty()) return refused(file_, name_, "leaves out an argument in front of it");
    put(with_piece(list_, list_.pieces.size(), s_.fresh.name + std::string(sign) + s_.asked.value));
    return {};
  }

  Result<void> remove() {
    const auto& name = s_.known[s_.at].name;
    const auto named = std::find_if(words_.begin(), words_.end(), [&](std::string_view w) {
      return argument_name(w, language_) == name;
    });
    auto which = static_cast<std::size_t>(named - words_.begin());
    if (named == words_.end()) {
      if (spread_) return unknown_length();
      if (s_.position >= positional_) {  // left out, as far as can be seen
        if (some_names_) note("may pass " + name + " in its **");
        return {};
      }
      which = first_ + s_.position;
    }
    if (words_[which].find('(') != std::string_view::npos) {
      note("loses an argument that calls something: " + std::string(words_[which].substr(0, 60)));
    }
    put(without_piece(list_, which));
    return {};
  }

  Result<void> reorder() {
    if (spread_) return unknown_length();
    // The place of an argument before, by its place after.
    std::vector<std::size_t> from;
    for (const auto i : s_.order) {
      if (s_.known[i].position) from.push_back(*s_.known[i].position);
    }
    const auto given = std::min(positional_, from.size());
    std::ptrdiff_t moved_effects = 0;
    std::vector<std::pair<ByteSpan, std::string>> changed;
    for (std::size_t i = 0; i < given; ++i) {
      if (from[i] >= given) {
        return refused(file_, name_, "leaves out an argument that would stand in front");
      }
      if (from[i] == i) continue;
      moved_effects += has_effect(words_[first_ + i]) ? 1 : 0;
      changed.emplace_back(list_.pieces[first_ + i],
                           edits_.changed(list_.pieces[first_ + from[i]]));
    }
    if (moved_effects > 0 && std::count_if(words_.begin(), words_.end(), has_effect) > 1) {
      note("computes its arguments in another order now");
    }
    for (auto& [span, words] : changed) edits_.edit(span, std::move(words));
    return {};
  }

 private:
  void put(const ListEdit& e) { edits_.edit(e.span, e.text); }
  void note(const std::string& what) {
    notes_.push_back(file_.path + ":" + std::to_string(file_.line_of(name_.begin) + 1) + " " +
                     what);
  }
  [[nodiscard]] Error unknown_length() const {
    return refused(file_, name_, "passes a list whose length is not known");
  }

  const NewSignature& s_;
  const SourceFile& file_;
  const ByteSpan name_;
  const ListPieces& list_;
  std::vector<std::string>& notes_;
  NestedEdits& edits_;
  const Language language_;
  std::vector<std::string_view> words_;
  std::size_t first_ = 0;       // Class.method(object, …): the object is passed too
  std::size_t positional_ = 0;  // how many stand by their place, the object left out
  bool spread_ = false, names_ = false, some_names_ = false;
};

}  // namespace

void NestedEdits::edit(ByteSpan span, std::string words) {
  if (span.size() > 0) {
    std::erase_if(edits_, [&](const TextEdit& e) { return inside(e.span, span); });
  }
  edits_.push_back({span, std::move(words), 0});
}

std::string NestedEdits::changed(ByteSpan span) const {
  std::vector<TextEdit> own;
  for (auto e : edits_) {
    if (!inside(e.span, span)) continue;
    e.span = {e.span.begin - span.begin, e.span.end - span.begin};
    own.push_back(std::move(e));
  }
  const auto words = piece_of(text_, span);
  auto out = apply_edits(words, own);
  return out ? *out : std::string(words);
}

Result<void> change_declaration(const NewSignature& s, const SourceFile& file, ByteSpan name,
                                const ListPieces& list, bool without_default, NestedEdits& edits) {
  const auto own = read_parameters(file.text, list, s.language);
  if (own.size() != s.known.size())
    return refused(file, name, "takes another number of parameters");
  const auto put = [&](const ListEdit& e) { edits.edit(e.span, e.text); };
  if (s.asked.kind == Instruction::kAddParameter) {
    auto words = s.asked.to;
    if (s.fresh.optional && without_default) {
      words = words.substr(0, words.find('='));
      while (words.ends_with(' ')) words.pop_back();
    }
    if (own.empty() && !list.pieces.empty()) {  // (void)
      edits.edit(list.pieces[0], words);
      return {};
    }
    keep_type(s, list, own, s.at, edits);
    put(with_piece(list, s.at, words));
    return {};
  }
  if (s.asked.kind == Instruction::kRemoveParameter) {
    if (has_type(own[s.at])) keep_type(s, list, own, s.at, edits);
    put(without_piece(list, s.at));
    return {};
  }
  for (std::size_t i = 0; i < own.size(); ++i) {
    // In Go a name may have its type from a later one.
    const auto& p = own[s.order[i]];
    const bool bare = s.language == Language::kGo && !has_type(p);
    const auto words = bare ? p.words + " " + p.type : p.words;
    if (words != own[i].words) edits.edit(list.pieces[i], words);
  }
  return {};
}

Result<void> change_call(const NewSignature& signature, const SourceFile& file, ByteSpan name,
                         const ListPieces& list, std::vector<std::string>& notes,
                         NestedEdits& edits) {
  Call call(signature, file, name, list, notes, edits);
  switch (signature.asked.kind) {
    case Instruction::kAddParameter:
      return call.add();
    case Instruction::kRemoveParameter:
      return call.remove();
    default:
      return call.reorder();
  }
}

}  // namespace ambit::daemon

// Moves a function or class from one module of CommonJS to another: the old module no longer
// exports it, the new one does, and everybody who required it requires it from there.
#include <algorithm>
#include <map>
#include <set>

#include "daemon/assists/refactor/common_js.h"
#include "daemon/assists/refactor/imports.h"
#include "daemon/assists/refactor/module_imports.h"
#include "daemon/assists/refactor/module_users.h"
#include "daemon/assists/refactor/move.h"
#include "daemon/assists/refactor/site_text.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;
using indexer::Snapshot;
using indexer::Symbol;
using indexer::SymbolKind;

namespace {

class CommonJsMover {
 public:
  CommonJsMover(const Snapshot& snapshot, const Symbol& symbol, std::string to, CommonJsFile from)
      : snapshot_(snapshot),
        symbol_(symbol),
        to_(std::move(to)),
        from_(std::move(from)),
        imports_(snapshot),
        order_(snapshot, imports_) {}

  Result<PlanStep> plan(std::stop_token stop) {
    if (snapshot_.file(to_)) {
      AMBIT_TRY(target, CommonJsFile::load(snapshot_, to_));
      target_ = std::move(target);
    }
    AMBIT_CHECK_OK(check_source());
    AMBIT_CHECK_OK(check_target());
    AMBIT_CHECK_OK(find_needs());
    AMBIT_CHECK_OK(change_source());
    for (const auto& info : snapshot_.files()) {
      if (stop.stop_requested()) return make_error(Code::kCancelled, "cancelled");
      if (info.path == symbol_.path || !script_family(info.language)) continue;
      const auto text = snapshot_.text(info.path);
      if (!text || !has_word(*text, symbol_.name)) continue;
      AMBIT_TRY(user, CommonJsFile::load(snapshot_, info.path));
      AMBIT_CHECK_OK(change_user(user));
    }
    AMBIT_CHECK_OK(check_circles());
    write_target();
    return edits_.take("move " + symbol_.name + " to " + to_);
  }

 private:
  [[nodiscard]] std::string_view text() const { return from_.source.text; }
  [[nodiscard]] std::string stop_of(const CommonJsFile& f) const { return f.semicolons ? ";" : ""; }
  void edit(const CommonJsFile& f, const ListEdit& e) { edits_.edit(f.source, e.span, e.text); }

  Result<void> check_source() {
    AMBIT_TRY(span, whole_lines(from_.source, symbol_, symbol_.span));
    span_ = span;
    const auto body = from_.source.slice(span_);
    for (const std::string_view word :
         {"__dirname", "__filename", "module", "exports", "arguments.callee"}) {
      if (has_word(body, word)) {
        return refusal(symbol_.path, symbol_.line,
                       "uses " + std::string(word) + ", which is another one elsewhere");
      }
    }
    for (const auto& i : from_.source.facts.imports) {
      const auto module = from_.source.slice(i.module);
      if (inside(i.statement, span_) && module.substr(1, 1) == "." &&
          folder_of_path(to_) != folder_of_path(symbol_.path)) {
        return refusal(symbol_.path, symbol_.line, "requires " + std::string(module) + " inside");
      }
    }
    if (from_.one_value && !from_.exports_name(symbol_.name) &&
        has_word(exported_value(), symbol_.name)) {
      return refusal(symbol_.path, symbol_.line,
                     "is what its module exports; move the file instead");
    }
    return {};
  }
  // What module.exports is, when it is no list of names.
  [[nodiscard]] std::string_view exported_value() const {
    for (const std::string_view words : {"module.exports = ", "exports = "}) {
      const auto at = text().find(words);
      if (at != std::string_view::npos)
        return text().substr(at + words.size(), text().find('\n', at) - at - words.size());
    }
    return {};
  }

  Result<void> check_target() const {
    if (!target_) return {};
    const auto& t = *target_;
    if (t.esm || (!t.exports && t.lines.empty())) {
      return no(to_ + " exports no names by module.exports");
    }
    if (from_.strict != t.strict && symbol_.kind != SymbolKind::kClass) {
      return no("only one of " + symbol_.path + " and " + to_ + " begins with 'use strict'");
    }
    for (const auto& d : t.source.facts.definitions) {
      const bool required = std::any_of(
          t.requires_.begin(), t.requires_.end(),
          [&](const JsRequire& r) { return inside(d.name, r.statement) && requires_source(t, r); });
      if (d.parent < 0 && t.source.slice(d.name) == symbol_.name && !required) {
        return refusal(to_, d.line, "defines " + symbol_.name + " already");
      }
    }
    return {};
  }
  [[nodiscard]] bool requires_source(const CommonJsFile& f, const JsRequire& r) const {
    return imports_.target(f.source.path, f.source.slice(r.module)) == symbol_.path;
  }

  // Names that a file has at its top: local name -> module that it is required from, "" for its
  // own.
  static std::map<std::string, std::string> names_of(const CommonJsFile& f,
                                                     const Imports& imports) {
    std::map<std::string, std::string> out;
    for (const auto& d : f.source.facts.definitions) {
      if (d.parent < 0) out[std::string(f.source.slice(d.name))] = "";
    }
    for (const auto& r : f.requires_) {
      const auto words = std::string(f.source.slice(r.module));
      const auto module = imports.target(f.source.path, words).value_or(words);
      if (!r.whole.empty()) out[r.whole] = module + "\n";
      if (!r.names) continue;
      for (const auto& e : r.names->entries) out[e.local] = module + "\n" + e.name;
    }
    return out;
  }

  Result<void> find_needs() {
    std::set<std::string> used;
    for (const auto& m : from_.source.facts.mentions) {
      if (!inside(m.span, span_)) continue;
      const bool member = m.span.begin > 0 && text()[m.span.begin - 1] == '.' &&
                          !text().substr(0, m.span.begin).ends_with("...");
      if (!member) used.emplace(from_.source.slice(m.span));
    }
    for (const auto& l : from_.source.facts.locals) {
      if (inside(l.name, span_)) used.erase(std::string(from_.source.slice(l.name)));
    }
    used.erase(symbol_.name);
    const auto here = names_of(from_, imports_);
    const auto there =
        target_ ? names_of(*target_, imports_) : std::map<std::string, std::string>();
    for (const auto& name : used) {
      const auto it = here.find(name);
      if (it == here.end()) {
        if (there.contains(name)) return no(to_ + " has " + name + " of its own");
        continue;
      }
      const auto break_at = it->second.find('\n');
      const bool own = it->second.empty();
      const auto module = own ? symbol_.path : it->second.substr(0, break_at);
      const auto wanted = own ? module + "\n" + name : it->second;
      if (module == to_) {
        if (!own && it->second.substr(break_at + 1) != name)
          return no("calls what is " + name + " there by another name");
        continue;
      }
      if (const auto other = there.find(name); other != there.end()) {
        if (other->second != wanted) return no(to_ + " has another " + name);
      } else if (own) {
        AMBIT_CHECK_OK(need_own(name));
      } else {
        AMBIT_CHECK_OK(need_required(name));
      }
      needed_.insert(module);
    }
    return {};
  }
  Result<void> need_own(const std::string& name) {
    const auto& all = from_.source.facts.definitions;
    const auto d = std::find_if(all.begin(), all.end(), [&](const indexer::Definition& o) {
      return o.parent < 0 && from_.source.slice(o.name) == name;
    });
    const auto words = from_.source.slice(d->span);
    if (words.starts_with("let ") || words.starts_with("var ")) {
      return refusal(symbol_.path, d->line, "may be set again, and " + symbol_.name + " uses it");
    }
    if (!from_.exports_name(name)) {
      return refusal(symbol_.path, d->line, "is not exported, and " + symbol_.name + " uses it");
    }
    AMBIT_TRY(module, module_words(to_, symbol_.path));
    head_.insert("const { " + name + " } = require(" + module + ")");
    return {};
  }
  Result<void> need_required(const std::string& name) {
    for (const auto& r : from_.requires_) {
      auto module = std::string(from_.source.slice(r.module));
      if (const auto target = imports_.target(symbol_.path, module)) {
        AMBIT_TRY(words, imports_.words_for(symbol_.path, *target, module, to_, *target));
        module = words;
      } else if (module.substr(1, 1) == "." &&
                 folder_of_path(to_) != folder_of_path(symbol_.path)) {
        if (r.whole == name || r.names)
          return no(symbol_.path + " requires " + module + ", which is not known");
      }
      if (r.whole == name) {
        head_.insert("const " + name + " = require(" + module + ")");
        return {};
      }
      if (!r.names) continue;
      for (const auto& e : r.names->entries) {
        if (e.local != name) continue;
        const auto as = e.name == name ? name : e.name + ": " + name;
        head_.insert("const { " + as + " } = require(" + module + ")");
        return {};
      }
    }
    return no("where " + name + " comes from is not known");
  }

  // `target` as `importer` names it, in the style of the old module.
  Result<std::string> module_words(const std::string& importer, const std::string& target) const {
    for (const auto& r : from_.requires_) {
      const auto words = from_.source.slice(r.module);
      const auto known = imports_.target(symbol_.path, words);
      if (known && !words.ends_with("index.js'")) {
        return imports_.words_for(symbol_.path, *known, words, importer, target);
      }
    }
    const auto quote = text().find("require(\"") != std::string_view::npos ? "\"" : "'";
    const auto near = folder_of_path(symbol_.path) + "none.js";
    return imports_.words_for(symbol_.path, near, std::string(quote) + "./none" + quote, importer,
                              target);
  }

  Result<void> change_source() {
    bool exported = false;
    if (from_.exports) {
      for (std::size_t n = 0; n < from_.exports->entries.size(); ++n) {
        const auto& e = from_.exports->entries[n];
        if (e.local != symbol_.name) continue;
        if (e.name != symbol_.name) return no(symbol_.path + " exports it as " + e.name);
        edit(from_, from_.exports->without(n));
        exported = true;
      }
    }
    for (const auto& line : from_.lines) {
      if (line.local != symbol_.name) continue;
      if (line.name != symbol_.name) return no(symbol_.path + " exports it as " + line.name);
      auto end = std::min(text().find('\n', line.statement.end), text().size() - 1) + 1;
      edits_.edit(from_.source, {line.statement.begin, static_cast<std::uint32_t>(end)}, "");
      exported = true;
    }
    bool used = false;
    for (const auto& m : from_.source.facts.mentions) {
      if (from_.source.slice(m.span) != symbol_.name || inside(m.span, span_)) continue;
      if (inside(m.span, from_.exports ? from_.exports->span : ByteSpan{})) continue;
      const bool line = std::any_of(from_.lines.begin(), from_.lines.end(),
                                    [&](const auto& l) { return inside(m.span, l.statement); });
      const bool member = m.span.begin > 0 && text()[m.span.begin - 1] == '.';
      used = used || (!line && !member);
    }
    if (!exported && !used)
      return refusal(symbol_.path, symbol_.line, "is used by nobody that this can see");
    if (used && needed_.contains(symbol_.path)) {
      return no(symbol_.path + " and " + to_ + " would need each other: " + symbol_.name +
                " uses names of its file, and is used there");
    }
    edits_.edit(from_.source, with_gap(from_.source, span_), "");
    if (used) {
      AMBIT_TRY(module, module_words(symbol_.path, to_));
      users_.insert(symbol_.path);
      const auto at = from_.behind_requires();
      const auto end = std::string(line_end_of(text()));
      edits_.edit(
          from_.source, {at, at},
          "const { " + symbol_.name + " } = require(" + module + ")" + stop_of(from_) + end);
    }
    return {};
  }

  Result<void> change_user(const CommonJsFile& f) {
    const auto refuse = [&](std::uint32_t at) {
      return refusal(f.source.path, f.source.line_of(at),
                     "reaches " + symbol_.name + " through its module");
    };
    if (const auto at = names_module_elsewhere(imports_, symbol_.path, f.source)) {
      return refusal(f.source.path, f.source.line_of(*at),
                     "names its module in a way that this cannot follow");
    }
    for (const auto& i : f.source.facts.imports) {
      if (imports_.target(f.source.path, f.source.slice(i.module)) != symbol_.path) continue;
      const auto r =
          std::find_if(f.requires_.begin(), f.requires_.end(),
                       [&](const JsRequire& one) { return inside(i.module, one.statement); });
      if (r == f.requires_.end() || !r->names) return refuse(i.statement.begin);
      for (std::size_t n = 0; n < r->names->entries.size(); ++n) {
        const auto& e = r->names->entries[n];
        if (e.local.empty()) return refuse(i.statement.begin);
        if (e.name != symbol_.name) continue;
        if (f.source.path != to_) users_.insert(f.source.path);
        if (f.source.path == to_ && e.local != e.name) return refuse(i.statement.begin);
        AMBIT_CHECK_OK(split(f, *r, n));
      }
    }
    return {};
  }
  Result<void> split(const CommonJsFile& f, const JsRequire& r, std::size_t n) {
    const auto& e = r.names->entries[n];
    std::string added;
    if (f.source.path != to_) {
      const auto words = f.source.slice(r.module);
      AMBIT_TRY(module, imports_.words_for(f.source.path, symbol_.path, words, f.source.path, to_));
      const auto as = e.name == e.local ? e.name : e.name + ": " + e.local;
      added = r.keyword + " { " + as + " } = require(" + module + ")" + stop_of(f);
    }
    const auto& all = f.source.text;
    const auto end = std::string(line_end_of(all));
    if (r.names->entries.size() == 1) {
      auto span = r.statement;
      if (added.empty())
        span.end =
            static_cast<std::uint32_t>(std::min(all.find('\n', span.end), all.size() - 1) + 1);
      edits_.edit(f.source, span, added);
      return {};
    }
    edit(f, r.names->without(n));
    if (!added.empty()) edits_.edit(f.source, {r.statement.end, r.statement.end}, end + added);
    return {};
  }

  // A module that is still being read has no names yet.
  Result<void> check_circles() {
    for (const auto& n : needed_) {
      if (n == to_ || order_.reaches(n, to_)) {
        return no(n + " requires " + to_ + ", which would have to require it for " + symbol_.name);
      }
    }
    for (const auto& user : users_) {
      const bool circle = order_.reaches(to_, user) ||
                          std::any_of(needed_.begin(), needed_.end(), [&](const auto& n) {
                            return n == user || order_.reaches(n, user);
                          });
      if (circle) return no(user + " would have to require " + to_ + ", which requires it");
    }
    return {};
  }

  void write_target() {
    const auto words = std::string(from_.source.slice(span_));
    const auto stop = stop_of(target_ ? *target_ : from_);
    std::string head;
    if (!target_) {
      for (const auto& line : head_) head += line + stop + "\n";
      edits_.create(to_, (from_.strict ? "'use strict'" + stop + "\n\n" : "") + head +
                             (head.empty() ? "" : "\n") + with_line_ends(words, "\n") +
                             "\nmodule.exports = { " + symbol_.name + " }" + stop + "\n");
      return;
    }
    const auto& t = *target_;
    const auto end = std::string(line_end_of(t.source.text));
    for (const auto& line : head_) head += line + stop + end;
    const auto at = t.behind_requires();
    if (!head.empty()) edits_.edit(t.source, {at, at}, head);
    const auto place = t.exports_statement.begin;
    auto before = with_line_ends(words, end) + end;
    if (t.exports) {
      edit(t, t.exports->with(t.source.text, symbol_.name));
    } else {
      before += t.lines[0].object + "." + symbol_.name + " = " + symbol_.name + stop + end;
    }
    edits_.edit(t.source, {place, place}, before);
  }

  const Snapshot& snapshot_;
  const Symbol& symbol_;
  const std::string to_;
  const CommonJsFile from_;
  std::optional<CommonJsFile> target_;
  const Imports imports_;
  ReadOrder order_;
  ByteSpan span_;
  std::set<std::string> head_;            // what the new home requires
  std::set<std::string> needed_, users_;  // modules that the new home requires, and who requires it
  FileEdits edits_;
};

}  // namespace

Result<PlanStep> plan_common_js_move(const Snapshot& snapshot, const Symbol& symbol,
                                     const std::string& to, std::stop_token stop) {
  AMBIT_TRY(from, CommonJsFile::load(snapshot, symbol.path));
  if (!from.is_common_js()) return plan_module_move(snapshot, symbol, to, stop);
  return CommonJsMover(snapshot, symbol, to, std::move(from)).plan(stop);
}

}  // namespace ambit::daemon

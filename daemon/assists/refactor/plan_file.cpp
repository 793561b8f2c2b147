// The plan as TOML.
#include <array>
#include <charconv>
#include <cstdio>

#include "daemon/assists/refactor/plan.h"
#include "daemon/toml.h"

namespace ambit::daemon {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxFiles = 20'000;
constexpr std::size_t kMaxPlaces = 1'000'000;

// A basic string; over several lines where the text has some.
std::string toml_string(std::string_view text) {
  const bool lines = text.find('\n') != std::string_view::npos;
  std::string out = lines ? "\"\"\"\n" : "\"";
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if ((c == '\n' && lines) || c == '\t') {
      out += c;
    } else if (u < 0x20 || u == 0x7F) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04X", u);
      out += code.data();
    } else {
      out += c;
    }
  }
  return out + (lines ? "\"\"\"" : "\"");
}

std::string place(const PlanSite& s) {
  auto out = std::to_string(s.line) + ":" + std::to_string(s.column);
  if (!s.form.empty()) out += " " + s.form;
  if (!s.note.empty()) out += " " + s.note;
  return out;
}

void places(std::string& out, std::string_view key, const std::vector<PlanSite>& sites) {
  if (sites.empty()) return;
  out += std::string(key) + " = [";
  const bool notes = !sites.front().note.empty();
  for (std::size_t i = 0; i < sites.size(); ++i) {
    out += i == 0 ? "" : ",";
    out += notes ? "\n  " : i % 10 == 9 ? "\n  " : i == 0 ? "" : " ";
    out += toml_string(place(sites[i]));
  }
  out += notes ? "\n]\n" : "]\n";
}

Error wrong(const std::string& what) {
  return make_error(Code::kInvalidArgument, "the plan is not one: " + what);
}

Result<PlanSite> parse_place(std::string_view text) {
  PlanSite out;
  const auto colon = text.find(':');
  const auto blank = text.find(' ');
  const auto number = [](std::string_view digits, std::uint32_t& value) {
    const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return r.ec == std::errc() && r.ptr == digits.data() + digits.size() && value > 0;
  };
  const auto column =
      text.substr(std::min(text.size(), colon + 1),
                  blank == std::string_view::npos ? std::string_view::npos : blank - colon - 1);
  if (colon == std::string_view::npos || (blank != std::string_view::npos && blank < colon) ||
      !number(text.substr(0, colon), out.line) || !number(column, out.column)) {
    return wrong("'" + std::string(text.substr(0, 40)) + "' is no LINE:COLUMN");
  }
  if (blank != std::string_view::npos) {
    auto rest = text.substr(blank + 1);
    for (const std::string_view form : {"keep-key", "keep-value"}) {
      if (rest == form || rest.starts_with(std::string(form) + " ")) {
        out.form = form;
        rest.remove_prefix(std::min(rest.size(), form.size() + 1));
      }
    }
    out.note = rest;
  }
  return out;
}

std::string text_of(const toml::table& t, std::string_view key) {
  return t[key].value_or(std::string());
}

}  // namespace

std::string to_toml(const Plan& p) {
  std::string out =
      "# A plan of `ambit refactor`. Read it, edit it, commit it; then `ambit refactor preview` "
      "and\n# `ambit refactor apply`. What stands under `unsure` is not changed: move a place to "
      "`change`\n# to have it changed, or remove places, files and steps that should stay.\n";
  out += "version = 1\nid = " + toml_string(p.id) +
         "\ninstruction = " + toml_string(p.instruction) + "\ntree = " + toml_string(p.tree) + "\n";
  if (!p.notes.empty()) {
    out += "notes = [";
    for (const auto& n : p.notes) out += "\n  " + toml_string(n) + ",";
    out += "\n]\n";
  }
  for (const auto& s : p.steps) {
    out += "\n[[step]]\ntitle = " + toml_string(s.title) +
           "\nby = " + (s.author == PlanAuthor::kModel ? "\"model\"" : "\"index\"") + "\n";
    if (!s.old_name.empty()) {
      out += "old = " + toml_string(s.old_name) + "\nnew = " + toml_string(s.new_name) +
             "\ncomments = " + (s.with_comments ? "true" : "false") +
             "\nstrings = " + (s.with_strings ? "true" : "false") + "\n";
    }
    if (s.dropped) out += "dropped = true\nreason = " + toml_string(s.reason) + "\n";
    for (const auto& f : s.files) {
      out += "\n[[step.file]]\npath = " + toml_string(f.path) + "\n";
      if (!f.blob.empty()) out += "blob = " + toml_string(f.blob) + "\n";
      places(out, "change", f.change);
      places(out, "unsure", f.unsure);
      places(out, "in_comments", f.comments);
      places(out, "in_strings", f.strings);
      if (f.create) out += "create = " + toml_string(*f.create) + "\n";
      if (f.remove) out += "remove = true\n";
      if (!f.from.empty()) out += "from = " + toml_string(f.from) + "\n";
      for (const auto& e : f.edits) {
        out += "\n[[step.file.edit]]\n";
        if (e.at) out += "at = " + toml_string(place(*e.at)) + "\n";
        out += "old = " + toml_string(e.old_text) + "\nnew = " + toml_string(e.new_text) + "\n";
      }
    }
  }
  return out;
}

Result<Plan> parse_plan(std::string_view text) {
  if (text.size() > kMaxBytes) return wrong("it is larger than 64 MiB");
  toml::table all;
  try {
    all = toml::parse(text);
  } catch (const toml::parse_error& e) {
    return wrong("line " + std::to_string(e.source().begin.line) + ": " +
                 std::string(e.description()));
  }
  if (all["version"].value_or(0) != 1) return wrong("version = 1 is missing");
  Plan out;
  out.id = text_of(all, "id");
  if (out.id.size() > 64 ||
      out.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
    return wrong("its id may hold a-z, 0-9 and - only");
  }
  out.instruction = text_of(all, "instruction");
  out.tree = text_of(all, "tree");
  if (const auto* notes = all["notes"].as_array()) {
    for (const auto& n : *notes) out.notes.push_back(n.value_or(std::string()));
  }
  std::size_t files = 0, total = 0;
  const auto* steps = all["step"].as_array();
  if (steps == nullptr) return out;
  for (const auto& one : *steps) {
    const auto* s = one.as_table();
    if (s == nullptr) return wrong("[[step]] is expected");
    PlanStep step;
    step.title = text_of(*s, "title");
    step.author = text_of(*s, "by") == "model" ? PlanAuthor::kModel : PlanAuthor::kIndex;
    step.old_name = text_of(*s, "old");
    step.new_name = text_of(*s, "new");
    step.with_comments = (*s)["comments"].value_or(false);
    step.with_strings = (*s)["strings"].value_or(false);
    step.dropped = (*s)["dropped"].value_or(false);
    step.reason = text_of(*s, "reason");
    if (const auto* list = (*s)["file"].as_array()) {
      for (const auto& entry : *list) {
        const auto* f = entry.as_table();
        if (f == nullptr) return wrong("[[step.file]] is expected");
        if (++files > kMaxFiles) return wrong("it names more than 20000 files");
        PlanFile file;
        file.path = text_of(*f, "path");
        AMBIT_CHECK_OK(check_path(file.path));
        file.blob = text_of(*f, "blob");
        const auto read = [&](std::string_view key, std::vector<PlanSite>& sites) -> Result<void> {
          const auto* array = (*f)[key].as_array();
          if (array == nullptr) return {};
          for (const auto& p : *array) {
            if (++total > kMaxPlaces) return wrong("it names more than a million places");
            AMBIT_TRY(site, parse_place(p.value_or(std::string())));
            sites.push_back(std::move(site));
          }
          return {};
        };
        AMBIT_CHECK_OK(read("change", file.change));
        AMBIT_CHECK_OK(read("unsure", file.unsure));
        AMBIT_CHECK_OK(read("in_comments", file.comments));
        AMBIT_CHECK_OK(read("in_strings", file.strings));
        if (auto content = (*f)["create"].value<std::string>()) file.create = std::move(*content);
        file.remove = (*f)["remove"].value_or(false);
        file.from = text_of(*f, "from");
        if (const auto* edits = (*f)["edit"].as_array()) {
          for (const auto& item : *edits) {
            const auto* e = item.as_table();
            if (e == nullptr) return wrong("[[step.file.edit]] is expected");
            if (++total > kMaxPlaces) return wrong("it names more than a million places");
            PlanEdit edit;
            if (auto at = (*e)["at"].value<std::string>()) {
              AMBIT_TRY(site, parse_place(*at));
              edit.at = std::move(site);
            }
            edit.old_text = text_of(*e, "old");
            edit.new_text = text_of(*e, "new");
            file.edits.push_back(std::move(edit));
          }
        }
        step.files.push_back(std::move(file));
      }
    }
    out.steps.push_back(std::move(step));
  }
  return out;
}

}  // namespace ambit::daemon

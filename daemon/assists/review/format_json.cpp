// The outputs for programs: our own JSON, rdjson.
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/assists/review/format.h"

namespace ambit::daemon::review {
namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json range_json(const Range& r) {
  return {{"start", {{"line", r.line + 1}, {"column", r.column + 1}}},
          {"end", {{"line", r.end_line + 1}, {"column", r.end_column + 1}}}};
}

Json edits_json(const Fix& fix) {
  Json edits = Json::array();
  for (const auto& e : fix.edits) {
    edits.push_back({{"path", e.path}, {"range", range_json(e.range)}, {"text", e.text}});
  }
  return edits;
}

Json rd_diagnostic(const Finding& f) {
  const char* const kSeverity[] = {"INFO", "WARNING", "ERROR"};
  Json d{{"message", f.explanation.empty() ? f.message : f.message + "\n" + f.explanation},
         {"location", {{"path", f.path}, {"range", range_json(f.range)}}},
         {"severity", kSeverity[static_cast<std::size_t>(f.severity)]},
         {"source", {{"name", "ambit"}}},
         {"code", {{"value", f.rule}}}};
  if (f.fix) {
    Json suggestions = Json::array();
    for (const auto& e : f.fix->edits) {
      if (e.path == f.path)
        suggestions.push_back({{"range", range_json(e.range)}, {"text", e.text}});
    }
    if (!suggestions.empty()) d["suggestions"] = std::move(suggestions);
  }
  if (!f.related.empty()) {
    Json related = Json::array();
    for (const auto& r : f.related) {
      related.push_back({{"message", r.message},
                         {"location", {{"path", r.path}, {"range", range_json(r.range)}}}});
    }
    d["relatedLocations"] = std::move(related);
  }
  return d;
}

}  // namespace

std::string format_json(const Report& report) {
  Json findings = Json::array();
  std::map<std::string, int> counts{{"error", 0}, {"warning", 0}, {"info", 0}};
  for (const auto& f : report.findings) {
    ++counts[std::string(to_string(f.severity))];
    Json j{{"rule", f.rule},
           {"severity", to_string(f.severity)},
           {"origin", f.origin == Origin::kFact ? "fact" : "model"},
           {"path", f.path},
           {"range", range_json(f.range)},
           {"message", f.message},
           {"explanation", f.explanation},
           {"symbol", f.symbol},
           {"snippet", f.snippet},
           {"fingerprint", f.fingerprint},
           {"confidence", f.confidence}};
    Json related = Json::array();
    for (const auto& r : f.related) {
      related.push_back({{"path", r.path}, {"range", range_json(r.range)}, {"message", r.message}});
    }
    j["related"] = std::move(related);
    j["fix"] = f.fix ? Json{{"title", f.fix->title}, {"edits", edits_json(*f.fix)}} : Json();
    findings.push_back(std::move(j));
  }
  return dumped({{"findings", std::move(findings)},
                 {"summary",
                  {{"change", report.change},
                   {"files", report.files},
                   {"added", report.added},
                   {"removed", report.removed},
                   {"error", counts["error"]},
                   {"warning", counts["warning"]},
                   {"info", counts["info"]},
                   {"suppressed", report.suppressed},
                   {"model", report.model_used ? Json(report.model) : Json()},
                   {"notes", report.notes}}}},
                2);
}

std::string format_rdjson(const Report& report) {
  Json diagnostics = Json::array();
  for (const auto& f : report.findings) diagnostics.push_back(rd_diagnostic(f));
  return dumped({{"source", {{"name", "ambit"}}}, {"diagnostics", std::move(diagnostics)}}, 2);
}

std::string format_rdjsonl(const Report& report) {
  std::string out;
  for (const auto& f : report.findings) out += dumped(rd_diagnostic(f), -1);
  return out;
}

}  // namespace ambit::daemon::review

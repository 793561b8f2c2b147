#include "inference/remote/prompt_parts.h"

namespace ambit::inference::remote {

namespace {

struct Segment {
  TokenId special = -1;  // or text
  std::string text;
};

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

bool is_markup(const Tokenizer& tokenizer, TokenId id) {
  const auto& s = tokenizer.special();
  return tokenizer.is_special(id) || id == s.think || id == s.end_think || id == s.dsml ||
         id == s.user || id == s.assistant || id == s.fim_begin || id == s.fim_hole ||
         id == s.fim_end;
}

std::vector<Segment> segments(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  std::vector<Segment> out;
  for (std::size_t i = 0; i < ids.size();) {
    if (is_markup(tokenizer, ids[i])) {
      out.push_back({ids[i], std::string(tokenizer.token_bytes(ids[i]))});
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < ids.size() && !is_markup(tokenizer, ids[end])) ++end;
    out.push_back({-1, without_markup(tokenizer.decode(ids.subspan(i, end - i)))});
    i = end;
  }
  return out;
}

// begin, text?, hole, text?, end after any text: prefix, suffix, middle.
bool read_fim(const SpecialTokens& s, const std::vector<Segment>& all, PromptParts& out) {
  std::string* into = &out.context;
  int stage = 0;
  for (const auto& segment : all) {
    if (segment.special < 0) {
      if (stage == 3)
        return false;  // text after the end: suffix-first order, which none of
                       // these servers has a field for
      *into += segment.text;
    } else if (stage == 0 && segment.special == s.fim_begin) {
      into = &out.prefix;
      stage = 1;
    } else if (stage == 1 && segment.special == s.fim_hole) {
      into = &out.suffix;
      stage = 2;
    } else if (stage == 2 && segment.special == s.fim_end) {
      stage = 3;
    } else {
      return false;
    }
  }
  return stage == 3;
}

bool read_conversation(const SpecialTokens& s, const std::vector<Segment>& all, PromptParts& out) {
  Turn turn{"system", "", ""};
  bool reasoning = false, asked = false;
  const auto close = [&] {
    if (!turn.content.empty() || !turn.reasoning.empty()) out.turns.push_back(turn);
    turn = {};
    reasoning = false;
  };
  for (const auto& segment : all) {
    if (segment.special == s.user) {
      close();
      turn.role = "user";
      asked = true;
    } else if (segment.special == s.assistant) {
      close();
      turn.role = "assistant";
    } else if (segment.special == s.think) {
      reasoning = true;
    } else if (segment.special == s.end_think) {
      reasoning = false;
    } else if (segment.special == s.eos) {
      continue;
    } else {
      (reasoning ? turn.reasoning : turn.content) += segment.text;
    }
  }
  out.thinking = reasoning;
  const bool open = turn.role == "assistant" && turn.content.empty() && turn.reasoning.empty();
  return asked && open;
}

}  // namespace

std::string without_markup(std::string_view text) {
  std::string out(text);
  replace_all(out, "<｜", "<|");
  replace_all(out, "｜DSML｜", "|DSML|");
  replace_all(out, "<think>", "<think >");
  replace_all(out, "</think>", "</think >");
  return out;
}

PromptParts take_apart(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  PromptParts out;
  const auto& special = tokenizer.special();
  if (!ids.empty() && ids[0] == special.bos) {
    out.bos = true;
    ids = ids.subspan(1);
  }
  const auto all = segments(tokenizer, ids);
  for (const auto& segment : all) out.markup += segment.text;
  if (read_fim(special, all, out)) {
    out.kind = PromptParts::Kind::kFim;
  } else if (read_conversation(special, all, out)) {
    out.kind = PromptParts::Kind::kConversation;
  } else {
    out.turns.clear();
  }
  return out;
}

}  // namespace ambit::inference::remote

#include "inference/engine/grammar.h"

#include <algorithm>
#include <set>

#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {

GrammarVocabulary::GrammarVocabulary(const Tokenizer& tokenizer)
    : size_(static_cast<std::size_t>(tokenizer.vocab_size())) {
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    if (!bytes.empty() && !tokenizer.is_special(id)) tokens_.push_back({bytes, id, 0});
  }
  std::sort(tokens_.begin(), tokens_.end(),
            [](const Token& a, const Token& b) { return a.bytes < b.bytes; });
  for (std::size_t i = 1; i < tokens_.size(); ++i) {
    const std::string_view a = tokens_[i - 1].bytes;
    const std::string_view b = tokens_[i].bytes;
    const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    tokens_[i].shared = static_cast<std::uint32_t>(end.first - a.begin());
  }
}

GrammarMatcher::GrammarMatcher(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)) {
  std::vector<Stack> stacks;
  bool can_end = false;
  for (const std::uint32_t p : grammar_->rules_[grammar_->root_]) expand({p}, stacks, can_end);
  state_ = static_cast<std::size_t>(intern(std::move(stacks), can_end));
}

// Adds the ways in which `stack` can go on by a byte.
void GrammarMatcher::expand(Stack stack, std::vector<Stack>& out, bool& can_end) const {
  std::vector<Stack> open;
  open.push_back(std::move(stack));
  std::set<Stack> seen;  // rules that may be empty come to the same place on many ways
  while (!open.empty() && out.size() < kMostStacks) {
    Stack s = std::move(open.back());
    open.pop_back();
    while (!s.empty() && grammar_->elements_[s.back()].kind == Grammar::Element::kEnd) s.pop_back();
    if (!seen.insert(s).second) continue;
    if (s.empty()) {
      can_end = true;
      continue;
    }
    const Grammar::Element e = grammar_->elements_[s.back()];
    if (e.kind == Grammar::Element::kBytes) {
      out.push_back(std::move(s));
      continue;
    }
    // Nothing left behind the rule: its own end is ours, and repetitions do not pile up.
    if (grammar_->elements_[++s.back()].kind == Grammar::Element::kEnd) s.pop_back();
    if (s.size() >= kDeepest) continue;
    for (const std::uint32_t p : grammar_->rules_[e.index]) {
      Stack next = s;
      next.push_back(p);
      open.push_back(std::move(next));
    }
  }
}

std::int32_t GrammarMatcher::intern(std::vector<Stack> stacks, bool can_end) {
  if (stacks.empty() && !can_end) return kDead;
  std::sort(stacks.begin(), stacks.end());
  stacks.erase(std::unique(stacks.begin(), stacks.end()), stacks.end());
  const auto [it, added] =
      known_.try_emplace({stacks, can_end}, static_cast<std::int32_t>(states_.size()));
  if (added) {
    states_.push_back({std::move(stacks), can_end, {}});
    states_.back().next.fill(kUnknown);
  }
  return it->second;
}

std::int32_t GrammarMatcher::step(std::int32_t state, std::uint8_t byte) {
  const auto at = static_cast<std::size_t>(state);
  if (states_[at].next[byte] != kUnknown) return states_[at].next[byte];
  std::vector<Stack> stacks;
  bool can_end = false;
  for (const Stack& s : states_[at].stacks) {
    if (!grammar_->sets_[grammar_->elements_[s.back()].index].test(byte)) continue;
    Stack next = s;
    ++next.back();
    expand(std::move(next), stacks, can_end);
  }
  const std::int32_t to = intern(std::move(stacks), can_end);
  states_[at].next[byte] = to;
  return to;
}

bool GrammarMatcher::allows_anything() {
  if (!can_end()) return false;
  for (int byte = 0; byte < 256; ++byte) {
    if (step(static_cast<std::int32_t>(state_), static_cast<std::uint8_t>(byte)) !=
        static_cast<std::int32_t>(state_)) {
      return false;
    }
  }
  return true;
}

bool GrammarMatcher::accept(std::string_view bytes) {
  auto state = static_cast<std::int32_t>(state_);
  for (const char c : bytes) {
    state = step(state, static_cast<std::uint8_t>(c));
    if (state == kDead) return false;
  }
  state_ = static_cast<std::size_t>(state);
  if (states_.size() > kMostStates) {
    // Start the collection afresh from here.
    State here = std::move(states_[state_]);
    states_.clear();
    known_.clear();
    state_ = static_cast<std::size_t>(intern(std::move(here.stacks), here.can_end));
  }
  return true;
}

std::string GrammarMatcher::forced(std::size_t most) {
  std::string out;
  auto state = static_cast<std::int32_t>(state_);
  while (out.size() < most) {
    const State& here = states_[static_cast<std::size_t>(state)];
    std::bitset<256> may;
    for (const Stack& s : here.stacks) may |= grammar_->sets_[grammar_->elements_[s.back()].index];
    if (here.can_end || may.count() != 1) break;
    out += static_cast<char>(may._Find_first());
    state = step(state, static_cast<std::uint8_t>(out.back()));
    if (state == kDead) break;
  }
  return out;
}

bool GrammarMatcher::allowed(const GrammarVocabulary& vocabulary, std::vector<std::uint8_t>& out) {
  out.assign(vocabulary.size_, 0);
  // State behind each byte of the token at hand; tokens that begin alike share the way.
  std::vector<std::int32_t> path = {static_cast<std::int32_t>(state_)};
  bool any = false;
  for (const auto& token : vocabulary.tokens_) {
    path.resize(std::min<std::size_t>(path.size(), token.shared + 1));
    while (path.back() != kDead && path.size() <= token.bytes.size()) {
      path.push_back(step(path.back(), static_cast<std::uint8_t>(token.bytes[path.size() - 1])));
    }
    if (path.back() == kDead || path.size() <= token.bytes.size()) continue;
    out[static_cast<std::size_t>(token.id)] = 1;
    any = true;
  }
  return any;
}

}  // namespace ambit::inference

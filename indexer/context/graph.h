// Who refers to whom, in a form that ranks quickly: files and names as small integers, definitions
// and uses as flat arrays, edges in compressed sparse rows.
//
// Built from a Snapshot without unsaved buffers; update() reads only files whose blob id changed.
// Not thread-safe; the packer guards it. File numbers follow path order, so that sums run in the
// same order on every machine and results are equal to the bit.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "indexer/context/lookup.h"
#include "indexer/index.h"

namespace ambit::indexer::context {

using WordId = std::uint32_t;  // of the words that names are made of
inline constexpr FileNumber kNoFile = 0xFFFFFFFF;

struct Definition {
  NameId name = 0;
  SymbolKind kind = SymbolKind::kFunction;
  bool exported = true;
  std::uint16_t bytes = 0;  // of its line in an outline
  std::uint32_t line = 0;
  std::uint32_t end_line = 0;
  std::uint32_t symbol = 0;  // index into Snapshot::symbols_in(path) of the same blob
};

struct Use {
  NameId name = 0;
  std::uint32_t count = 0;
};

// What one file contributes. Immutable once made; shared between graphs of successive snapshots.
struct FileFacts {
  BlobId blob;
  bool test = false;                    // a file of tests, by its path
  std::vector<Definition> definitions;  // in file order
  std::vector<Use> uses;  // by name id, ascending; definitions of the same file included
};

class SymbolGraph {
 public:
  // Returns false when stopped half-way; the graph then stays as it was.
  bool update(const Snapshot& snapshot, std::stop_token stop);

  // Another one whenever something changed.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::size_t file_count() const { return paths_.size(); }
  [[nodiscard]] const std::string& path(FileNumber f) const { return paths_[f]; }
  [[nodiscard]] const FileFacts& facts(FileNumber f) const { return *facts_[f]; }
  [[nodiscard]] FileNumber find(std::string_view path) const;
  [[nodiscard]] NameId find_name(std::string_view name) const;  // kNoName when never seen
  [[nodiscard]] const std::string& name(NameId id) const { return *names_[id]; }
  [[nodiscard]] std::size_t name_count() const { return names_.size(); }
  static constexpr NameId kNoName = 0xFFFFFFFF;

  struct Definer {
    FileNumber file = 0;
    std::uint32_t definition = 0;  // index into facts(file).definitions
  };
  // Every definition of the name, by file number then position.
  [[nodiscard]] std::span<const Definer> definers(NameId name) const;
  // Number of files that use the name.
  [[nodiscard]] std::uint32_t users(NameId name) const {
    return name < users_.size() ? users_[name] : 0;
  }

  // Those files, ascending.
  [[nodiscard]] std::span<const FileNumber> users_of(NameId name) const {
    if (name + 1 >= user_begin_.size()) return {};
    return std::span(users_of_).subspan(user_begin_[name],
                                        user_begin_[name + 1] - user_begin_[name]);
  }
  // 1: nobody uses the name, 0: every file does; in orders of magnitude.
  [[nodiscard]] float rarity(NameId name) const { return rarity_[name]; }
  // The logarithm of how many define the name; of names without definers 0.
  [[nodiscard]] float crowd(NameId name) const { return crowd_[name]; }
  // Says by itself what it is: long, or of several words.
  [[nodiscard]] bool distinctive(NameId name) const { return distinctive_[name] != 0; }

  static constexpr WordId kNoWord = 0xFFFFFFFF;
  [[nodiscard]] WordId find_word(const std::string& word) const;  // in lower case
  // What split_words() makes of the name.
  [[nodiscard]] std::span<const WordId> words_of(NameId name) const {
    return std::span(name_words_)
        .subspan(word_begin_[name], word_begin_[name + 1] - word_begin_[name]);
  }
  // Names with definers that have the word, ascending; one that has it twice stands there twice.
  [[nodiscard]] std::span<const NameId> names_with(WordId word) const {
    return std::span(with_word_)
        .subspan(with_begin_[word], with_begin_[word + 1] - with_begin_[word]);
  }
  [[nodiscard]] std::size_t defined_names() const { return defined_names_; }

  // Questions about names and paths; what they mean: lookup.h.
  [[nodiscard]] std::vector<NameId> names_from(std::string_view beginning) const {
    return lookup_.names_from(beginning, names_);
  }
  [[nodiscard]] std::vector<FileNumber> files_called(std::string_view stem) const {
    return lookup_.files_called(stem, paths_);
  }
  [[nodiscard]] const std::vector<std::string>& folders() const { return lookup_.folders(); }
  [[nodiscard]] std::uint32_t folder_of(FileNumber f) const { return lookup_.folder_of(f); }

  // Personalised PageRank over files: a file passes rank to the files that define what it uses.
  // `seeds` [file_count] is the restart distribution (any scale; all zero means uniform).
  // Files that are reached with next to nothing pass nothing on, so that in a large tree the work
  // is that of the part around the seeds.
  [[nodiscard]] std::vector<float> rank(const std::vector<float>& seeds) const;

  // Weight with which one use of `name` pulls, whoever uses it: rare and telling names pull more.
  [[nodiscard]] float name_weight(NameId name) const { return name_weight_[name]; }

 private:
  NameId intern(std::string_view name);
  void build_edges();
  void index_words();

  std::uint64_t version_ = 0;
  Lookup lookup_;
  std::vector<std::string> paths_;                       // sorted
  std::vector<std::shared_ptr<const FileFacts>> facts_;  // by file number
  std::unordered_map<std::string, NameId> name_ids_;
  std::vector<const std::string*> names_;  // keys of name_ids_
  std::unordered_map<std::string, WordId> word_ids_;
  std::vector<std::uint32_t> word_begin_{0};  // [names + 1]
  std::vector<WordId> name_words_;
  std::vector<std::uint32_t> with_begin_;  // [words + 1]
  std::vector<NameId> with_word_;
  std::size_t defined_names_ = 0;
  std::vector<std::uint32_t> definer_begin_;  // [names + 1]
  std::vector<Definer> definers_;
  std::vector<std::uint32_t> users_;       // [names]
  std::vector<std::uint32_t> user_begin_;  // [names + 1]
  std::vector<FileNumber> users_of_;
  std::vector<float> name_weight_, rarity_, crowd_;  // [names]
  std::vector<char> distinctive_;                    // [names]
  std::vector<std::uint32_t> edge_begin_;            // [files + 1]
  std::vector<FileNumber> edge_to_;
  std::vector<float> edge_weight_;  // normalised: each row sums to 1 or is empty
};

// Lower-case parts of an identifier: "parseHTTPHeader_v2" -> parse http header v2. Appends to out.
void split_words(std::string_view identifier, std::vector<std::string>& out);

}  // namespace ambit::indexer::context

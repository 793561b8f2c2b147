#include "inference/weights/safetensors_header.h"

#include <nlohmann/json.hpp>

namespace ambit::inference {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kDeepest = 8;
constexpr std::size_t kMostDimensions = 8;

// Keeps count of the depth: 1 inside the outermost object. Each handler returns whether to go on.
class Reader : public nlohmann::json_sax<Json> {
 public:
  std::string read(std::string_view json, std::string_view what) {
    const bool whole = Json::sax_parse(json, this);
    if (!problem_.empty()) return problem_;
    return whole ? std::string() : std::string(what) + " is not JSON";
  }

  bool null() override { return scalar(nullptr, nullptr); }
  bool boolean(bool) override { return scalar(nullptr, nullptr); }
  bool number_integer(number_integer_t) override { return scalar(nullptr, nullptr); }
  bool number_unsigned(number_unsigned_t v) override {
    const std::uint64_t n = v;
    return scalar(&n, nullptr);
  }
  bool number_float(number_float_t, const string_t&) override { return scalar(nullptr, nullptr); }
  bool string(string_t& s) override { return scalar(nullptr, &s); }
  bool binary(binary_t&) override { return scalar(nullptr, nullptr); }
  bool start_object(std::size_t) override { return start(/*object=*/true); }
  bool start_array(std::size_t) override { return start(/*object=*/false); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
    return false;
  }

 protected:
  // number, text: what the value is; null when it is neither an unsigned integer nor a string.
  virtual bool scalar(const std::uint64_t* number, const std::string* text) = 0;
  virtual bool opened(bool object) = 0;  // depth() counts the new one
  virtual bool closed() = 0;             // depth() does not count it any more
  [[nodiscard]] std::size_t depth() const { return depth_; }
  bool fail(std::string why) {
    problem_ = std::move(why);
    return false;
  }

 private:
  bool start(bool object) {
    if (++depth_ > kDeepest) return fail("its JSON is nested too deeply");
    return opened(object);
  }
  bool end() {
    --depth_;
    return closed();
  }

  std::size_t depth_ = 0;
  std::string problem_;
};

class HeaderReader final : public Reader {
 public:
  explicit HeaderReader(
      const std::function<std::string(const std::string&, const HeaderEntry&)>& entry)
      : give_(entry) {}

 private:
  bool key(string_t& k) override {
    if (depth() == 1) {
      name_ = k;
      entry_ = {};
      seen_ = 0;
    } else if (depth() == 2) {
      field_ = k == "dtype"          ? kDtype
               : k == "shape"        ? kShape
               : k == "data_offsets" ? kOffsets
                                     : kNone;
      seen_ |= field_;
    }
    return true;
  }
  bool scalar(const std::uint64_t* number, const std::string* text) override {
    if (depth() == 0) return fail("the header is not JSON of tensors");
    if (depth() == 1) return is_metadata() || give();
    if (depth() == 2 && field_ == kDtype && text != nullptr) entry_.dtype = *text;
    if (depth() != 3) return true;
    auto& list = field_ == kShape ? entry_.shape : entry_.data_offsets;
    if ((field_ & (kShape | kOffsets)) == 0 || !list) return true;
    if (list->size() == kMostDimensions) return fail("a tensor has a shape of too many dimensions");
    if (number == nullptr) {
      list.reset();
    } else {
      list->push_back(*number);
    }
    return true;
  }
  bool opened(bool object) override {
    if (depth() == 1) return object || fail("the header is not JSON of tensors");
    if (depth() == 2 && !object && !is_metadata()) return give();
    if (depth() == 3 && !object && field_ == kShape) entry_.shape.emplace();
    if (depth() == 3 && !object && field_ == kOffsets) entry_.data_offsets.emplace();
    if (depth() > 3) (field_ == kShape ? entry_.shape : entry_.data_offsets).reset();
    return true;
  }
  bool closed() override { return depth() != 1 || is_metadata() || give(); }

  [[nodiscard]] bool is_metadata() const { return name_ == "__metadata__"; }
  bool give() {
    entry_.complete = seen_ == (kDtype | kShape | kOffsets);
    std::string complaint = give_(name_, entry_);
    return complaint.empty() || fail(std::move(complaint));
  }

  enum Field : unsigned { kNone = 0, kDtype = 1, kShape = 2, kOffsets = 4 };
  const std::function<std::string(const std::string&, const HeaderEntry&)>& give_;
  std::string name_;
  HeaderEntry entry_;
  unsigned field_ = 0;
  unsigned seen_ = 0;
};

class IndexReader final : public Reader {
 public:
  explicit IndexReader(
      const std::function<std::string(const std::string&, const std::string&)>& pair)
      : give_(pair) {}
  [[nodiscard]] bool found() const { return found_; }

 private:
  bool key(string_t& k) override {
    if (depth() == 1) inside_ = k == "weight_map";
    if (depth() == 2) name_ = k;
    return true;
  }
  bool scalar(const std::uint64_t*, const std::string* text) override {
    if (!inside_ || depth() != 2) return true;
    if (text == nullptr) return bad();
    std::string complaint = give_(name_, *text);
    return complaint.empty() || fail(std::move(complaint));
  }
  bool opened(bool object) override {
    if (depth() == 2 && inside_) found_ = object;
    return depth() < 3 || !inside_ || bad();
  }
  bool closed() override { return true; }
  bool bad() { return fail("weight_map holds more than names of tensors and files"); }

  const std::function<std::string(const std::string&, const std::string&)>& give_;
  std::string name_;
  bool inside_ = false;
  bool found_ = false;
};

}  // namespace

std::string read_header(
    std::string_view json,
    const std::function<std::string(const std::string&, const HeaderEntry&)>& entry) {
  HeaderReader reader(entry);
  return reader.read(json, "the header");
}

std::string read_index(
    std::string_view json,
    const std::function<std::string(const std::string&, const std::string&)>& pair) {
  IndexReader reader(pair);
  std::string problem = reader.read(json, "the index");
  if (problem.empty() && !reader.found()) problem = "there is no weight_map";
  return problem;
}

}  // namespace ambit::inference

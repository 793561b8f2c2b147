// Server-sent events (WHATWG HTML, section 9.2), as model servers stream their answers. Fed with
// bytes as they arrive, cut anywhere; gives the `data` of each event, several data lines joined
// by LF. Comments, `event`, `id` and `retry` fields are skipped. Bounded: the sender is a stranger.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "daemon/support/result.h"

namespace ambit::inference::remote {

class EventStream {
 public:
  static constexpr std::size_t kMaxEventBytes = std::size_t{1} << 20;

  // Calls on_data for each event that is now whole; on_data returns false to stop. False when it
  // did. kResourceExhausted when one event or line grows beyond kMaxEventBytes.
  [[nodiscard]] Result<bool> push(std::string_view bytes,
                                  const std::function<bool(std::string_view)>& on_data);

 private:
  // True when the line ended an event that has data.
  bool take_line(std::string_view line);
  std::string line_;
  std::string data_;
  bool has_data_ = false;
  bool after_cr_ = false;  // a LF that comes first belongs to the CR before it
};

}  // namespace ambit::inference::remote

#include "inference/device/step_rows.h"

#include <algorithm>

namespace ambit::inference {

namespace cuda = ops::cuda;

RowArrays reserve_rows(StepUpload& up, std::span<const Segment> segments) {
  RowArrays a;
  for (const Segment& s : segments) {
    a.rows += s.count;
    a.longest = std::max(a.longest, s.start + static_cast<std::int64_t>(s.count));
  }
  a.ids = up.reserve<std::int32_t>(a.rows);
  a.segment_of = up.reserve<std::int32_t>(a.rows);
  a.positions = up.reserve<std::int64_t>(a.rows);
  a.segments = up.reserve<cuda::SegmentRef>(segments.size());
  return a;
}

DeviceRows fill_rows(const StepUpload& up, const RowArrays& a, std::span<const Segment> segments,
                     std::span<const StepUpload::Array<cuda::PageRef>> pages) {
  DeviceRows out;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& s = segments[i];
    up.host(a.segments)[i] = {up.device(pages[i]),
                              s.start,
                              s.first_position,
                              static_cast<std::int32_t>(s.row),
                              static_cast<std::int32_t>(s.count),
                              s.mutual ? 1 : 0};
    out.mutual = s.mutual;
    for (std::size_t r = 0; r < s.count; ++r) {
      const std::int64_t position = s.start + static_cast<std::int64_t>(r);
      up.host(a.ids)[s.row + r] = s.cache->token(position);
      up.host(a.segment_of)[s.row + r] = static_cast<std::int32_t>(i);
      up.host(a.positions)[s.row + r] = position;
    }
  }
  out.rows.ids = up.device(a.ids);
  out.rows.segment_of = up.device(a.segment_of);
  out.rows.positions = up.device(a.positions);
  out.rows.segments = up.device(a.segments);
  out.rows.rows = a.rows;
  // Of small steps in whole thousands, so that many in a row are the same launches: blocks that
  // find nothing to do leave at once.
  out.longest = a.rows <= kRecordedRows ? (a.longest + 1023) / 1024 * 1024 : a.longest;
  return out;
}

}  // namespace ambit::inference

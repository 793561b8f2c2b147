// Which tokens a step computes, in the arrays that its kernels read.
#pragma once

#include <span>

#include "inference/device/device_step.h"
#include "inference/device/step_upload.h"

namespace ambit::inference {

// A step of no more rows than this may be recorded (step_graphs.h).
inline constexpr std::size_t kRecordedRows = 8;

// The rows of some segments of a step.
struct RowArrays {
  StepUpload::Array<std::int32_t> ids, segment_of;
  StepUpload::Array<std::int64_t> positions;
  StepUpload::Array<ops::cuda::SegmentRef> segments;
  std::size_t rows = 0;
  std::int64_t longest = 0;
};

[[nodiscard]] RowArrays reserve_rows(StepUpload& up, std::span<const Segment> segments);

// pages: one array a segment.
[[nodiscard]] DeviceRows fill_rows(const StepUpload& up, const RowArrays& a,
                                   std::span<const Segment> segments,
                                   std::span<const StepUpload::Array<ops::cuda::PageRef>> pages);

}  // namespace ambit::inference

#include "load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace safawinet::bench {

void Histogram::record(std::uint64_t nanoseconds) {
  const std::uint64_t value = std::min(nanoseconds, std::uint64_t{1} << kHighestBit);
  ++buckets_[bucket_of(value)];
  ++count_;
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) buckets_[bucket] += other.buckets_[bucket];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double Histogram::mean() const { return count_ == 0 ? 0.0 : sum_ / static_cast<double>(count_); }

std::uint64_t Histogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  const double exact = std::ceil(static_cast<double>(count_) * percent / 100.0);
  const std::uint64_t wanted = std::clamp(static_cast<std::uint64_t>(exact), std::uint64_t{1}, count_);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) return std::min(end_of(bucket), max_);
  }
  return max_;
}

// Below 128 a bucket is one value; above, the power of two chooses 128 buckets and the next seven bits one of them.
std::size_t Histogram::bucket_of(std::uint64_t value) {
  if (value < kBucketsPerPower) return value;
  const std::size_t shift = static_cast<std::size_t>(std::bit_width(value)) - kLinearBits - 1;
  return kBucketsPerPower * shift + (value >> shift);
}

std::uint64_t Histogram::end_of(std::size_t bucket) {
  if (bucket < 2 * kBucketsPerPower) return bucket;
  const std::size_t shift = bucket / kBucketsPerPower - 1;
  const std::uint64_t start = (bucket - kBucketsPerPower * shift) << shift;
  return start + (std::uint64_t{1} << shift) - 1;
}

}  // namespace safawinet::bench

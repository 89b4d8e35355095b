#include "observe/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace safawinet {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TEST(Metrics, figures_are_asked_for_when_the_page_is) {
  Metrics metrics;
  double hashes = 3;
  metrics.add(Metrics::Kind::gauge, "safawinet_hashes", "Hashes running.", [&hashes] { return hashes; });
  metrics.add(Metrics::Kind::counter, "safawinet_verifications_total", "Verified.", "result",
              [] { return std::vector<Metrics::Sample>{{"ok", 5}, {"mismatch", 7}}; });
  EXPECT_THAT(metrics.text(), AllOf(HasSubstr("# HELP safawinet_hashes Hashes running.\n"),
                                    HasSubstr("# TYPE safawinet_hashes gauge\n"), HasSubstr("\nsafawinet_hashes 3\n"),
                                    HasSubstr("# TYPE safawinet_verifications_total counter\n"),
                                    HasSubstr("safawinet_verifications_total{result=\"ok\"} 5\n"),
                                    HasSubstr("safawinet_verifications_total{result=\"mismatch\"} 7\n")));
  hashes = 4;
  EXPECT_THAT(metrics.text(), HasSubstr("\nsafawinet_hashes 4\n"));
}

TEST(Metrics, a_label_cannot_break_out_of_its_quotes) {
  Metrics metrics;
  metrics.add(Metrics::Kind::gauge, "safawinet_x", "X.", "label",
              [] { return std::vector<Metrics::Sample>{{"a\"b\\c\nd", 1}}; });
  EXPECT_THAT(metrics.text(), HasSubstr(R"(safawinet_x{label="a\"b\\c\nd"} 1)"));
}

TEST(RequestMetrics, counts_by_route_and_class_of_status_and_leaves_out_what_nobody_asked_for) {
  RequestMetrics requests({"GET /a", "POST /b"});
  EXPECT_THAT(requests.figures(), IsEmpty());
  requests.count(0, 1, 200, milliseconds(1));
  requests.count(1, 1, 204, milliseconds(1));
  requests.count(99, 1, 503, milliseconds(1));
  const auto figures = requests.figures();
  ASSERT_THAT(figures, SizeIs(1));
  EXPECT_EQ(figures[0].route, "POST /b");
  EXPECT_EQ(figures[0].by_status_class[2], 2U);
  EXPECT_EQ(figures[0].by_status_class[5], 1U);
  EXPECT_NEAR(figures[0].sum_seconds, 0.003, 1e-9);
}

TEST(RequestMetrics, what_matched_no_route_has_a_row_of_its_own) {
  RequestMetrics requests({"GET /a"});
  requests.count(0, static_cast<std::size_t>(-1), 404, seconds(0));
  requests.count(0, 1, 999, seconds(0));
  const auto figures = requests.figures();
  ASSERT_THAT(figures, SizeIs(1));
  EXPECT_EQ(figures[0].route, "none");
  EXPECT_EQ(figures[0].by_status_class[4], 1U);
  EXPECT_EQ(figures[0].by_status_class[5], 1U);
}

TEST(RequestMetrics, a_duration_counts_in_the_first_bucket_that_is_not_below_it) {
  RequestMetrics requests({"GET /a"});
  requests.count(0, 0, 200, microseconds(500));
  requests.count(0, 0, 200, microseconds(501));
  requests.count(0, 0, 200, seconds(5));
  requests.count(0, 0, 200, seconds(6));
  const auto figures = requests.figures();
  EXPECT_EQ(figures[0].buckets[0], 1U);
  EXPECT_EQ(figures[0].buckets[1], 1U);
  EXPECT_EQ(figures[0].buckets[11], 1U);
  EXPECT_EQ(figures[0].buckets[12], 1U);
}

TEST(RequestMetrics, the_page_has_a_cumulative_histogram) {
  RequestMetrics requests({"GET /a"});
  requests.count(0, 0, 200, microseconds(400));
  requests.count(0, 0, 200, milliseconds(30));
  requests.count(0, 0, 500, seconds(60));
  Metrics metrics;
  metrics.add(requests);
  const auto text = metrics.text();
  EXPECT_THAT(text, AllOf(HasSubstr(R"(safawinet_http_requests_total{route="GET /a",status="2xx"} 2)"),
                          HasSubstr(R"(safawinet_http_requests_total{route="GET /a",status="5xx"} 1)"),
                          HasSubstr(R"(safawinet_http_request_duration_seconds_bucket{route="GET /a",le="0.0005"} 1)"),
                          HasSubstr(R"(safawinet_http_request_duration_seconds_bucket{route="GET /a",le="0.05"} 2)"),
                          HasSubstr(R"(safawinet_http_request_duration_seconds_bucket{route="GET /a",le="5"} 2)"),
                          HasSubstr(R"(safawinet_http_request_duration_seconds_bucket{route="GET /a",le="+Inf"} 3)"),
                          HasSubstr(R"(safawinet_http_request_duration_seconds_count{route="GET /a"} 3)")));
  EXPECT_THAT(text, Not(HasSubstr("1xx")));
}

TEST(RequestMetrics, nothing_is_lost_when_many_threads_count) {
  RequestMetrics requests({"GET /a"});
  std::vector<std::thread> threads;
  for (std::size_t shard = 0; shard < 4; ++shard) {
    threads.emplace_back([&requests, shard] {
      for (int i = 0; i < 10'000; ++i) requests.count(shard % 2, 0, 200, microseconds(1));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(requests.figures()[0].by_status_class[2], 40'000U);
}

}  // namespace
}  // namespace safawinet

#include "api/call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/pages_api.hpp"
#include "base/testing.hpp"

namespace safawinet::api {
namespace {

using ::testing::SizeIs;

class CallTest : public ::testing::Test {
 protected:
  Call call(std::string_view query, std::vector<http::Field> fields = {}) {
    request_.query = query;
    request_.fields = std::move(fields);
    return {
        .request = request_, .request_id = "r-1", .client = IpAddress::parse("198.51.100.23").value(), .caller = {}};
  }
  static std::string fault_of(const auto& result) {
    if (result) return "none";
    EXPECT_EQ(result.error().code, ErrorCode::invalid_fields);
    return result.error().fields.at(0).pointer + " " + result.error().fields.at(0).code;
  }

  http::Request request_;
};

TEST_F(CallTest, a_query_parameter_is_decoded) {
  const auto one = call("a=1&name=Ada+Lovelace%20%26%20%C3%A4&empty=&bare");
  EXPECT_EQ(one.query("a").value(), "1");
  EXPECT_EQ(one.query("name").value(), "Ada Lovelace & \xC3\xA4");
  EXPECT_EQ(one.query("empty").value(), "");
  EXPECT_EQ(one.query("bare").value(), "");
  EXPECT_EQ(one.query("nam").value(), std::nullopt);
  EXPECT_EQ(one.query("NAME").value(), std::nullopt);
  EXPECT_EQ(call("").query("a").value(), std::nullopt);
}

TEST_F(CallTest, the_last_of_repeated_parameters_counts) {
  EXPECT_EQ(call("a=1&a=2&&a=3&").query("a").value(), "3");
  EXPECT_EQ(call("a=b=c").query("a").value(), "b=c");
}

TEST_F(CallTest, a_malformed_parameter_is_refused_by_name) {
  for (const auto* query : {"q=%", "q=%4", "q=%zz", "q=a%2", "q=%00", "q=a%00b", "q=%ff", "q=%c3", "q=\xC3("}) {
    EXPECT_EQ(fault_of(call(query).query("q")), "?q invalid") << query;
  }
  EXPECT_EQ(call("q=%41").query("q").value(), "A");
  EXPECT_EQ(call("q=ok&other=%").query("q").value(), "ok");
}

TEST_F(CallTest, a_page_has_fifty_items_unless_asked_otherwise) {
  const auto page = page_of<UserId>(call(""));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->limit, 50);
  EXPECT_FALSE(page->before);
  EXPECT_EQ(page_of<UserId>(call("limit=1"))->limit, 1);
  EXPECT_EQ(page_of<UserId>(call("limit=200"))->limit, 200);
}

TEST_F(CallTest, a_limit_that_is_no_whole_number_from_1_to_200_is_refused) {
  for (const auto* query : {"limit=0", "limit=201", "limit=-1", "limit=+5", "limit=5.0", "limit=1e2", "limit=", "limit",
                            "limit=5x", "limit=0x5", "limit=99999999999999999999"}) {
    EXPECT_EQ(fault_of(page_of<UserId>(call(query))), "?limit out-of-range") << query;
  }
}

TEST_F(CallTest, a_cursor_leads_back_to_the_last_item_of_its_page) {
  struct Item {
    UserId id;
  };
  testing::ManualClock clock;
  testing::SeededRandom random;
  std::vector<Item> items;
  for (int i = 0; i < 4; ++i) items.push_back({UserId::make(clock, random)});
  const auto last = items[2].id;
  const auto cursor = cut_page(items, 3);
  ASSERT_TRUE(cursor);
  EXPECT_THAT(items, SizeIs(3));
  const auto query = "cursor=" + *cursor;
  EXPECT_EQ(page_of<UserId>(call(query))->before, last);
  EXPECT_EQ(cut_page(items, 3), std::nullopt) << "a page that is not full is the last";
  EXPECT_THAT(items, SizeIs(3));
}

TEST_F(CallTest, a_cursor_that_no_page_gave_is_refused) {
  for (const auto* query : {"cursor=", "cursor=nonsense", "cursor=AAAA", "cursor=AAAAAAAAAAAAAAAAAAAAAA%3D%3D",
                            "cursor=00000000-0000-7000-8000-000000000000"}) {
    EXPECT_EQ(fault_of(page_of<UserId>(call(query))), "?cursor invalid") << query;
  }
}

TEST_F(CallTest, a_path_parameter_that_is_no_id_names_nothing) {
  auto one = call("");
  one.parameters = {"nonsense", "018f0000-0000-7000-8000-000000000001"};
  EXPECT_EQ(one.id<UserId>(0).error().code, ErrorCode::not_found);
  EXPECT_EQ(one.id<UserId>(1)->text(), "018f0000-0000-7000-8000-000000000001");
}

TEST_F(CallTest, an_origin_has_the_client_its_network_and_a_printable_user_agent_of_bounded_length) {
  const auto plain = call("", {{"user-agent", "curl/8"}}).origin();
  EXPECT_EQ(plain.ip_address, "198.51.100.23");
  EXPECT_EQ(plain.network, "198.51.100.0/24");
  EXPECT_EQ(plain.user_agent, "curl/8");
  EXPECT_EQ(plain.request_id, "r-1");
  EXPECT_EQ(call("").origin().user_agent, "");
  EXPECT_EQ(call("", {{"User-Agent", "a\x1b[31m\tb\x7f\xFF"}}).origin().user_agent, "a?[31m?b??");
  const std::string long_one(5000, 'x');
  EXPECT_THAT(call("", {{"User-Agent", long_one}}).origin().user_agent, SizeIs(400));
}

TEST(FormValue, reads_what_a_form_sends) {
  const std::string_view body = "token=sf_ev_x&newPassword=a+b%26c%3D&empty=";
  EXPECT_EQ(form_value(body, "token"), "sf_ev_x");
  EXPECT_EQ(form_value(body, "newPassword"), "a b&c=");
  EXPECT_EQ(form_value(body, "empty"), "");
  EXPECT_EQ(form_value(body, "absent"), std::nullopt);
  EXPECT_EQ(form_value("token=%zz", "token"), std::nullopt);
  EXPECT_EQ(form_value("", "token"), std::nullopt);
}

TEST(EscapeHtml, leaves_nothing_that_means_something_in_text_or_attributes) {
  EXPECT_EQ(escape_html("plain text \xC3\xA4"), "plain text \xC3\xA4");
  EXPECT_EQ(escape_html(R"(<script>alert("x")</script>)"), "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
  EXPECT_EQ(escape_html("a' onclick='b&amp;"), "a&#39; onclick=&#39;b&amp;amp;");
  EXPECT_EQ(escape_html(""), "");
}

}  // namespace
}  // namespace safawinet::api

#include "base/address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace safawinet {
namespace {

std::string text_of(std::string_view text) {
  const auto address = IpAddress::parse(text);
  return address ? address->text() : "none";
}

TEST(IpAddress, ReadsBothFamiliesAndWritesThemCanonically) {
  EXPECT_EQ(text_of("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(text_of("2001:DB8:0:0::1"), "2001:db8::1");
  EXPECT_EQ(text_of("::"), "::");
}

TEST(IpAddress, HoldsMappedAddressesAsIPv4) {
  EXPECT_EQ(text_of("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(IpAddress::parse("::ffff:192.0.2.1"), IpAddress::parse("192.0.2.1"));
  EXPECT_FALSE(IpAddress::parse("::ffff:192.0.2.1")->is_v6);
}

TEST(IpAddress, RefusesWhatIsNoAddress) {
  for (const std::string_view text : {"", "192.0.2", "192.0.2.256", "192.0.02.1", "192.0.2.1 ", "1", "0x7f.1", "::1%lo",
                                      "[::1]", "2001:db8::1::2", "192.0.2.1:80", "example.org"}) {
    EXPECT_EQ(text_of(text), "none") << text;
  }
  EXPECT_EQ(text_of(std::string_view("192.0.2.1\0", 10)), "none");
}

TEST(IpAddress, BelongsToTheNetworkOfItsClient) {
  EXPECT_EQ(IpAddress::parse("192.0.2.77")->client_network(), "192.0.2.0/24");
  EXPECT_EQ(IpAddress::parse("::ffff:192.0.2.77")->client_network(), "192.0.2.0/24");
  EXPECT_EQ(IpAddress::parse("2001:db8:1:2ff::5")->client_network(), "2001:db8:1:200::/56");
}

TEST(IpNetwork, ContainsItsAddressesAndNoOthers) {
  const auto ten = IpNetwork::parse("10.0.0.0/8").value();
  EXPECT_TRUE(ten.contains(*IpAddress::parse("10.255.0.1")));
  EXPECT_TRUE(ten.contains(*IpAddress::parse("::ffff:10.1.2.3")));
  EXPECT_FALSE(ten.contains(*IpAddress::parse("11.0.0.0")));
  EXPECT_FALSE(ten.contains(*IpAddress::parse("a00::")));
  const auto odd = IpNetwork::parse("2001:db8:8000::/33").value();
  EXPECT_TRUE(odd.contains(*IpAddress::parse("2001:db8:ffff::1")));
  EXPECT_FALSE(odd.contains(*IpAddress::parse("2001:db8:7fff::1")));
  const auto everything = IpNetwork::parse("0.0.0.0/0").value();
  EXPECT_TRUE(everything.contains(*IpAddress::parse("203.0.113.9")));
  EXPECT_FALSE(everything.contains(*IpAddress::parse("::1")));
}

TEST(IpNetwork, TakesABareAddressAsABlockOfOne) {
  const auto one = IpNetwork::parse("192.0.2.7").value();
  EXPECT_EQ(one.text(), "192.0.2.7/32");
  EXPECT_TRUE(one.contains(*IpAddress::parse("192.0.2.7")));
  EXPECT_FALSE(one.contains(*IpAddress::parse("192.0.2.6")));
  EXPECT_EQ(IpNetwork::parse("2001:db8::7")->text(), "2001:db8::7/128");
}

TEST(IpNetwork, ReadsMappedBlocksAsIPv4) {
  EXPECT_EQ(IpNetwork::parse("::ffff:10.0.0.0/104")->text(), "10.0.0.0/8");
  EXPECT_FALSE(IpNetwork::parse("::ffff:0.0.0.0/95"));
}

TEST(IpNetwork, RefusesWhatIsNoBlock) {
  for (const std::string_view text : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/+8",
                                      "10.0.0.0/8 ", "10.0.0.0/-1", "/8", "2001:db8::1/64", "2001:db8::/129", "10/8"}) {
    EXPECT_FALSE(IpNetwork::parse(text)) << text;
  }
}

TEST(IpNetwork, AnyOfSeveralContains) {
  const std::vector<IpNetwork> networks = {*IpNetwork::parse("10.0.0.0/8"), *IpNetwork::parse("::1")};
  EXPECT_TRUE(any_contains(networks, *IpAddress::parse("::1")));
  EXPECT_FALSE(any_contains(networks, *IpAddress::parse("192.0.2.1")));
  EXPECT_FALSE(any_contains({}, *IpAddress::parse("192.0.2.1")));
}

}  // namespace
}  // namespace safawinet

#include "base/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace safawinet {

enum class Colour { red, deep_blue, delete_ };
BOOST_DESCRIBE_ENUM(Colour, red, deep_blue, delete_)

struct Address {
  std::string street_name;
  std::int64_t number{};
};
BOOST_DESCRIBE_STRUCT(Address, (), (street_name, number))

struct Everything {
  std::string plain_text;
  bool is_on{};
  int small{};
  std::int64_t large{};
  double real{};
  std::optional<std::string> maybe_text;
  std::vector<Address> addresses;
  Colour colour{};
  SecretText secret;
  Time created_at;
  UserId user_id;
  boost::json::value anything;
  BoundedText<2, 5> bounded;
};
BOOST_DESCRIBE_STRUCT(Everything, (),
                      (plain_text, is_on, small, large, real, maybe_text, addresses, colour, secret, created_at,
                       user_id, anything, bounded))

struct Patch {
  std::optional<std::optional<std::string>> name;
  std::optional<BoundedText<1, 3>> title;
};
BOOST_DESCRIBE_STRUCT(Patch, (), (name, title))

template <class Item>
struct Page {
  std::vector<Item> items;
  std::optional<std::string> next_cursor;
  BOOST_DESCRIBE_CLASS(Page, (), (items, next_cursor), (), ())
};

struct Nothing {};
BOOST_DESCRIBE_STRUCT(Nothing, (), ())

// Has no empty state, as a type that is parsed at the edge should.
class Even {
 public:
  explicit Even(int value) : value_(value) {}
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};
template <>
struct JsonType<Even> {
  static std::expected<Even, FieldError> decode(const boost::json::value& value) {
    const auto number = JsonType<int>::decode(value);
    if (!number) return std::unexpected(number.error());
    if (*number % 2 != 0) return bad_value("odd", "must be even");
    return Even(*number);
  }
  static void encode(std::string& out, const Even& even) { append_json(out, even.value()); }
  static boost::json::object schema() { return {{"type", "integer"}, {"multipleOf", 2}}; }
};

struct EvenPair {
  Even first;
  std::vector<Even> others;
};
BOOST_DESCRIBE_STRUCT(EvenPair, (), (first, others))

struct Number {
  std::uint64_t wide{};
  std::uint8_t byte{};
};
BOOST_DESCRIBE_STRUCT(Number, (), (wide, byte))

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

boost::json::value parsed(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text << ": " << (value ? "" : value.error().detail.text);
  return value ? *std::move(value) : nullptr;
}

std::string refusal_of(std::string_view text) {
  const auto value = parse_json(text);
  if (value) return "accepted";
  EXPECT_EQ(value.error().code, ErrorCode::unreadable_request);
  return value.error().detail.text;
}

// The errors of a decoding as "pointer code".
template <class T>
std::vector<std::string> errors_of(std::string_view text) {
  const auto decoded = from_json<T>(parsed(text));
  if (decoded) return {"accepted"};
  EXPECT_EQ(decoded.error().code, ErrorCode::invalid_fields);
  std::vector<std::string> errors;
  for (const auto& field : decoded.error().fields) {
    EXPECT_FALSE(field.detail.empty());
    errors.push_back(field.pointer + " " + field.code);
  }
  return errors;
}

TEST(ParseJson, AcceptsEveryKindOfValue) {
  EXPECT_EQ(parsed(R"( {"a":[1,-2,3.5,true,false,null,"x\u00e9\ud83d\ude00"],"b":{}} )"),
            boost::json::parse(R"({"a":[1,-2,3.5,true,false,null,"xé😀"],"b":{}})"));
  EXPECT_EQ(parsed("18446744073709551615"), boost::json::value(std::uint64_t{18446744073709551615U}));
  EXPECT_EQ(parsed(R"({"":""})").as_object().size(), 1U);
}

TEST(ParseJson, RefusesMalformedText) {
  for (const auto* text : {"",       " ",       "{",   "[1,]",     "{\"a\":1,}", "{a:1}",   "'a'",
                           "01",     "+1",      ".5",  "1.",       "nul",        "[1 2]",   "\"a",
                           "\"\t\"", "\"\\x\"", "NaN", "Infinity", "/**/1",      "{\"a\"}", "\xEF\xBB\xBF{}"}) {
    EXPECT_THAT(refusal_of(text), HasSubstr("at byte")) << text;
  }
}

TEST(ParseJson, RefusesWhatFollowsTheValue) {
  EXPECT_THAT(refusal_of("{} x"), HasSubstr("at byte 3"));
  EXPECT_THAT(refusal_of("{}{}"), HasSubstr("at byte 2"));
}

TEST(ParseJson, RefusesDuplicateNames) {
  EXPECT_THAT(refusal_of(R"({"a":1,"b":2,"a":3})"), HasSubstr("same name twice"));
  EXPECT_THAT(refusal_of(R"({"x":{"a":1,"\u0061":3}})"), HasSubstr("same name twice"));
  EXPECT_THAT(refusal_of(R"([{"a":1},{"":1,"":2}])"), HasSubstr("same name twice"));
}

TEST(ParseJson, AcceptsOneNameInSeveralObjects) {
  EXPECT_EQ(refusal_of(R"({"a":{"a":{"a":1},"b":[{"a":1},{"a":2}]},"b":1})"), "accepted");
}

TEST(ParseJson, RefusesNulCharacters) {
  EXPECT_THAT(refusal_of(R"({"a":"x\u0000y"})"), HasSubstr("NUL"));
  EXPECT_THAT(refusal_of(R"({"x\u0000":1})"), HasSubstr("NUL"));
  EXPECT_THAT(refusal_of(R"(["\u0000"])"), HasSubstr("NUL"));
  EXPECT_NE(refusal_of(std::string_view("\"\0\"", 3)), "accepted");
}

TEST(ParseJson, RefusesLoneSurrogates) {
  for (const auto* text : {R"("\ud83d")", R"("\ud83dx")", R"("\ude00")", R"("\ud83d\ud83d")", R"({"\ud83d":1})"}) {
    EXPECT_NE(refusal_of(text), "accepted") << text;
  }
}

TEST(ParseJson, RefusesInvalidUtf8) {
  for (const auto* text :
       {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "{\"\xff\":1}"}) {
    EXPECT_NE(refusal_of(text), "accepted") << text;
  }
}

TEST(ParseJson, RefusesMoreThan32Levels) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(refusal_of(nested(kJsonDepthLimit)), "accepted");
  EXPECT_NE(refusal_of(nested(kJsonDepthLimit + 1)), "accepted");
  EXPECT_NE(refusal_of(nested(100'000)), "accepted");
}

TEST(TextIn, IsEmptyWhereThereIsNoText) {
  const auto json = parse_json(R"({"text":"\u00e9","number":1,"nothing":null})").value().get_object();
  EXPECT_EQ(text_in(json, "text"), "\xC3\xA9");
  EXPECT_EQ(text_in(json, "number"), "");
  EXPECT_EQ(text_in(json, "nothing"), "");
  EXPECT_EQ(text_in(json, "other"), "");
}

TEST(ParseJson, ReadsDoublesExactly) {
  for (const auto* text : {"18446744370446744370707451615", "0.1", "1.7976931348623157e308", "5e-324",
                           "-2.2250738585072014E-308", "123456789012345678901234567890.5"}) {
    EXPECT_EQ(parsed(text).as_double(), std::strtod(text, nullptr)) << text;
  }
  EXPECT_EQ(parsed("1e-999").as_double(), 0.0);
  EXPECT_EQ(parsed("[1,2.5,3,4.5]"), (boost::json::array{1, 2.5, 3, 4.5}));
}

TEST(ParseJson, RefusesNumbersBeyondADouble) {
  EXPECT_THAT(refusal_of("1e999"), HasSubstr("at byte"));
  EXPECT_THAT(refusal_of("[-1e400]"), HasSubstr("at byte"));
  EXPECT_EQ(refusal_of("1e300"), "accepted");
}

constexpr std::string_view kEverything =
    R"({"plainText":"a\"b\\\n","isOn":true,"small":-7,"large":9007199254740993,"real":1.5,"maybeText":null,)"
    R"("addresses":[{"streetName":"Rue é","number":1}],"colour":"deep-blue","secret":"hush",)"
    R"("createdAt":"2026-11-24T20:25:53.000001Z","userId":"01890a5d-ac96-774b-bcce-b302099a8057","anything":[{"x":1}],)"
    R"("bounded":"abc"})";

TEST(FromJson, DecodesEveryMemberType) {
  const auto decoded = from_json<Everything>(parsed(kEverything));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->plain_text, "a\"b\\\n");
  EXPECT_TRUE(decoded->is_on);
  EXPECT_EQ(decoded->small, -7);
  EXPECT_EQ(decoded->large, 9007199254740993);
  EXPECT_EQ(decoded->real, 1.5);
  EXPECT_FALSE(decoded->maybe_text);
  ASSERT_EQ(decoded->addresses.size(), 1U);
  EXPECT_EQ(decoded->addresses[0].street_name, "Rue é");
  EXPECT_EQ(decoded->colour, Colour::deep_blue);
  EXPECT_EQ(decoded->secret.reveal(), "hush");
  EXPECT_EQ(to_rfc3339(decoded->created_at), "2026-11-24T20:25:53.000001Z");
  EXPECT_EQ(decoded->user_id.text(), "01890a5d-ac96-774b-bcce-b302099a8057");
  EXPECT_EQ(decoded->anything, parsed(R"([{"x":1}])"));
  EXPECT_EQ(decoded->bounded.value, "abc");
}

TEST(FromJson, ReportsEveryMissingMember) {
  EXPECT_THAT(errors_of<Everything>("{}"),
              ElementsAre("/plainText required", "/isOn required", "/small required", "/large required",
                          "/real required", "/addresses required", "/colour required", "/secret required",
                          "/createdAt required", "/userId required", "/anything required", "/bounded required"));
}

TEST(FromJson, ReportsEveryWrongType) {
  EXPECT_THAT(errors_of<Everything>(R"({"plainText":1,"isOn":"true","small":"1","large":[],"real":{},"maybeText":false,
                  "addresses":{},"colour":1,"secret":null,"createdAt":0,"userId":[],"anything":null,"bounded":true})"),
              ElementsAre("/plainText wrong-type", "/isOn wrong-type", "/small wrong-type", "/large wrong-type",
                          "/real wrong-type", "/maybeText wrong-type", "/addresses wrong-type", "/colour wrong-type",
                          "/secret wrong-type", "/createdAt wrong-type", "/userId wrong-type", "/bounded wrong-type"));
}

TEST(FromJson, SaysWhatWasExpectedAndWhatCame) {
  const auto decoded = from_json<std::vector<std::string>>(parsed(R"(["a",1,null])"));
  ASSERT_FALSE(decoded);
  ASSERT_EQ(decoded.error().fields.size(), 2U);
  EXPECT_EQ(decoded.error().fields[0].detail, "must be a string, not a number");
  EXPECT_EQ(decoded.error().fields[1].detail, "must be a string, not null");
}

TEST(FromJson, PointsIntoNestedValues) {
  EXPECT_THAT(
      errors_of<Page<Address>>(
          R"({"items":[{"streetName":"a","number":1},{"streetName":2},3,{"streetName":"b","number":1,"a~/b":0}]})"),
      ElementsAre("/items/1/streetName wrong-type", "/items/1/number required", "/items/2 wrong-type",
                  "/items/3/a~0~1b unknown-field"));
}

TEST(FromJson, RefusesUnknownMembersByName) {
  const auto decoded = from_json<Address>(parsed(R"({"streetName":"a","number":1,"street_name":"b"})"));
  ASSERT_FALSE(decoded);
  ASSERT_EQ(decoded.error().fields.size(), 1U);
  EXPECT_EQ(decoded.error().fields[0].pointer, "/street_name");
  EXPECT_EQ(decoded.error().fields[0].detail, "is not known here; known fields: streetName, number");
  EXPECT_THAT(errors_of<Nothing>(R"({"a":1})"), ElementsAre("/a unknown-field"));
}

TEST(FromJson, RefusesABodyThatIsNoObject) {
  for (const auto* text : {"1", "null", "[]", "\"a\"", "true"}) {
    EXPECT_THAT(errors_of<Address>(text), ElementsAre(" wrong-type")) << text;
  }
}

TEST(FromJson, BoundsTextInCodePoints) {
  using Text = BoundedText<2, 5>;
  EXPECT_EQ(from_json<Text>(parsed(R"("éé")")).value().value, "éé");
  EXPECT_EQ(from_json<Text>(parsed(R"("😀😀😀😀😀")")).value().value, "😀😀😀😀😀");
  EXPECT_THAT(errors_of<Text>(R"("é")"), ElementsAre(" too-short"));
  EXPECT_THAT(errors_of<Text>(R"("abcdef")"), ElementsAre(" too-long"));
  EXPECT_THAT((errors_of<BoundedText<1, 5>>(R"("")")), ElementsAre(" too-short"));
}

TEST(FromJson, RefusesControlCharactersInBoundedText) {
  for (const auto* text : {R"("a\nb")", R"("a\u001fb")", R"("a\u007fb")", R"("a\u0080b")", R"("a\u009fb")"}) {
    EXPECT_THAT((errors_of<BoundedText<1, 9>>(text)), ElementsAre(" invalid")) << text;
  }
  EXPECT_THAT((errors_of<BoundedText<1, 9>>(R"("a\u00a0b")")), ElementsAre("accepted"));
}

TEST(FromJson, ReadsWholeNumbersExactly) {
  EXPECT_EQ(from_json<int>(parsed("3.0")).value(), 3);
  EXPECT_EQ(from_json<int>(parsed("2147483647")).value(), 2147483647);
  EXPECT_EQ(from_json<std::int64_t>(parsed("-9223372036854775808")).value(), std::numeric_limits<std::int64_t>::min());
  EXPECT_THAT(errors_of<int>("2147483648"), ElementsAre(" out-of-range"));
  EXPECT_THAT(errors_of<int>("1e300"), ElementsAre(" out-of-range"));
  EXPECT_THAT(errors_of<int>("1.5"), ElementsAre(" wrong-type"));
  EXPECT_THAT(errors_of<std::int64_t>("9223372036854775808"), ElementsAre(" out-of-range"));
  EXPECT_EQ(from_json<Number>(parsed(R"({"wide":18446744073709551615,"byte":255})")).value().wide,
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_THAT(errors_of<Number>(R"({"wide":-1,"byte":256})"), ElementsAre("/wide out-of-range", "/byte out-of-range"));
  EXPECT_THAT(errors_of<Number>(R"({"wide":1.5,"byte":"1"})"), ElementsAre("/wide wrong-type", "/byte wrong-type"));
  EXPECT_EQ(from_json<double>(parsed("3")).value(), 3.0);
}

TEST(FromJson, SpellsEnumeratorsInKebabCase) {
  EXPECT_EQ(from_json<Colour>(parsed(R"("red")")).value(), Colour::red);
  EXPECT_EQ(from_json<Colour>(parsed(R"("delete")")).value(), Colour::delete_);
  const auto refused = from_json<Colour>(parsed(R"("deep_blue")"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fields[0].code, "not-one-of");
  EXPECT_EQ(refused.error().fields[0].detail, "must be one of: red, deep-blue, delete");
}

TEST(FromJson, RefusesTextThatIsNoTimeOrId) {
  EXPECT_THAT(errors_of<Time>(R"("yesterday")"), ElementsAre(" invalid"));
  EXPECT_THAT(errors_of<UserId>(R"("1")"), ElementsAre(" invalid"));
}

TEST(FromJson, TellsAbsentFromNullWhereAskedTo) {
  EXPECT_FALSE(from_json<Patch>(parsed("{}")).value().name.has_value());
  const auto cleared = from_json<Patch>(parsed(R"({"name":null})")).value();
  ASSERT_TRUE(cleared.name.has_value());
  EXPECT_FALSE(cleared.name->has_value());
  EXPECT_EQ(from_json<Patch>(parsed(R"({"name":"n"})")).value().name, std::optional<std::string>("n"));
  EXPECT_THAT(errors_of<Patch>(R"({"name":1,"title":"long"})"), ElementsAre("/name wrong-type", "/title too-long"));
}

TEST(FromJson, DecodesTypesOfOtherModulesThatHaveNoEmptyState) {
  const auto pair = from_json<EvenPair>(parsed(R"({"first":2,"others":[4,6]})"));
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->first.value(), 2);
  EXPECT_EQ(pair->others[1].value(), 6);
  EXPECT_THAT(errors_of<EvenPair>(R"({"first":1,"others":[4,5,"x"]})"),
              ElementsAre("/first odd", "/others/1 odd", "/others/2 wrong-type"));
  EXPECT_EQ(to_json(*pair), R"({"first":2,"others":[4,6]})");
}

TEST(FromJson, ListsABoundedNumberOfErrors) {
  std::string text = "[";
  for (int i = 0; i < 5000; ++i) text += i == 0 ? "1" : ",1";
  EXPECT_EQ(errors_of<std::vector<std::string>>(text + "]").size(), kJsonErrorLimit);
}

TEST(ToJson, WritesBackWhatItRead) {
  EXPECT_EQ(to_json(from_json<Everything>(parsed(kEverything)).value()), kEverything);
}

TEST(ToJson, EscapesWhatNeedsIt) {
  EXPECT_EQ(to_json(std::string("a\"\\\b\f\n\r\t\x01\x1f\x7f/é😀")),
            R"("a\"\\\u0008\u000c\n\r\t\u0001\u001f\u007f/é😀")");
  EXPECT_EQ(to_json(std::string("\0", 1)), R"("\u0000")");
  EXPECT_EQ(to_json(std::string()), R"("")");
}

TEST(ToJson, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(to_json(std::string("a\xff"
                                "b\xc3")),
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\"");
  for (const auto* text :
       {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xf0\x80\x80\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_TRUE(parse_json(to_json(std::string(text)))) << text;
  }
}

TEST(ToJson, WritesNumbersInFull) {
  EXPECT_EQ(to_json(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(to_json(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(to_json(0.1), "0.1");
  EXPECT_EQ(to_json(-std::numeric_limits<double>::max()), "-1.7976931348623157e+308");
  EXPECT_EQ(to_json(std::nan("")), "null");
}

struct Letter {
  Omissible<std::string> greeting;
  std::string text;
  Omissible<std::int64_t> pages;
};
BOOST_DESCRIBE_STRUCT(Letter, (), (greeting, text, pages))

TEST(ToJson, LeavesOutWhatIsOmissibleAndNotThere) {
  EXPECT_EQ(to_json(Letter{.greeting = {"Dear Ada"}, .text = "a", .pages = {3}}),
            R"({"greeting":"Dear Ada","text":"a","pages":3})");
  EXPECT_EQ(to_json(Letter{.greeting = {}, .text = "a", .pages = {}}), R"({"text":"a"})");
  EXPECT_EQ(boost::json::value_to<std::vector<std::string>>(schema_of<Letter>().at("required")),
            std::vector<std::string>{"text"});
}

TEST(ToJson, AppendsBehindWhatIsThere) {
  std::string out = "[";
  append_json(out, Nothing{});
  append_json(out, std::vector<std::optional<bool>>{true, std::nullopt, false});
  EXPECT_EQ(out, "[{}[true,null,false]");
}

TEST(SchemaOf, DescribesEveryMemberType) {
  EXPECT_EQ(boost::json::value(schema_of<Everything>()), boost::json::parse(R"({
    "type":"object",
    "properties":{
      "plainText":{"type":"string"},
      "isOn":{"type":"boolean"},
      "small":{"type":"integer","format":"int32"},
      "large":{"type":"integer","format":"int64"},
      "real":{"type":"number"},
      "maybeText":{"type":["string","null"]},
      "addresses":{"type":"array","items":{"type":"object",
        "properties":{"streetName":{"type":"string"},"number":{"type":"integer","format":"int64"}},
        "required":["streetName","number"],"additionalProperties":false}},
      "colour":{"type":"string","enum":["red","deep-blue","delete"]},
      "secret":{"type":"string","format":"password"},
      "createdAt":{"type":"string","format":"date-time"},
      "userId":{"type":"string","format":"uuid"},
      "anything":{},
      "bounded":{"type":"string","minLength":2,"maxLength":5}},
    "required":["plainText","isOn","small","large","real","addresses","colour","secret","createdAt","userId","anything",
      "bounded"],
    "additionalProperties":false})"));
}

TEST(SchemaOf, AllowsNullForWhatIsOptional) {
  EXPECT_EQ(boost::json::value(schema_of<std::optional<Colour>>()),
            boost::json::parse(R"({"type":["string","null"],"enum":["red","deep-blue","delete",null]})"));
  EXPECT_EQ(boost::json::value(schema_of<Patch>()), boost::json::parse(R"({"type":"object","properties":{
    "name":{"type":["string","null"]},"title":{"type":["string","null"],"minLength":1,"maxLength":3}},
    "additionalProperties":false})"));
}

TEST(SchemaName, IsTheTypeWithoutItsNamespaces) {
  EXPECT_EQ(schema_name<Everything>(), "Everything");
  EXPECT_EQ(schema_name<Page<Address>>(), "PageAddress");
}

}  // namespace
}  // namespace safawinet

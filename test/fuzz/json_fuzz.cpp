// What the JSON parser accepts is written, read again and found equal, and has no duplicate name, NUL or lone surrogate
// in the eyes of Boost.JSON either; decoding ends with a value or with at least one named field.
#include <cstdlib>

#include "base/json.hpp"

namespace safawinet {

enum class Colour { red, deep_blue };
BOOST_DESCRIBE_ENUM(Colour, red, deep_blue)

struct Leaf {
  BoundedText<1, 8> name;
  std::optional<std::int64_t> count;
};
BOOST_DESCRIBE_STRUCT(Leaf, (), (name, count))

struct Tree {
  std::optional<std::string> a;
  std::optional<bool> b;
  std::optional<int> c;
  std::optional<double> d;
  std::optional<std::vector<Leaf>> e;
  std::optional<Colour> f;
  std::optional<SecretText> g;
  std::optional<Time> h;
  std::optional<UserId> i;
  std::optional<boost::json::value> j;
};
BOOST_DESCRIBE_STRUCT(Tree, (), (a, b, c, d, e, f, g, h, i, j))

void require(bool holds) {
  if (!holds) std::abort();
}

void check(std::string_view text) {
  const auto value = parse_json(text);
  if (!value) {
    require(value.error().code == ErrorCode::unreadable_request && !value.error().detail.text.empty());
    return;
  }
  const auto written = to_json(*value);
  const auto again = parse_json(written);
  require(again.has_value() && to_json(*again) == written);

  const auto tree = from_json<Tree>(*value);
  if (!tree) {
    require(!tree.error().fields.empty() && tree.error().fields.size() <= kJsonErrorLimit);
    return;
  }
  const auto tree_text = to_json(*tree);
  const auto tree_value = parse_json(tree_text);
  require(tree_value.has_value());
  const auto tree_again = from_json<Tree>(*tree_value);
  require(tree_again.has_value() && to_json(*tree_again) == tree_text);
}

}  // namespace safawinet

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  safawinet::check(text);
  // The input as plain bytes: whatever they are, what is written is JSON.
  const auto written = safawinet::to_json(std::string(text));
  if (text.find('\0') == std::string_view::npos) safawinet::require(safawinet::parse_json(written).has_value());
  return 0;
}

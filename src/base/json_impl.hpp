// The bodies of the templates in base/json.hpp; include that.
#pragma once

#include "base/json.hpp"

namespace safawinet {
namespace json_detail {

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsOmissible = false;
template <class T>
inline constexpr bool kIsOmissible<Omissible<T>> = true;
template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;

template <class T>
concept Custom = requires { JsonType<T>::schema(); };
template <class T>
concept Described = boost::describe::has_describe_members<T>::value && !std::is_union_v<T>;
template <class T>
concept DescribedEnum = boost::describe::has_describe_enumerators<T>::value;
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;
template <class T, class Descriptor>
using MemberType = std::remove_cvref_t<decltype(std::declval<T&>().*Descriptor::pointer)>;

// Where the decoder is, and what it has found wrong so far.
class Problems {
 public:
  // For the time of its life the decoder is inside one member or element.
  class Inside {
   public:
    Inside(Problems& problems, std::string_view name);
    Inside(Problems& problems, std::size_t index);
    ~Inside() { problems_.pointer_.resize(outer_size_); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    Problems& problems_;
    std::size_t outer_size_;
  };

  void add(FieldError error);
  void add_unknown(std::string_view name, const std::vector<std::string_view>& known);
  [[nodiscard]] std::vector<FieldError>& list() { return list_; }

 private:
  std::string pointer_;
  std::vector<FieldError> list_;
};

std::expected<std::int64_t, FieldError> signed_integer(const boost::json::value& value, std::int64_t minimum,
                                                       std::int64_t maximum);
std::expected<std::uint64_t, FieldError> unsigned_integer(const boost::json::value& value, std::uint64_t maximum);
std::unexpected<FieldError> not_one_of(const std::vector<std::string_view>& names);
void append_number(std::string& out, std::int64_t number);
void append_number(std::string& out, std::uint64_t number);
void append_number(std::string& out, double number);
boost::json::object nullable(boost::json::object schema);
std::string schema_name_from(std::string_view qualified_name);

template <class T>
std::optional<T> decode(const boost::json::value& value, Problems& problems);

template <class T>
std::optional<T> decode_vector(const boost::json::value& value, Problems& problems) {
  const auto* array = value.if_array();
  if (array == nullptr) {
    problems.add(wrong_type(value, "an array").error());
    return std::nullopt;
  }
  T items;
  items.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    const Problems::Inside inside(problems, i);
    if (auto item = decode<typename T::value_type>((*array)[i], problems)) items.push_back(*std::move(item));
  }
  return items.size() == array->size() ? std::optional(std::move(items)) : std::nullopt;
}

template <class Member>
std::optional<Member> decode_member(const boost::json::object& object, std::string_view name, Problems& problems) {
  const Problems::Inside inside(problems, name);
  const auto* value = object.if_contains(name);
  if (value != nullptr) return decode<Member>(*value, problems);
  if constexpr (kIsOptional<Member>) {
    return std::optional<Member>(std::in_place);
  } else {
    problems.add({.pointer = {}, .code = "required", .detail = "is required"});
    return std::nullopt;
  }
}

template <class T, class... Descriptors>
std::optional<T> decode_members(const boost::json::object& object, Problems& problems,
                                boost::mp11::mp_list<Descriptors...>) {
  // The braces keep the order of evaluation, and with it the order of the errors.
  std::tuple<std::optional<MemberType<T, Descriptors>>...> members{
      decode_member<MemberType<T, Descriptors>>(object, json_names::kCamelCase<Descriptors>, problems)...};
  static const std::vector<std::string_view> known{json_names::kCamelCase<Descriptors>...};
  for (const auto& entry : object) {
    const std::string_view name = entry.key();
    bool is_known = false;
    for (const auto candidate : known) is_known = is_known || candidate == name;
    if (!is_known) problems.add_unknown(name, known);
  }
  return std::apply(
      [](auto&... member) -> std::optional<T> {
        if (!(member.has_value() && ...)) return std::nullopt;
        if constexpr (std::is_default_constructible_v<T>) {
          std::optional<T> whole(std::in_place);
          ((void((*whole).*Descriptors::pointer = *std::move(member))), ...);
          return whole;
        } else {
          return T{*std::move(member)...};
        }
      },
      members);
}

template <class T>
std::optional<T> decode(const boost::json::value& value, Problems& problems) {
  if constexpr (Custom<T>) {
    auto decoded = JsonType<T>::decode(value);
    if (decoded) return *std::move(decoded);
    problems.add(std::move(decoded).error());
    return std::nullopt;
  } else if constexpr (kIsOptional<T>) {
    using Inner = typename T::value_type;
    // optional<optional<T>> tells "absent" (none) from "null" (a none inside).
    if (value.is_null() && !kIsOptional<Inner>) return std::optional<T>(std::in_place);
    auto inner = decode<Inner>(value, problems);
    if (!inner) return std::nullopt;
    return std::optional<T>(std::in_place, *std::move(inner));
  } else if constexpr (kIsVector<T>) {
    return decode_vector<T>(value, problems);
  } else {
    static_assert(Described<T>, "neither described with BOOST_DESCRIBE_STRUCT nor given a JsonType");
    const auto* object = value.if_object();
    if (object != nullptr)
      return decode_members<T>(*object, problems, boost::mp11::mp_rename<Members<T>, boost::mp11::mp_list>());
    problems.add(wrong_type(value, "an object").error());
    return std::nullopt;
  }
}

template <class T>
boost::json::object schema_of_described() {
  boost::json::object properties;
  boost::json::array required;
  boost::mp11::mp_for_each<Members<T>>([&](auto descriptor) {
    using Descriptor = decltype(descriptor);
    using Member = MemberType<T, Descriptor>;
    const std::string_view name = json_names::kCamelCase<Descriptor>;
    properties[name] = schema_of<Member>();
    if (!kIsOptional<Member> && !kIsOmissible<Member>) required.emplace_back(name);
  });
  boost::json::object schema{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  schema["additionalProperties"] = false;
  return schema;
}

template <class T>
constexpr std::string_view qualified_name() {
  // g++: "… [with T = safawinet::Login; …]", clang: "… [T = safawinet::Login]"
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  const auto end = text.find(';');
  return text.substr(0, end == std::string_view::npos ? text.size() - 1 : end);
}

}  // namespace json_detail

template <class T>
Result<T> from_json(const boost::json::value& value) {
  json_detail::Problems problems;
  auto decoded = json_detail::decode<T>(value, problems);
  // A body with an unknown field decodes, and is refused all the same.
  if (decoded && problems.list().empty()) return *std::move(decoded);
  return refuse(Error{.code = ErrorCode::invalid_fields, .fields = std::move(problems.list())});
}

template <class T>
void append_json(std::string& out, const T& value) {
  if constexpr (json_detail::Custom<T>) {
    JsonType<T>::encode(out, value);
  } else if constexpr (json_detail::kIsOptional<T>) {
    if (value) {
      append_json(out, *value);
    } else {
      out += "null";
    }
  } else if constexpr (json_detail::kIsOmissible<T>) {
    append_json(out, *value.value);
  } else if constexpr (json_detail::kIsVector<T>) {
    out += '[';
    bool is_first = true;
    for (const auto& item : value) {
      if (!std::exchange(is_first, false)) out += ',';
      append_json<typename T::value_type>(out, item);
    }
    out += ']';
  } else {
    static_assert(json_detail::Described<T>, "neither described with BOOST_DESCRIBE_STRUCT nor given a JsonType");
    out += '{';
    std::size_t skip_comma = 1;
    boost::mp11::mp_for_each<json_detail::Members<T>>([&](auto descriptor) {
      const auto& member = value.*descriptor.pointer;
      if constexpr (json_detail::kIsOmissible<std::remove_cvref_t<decltype(member)>>) {
        if (!member.value) return;
      }
      out += std::string_view(json_names::kMemberPrefix<decltype(descriptor)>).substr(std::exchange(skip_comma, 0));
      append_json(out, member);
    });
    out += '}';
  }
}

template <class T>
boost::json::object schema_of() {
  if constexpr (json_detail::Custom<T>) {
    return JsonType<T>::schema();
  } else if constexpr (json_detail::kIsOptional<T>) {
    return json_detail::nullable(schema_of<typename T::value_type>());
  } else if constexpr (json_detail::kIsOmissible<T>) {
    return schema_of<typename T::Inner>();
  } else if constexpr (json_detail::kIsVector<T>) {
    return {{"type", "array"}, {"items", schema_of<typename T::value_type>()}};
  } else {
    return json_detail::schema_of_described<T>();
  }
}

template <class T>
std::string schema_name() {
  return json_detail::schema_name_from(json_detail::qualified_name<T>());
}

template <>
struct JsonType<std::string> {
  static std::expected<std::string, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, const std::string& text) { append_json_text(out, text); }
  static boost::json::object schema() { return {{"type", "string"}}; }
};

// Only ever sent: what it points to must outlive it.
template <>
struct JsonType<std::string_view> {
  static void encode(std::string& out, std::string_view text) { append_json_text(out, text); }
  static boost::json::object schema() { return {{"type", "string"}}; }
};

template <>
struct JsonType<SecretText> {
  static std::expected<SecretText, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, const SecretText& text) { append_json_text(out, text.reveal()); }
  static boost::json::object schema() { return {{"type", "string"}, {"format", "password"}}; }
};

template <>
struct JsonType<bool> {
  static std::expected<bool, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, bool value) { out += value ? "true" : "false"; }
  static boost::json::object schema() { return {{"type", "boolean"}}; }
};

template <json_detail::Integer T>
struct JsonType<T> {
  static std::expected<T, FieldError> decode(const boost::json::value& value) {
    if constexpr (std::is_signed_v<T>) {
      const auto number =
          json_detail::signed_integer(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
      if (number) return static_cast<T>(*number);
      return std::unexpected(number.error());
    } else {
      const auto number = json_detail::unsigned_integer(value, std::numeric_limits<T>::max());
      if (number) return static_cast<T>(*number);
      return std::unexpected(number.error());
    }
  }
  static void encode(std::string& out, T value) {
    using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
    json_detail::append_number(out, static_cast<Wide>(value));
  }
  static boost::json::object schema() {
    boost::json::object schema{{"type", "integer"}};
    if constexpr (std::is_unsigned_v<T>) {
      schema["minimum"] = 0;
    } else {
      schema["format"] = sizeof(T) <= 4 ? "int32" : "int64";
    }
    return schema;
  }
};

template <>
struct JsonType<double> {
  static std::expected<double, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, double value) { json_detail::append_number(out, value); }
  static boost::json::object schema() { return {{"type", "number"}}; }
};

template <>
struct JsonType<Time> {
  static std::expected<Time, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, Time time) { append_json_text(out, to_rfc3339(time)); }
  static boost::json::object schema() { return {{"type", "string"}, {"format", "date-time"}}; }
};

template <class Tag>
struct JsonType<Id<Tag>> {
  static std::expected<Id<Tag>, FieldError> decode(const boost::json::value& value) {
    const auto text = text_of(value);
    if (!text) return std::unexpected(text.error());
    if (const auto id = Id<Tag>::parse(*text)) return *id;
    return bad_value("invalid", "must be a UUID such as \"01890a5d-ac96-774b-bcce-b302099a8057\"");
  }
  static void encode(std::string& out, const Id<Tag>& id) { append_json_text(out, id.text()); }
  static boost::json::object schema() { return {{"type", "string"}, {"format", "uuid"}}; }
};

template <std::size_t Minimum, std::size_t Maximum>
struct JsonType<BoundedText<Minimum, Maximum>> {
  static std::expected<BoundedText<Minimum, Maximum>, FieldError> decode(const boost::json::value& value) {
    const auto text = text_of(value);
    if (!text) return std::unexpected(text.error());
    return BoundedText<Minimum, Maximum>::parse(*text);
  }
  static void encode(std::string& out, const BoundedText<Minimum, Maximum>& text) { append_json_text(out, text.value); }
  static boost::json::object schema() {
    return {{"type", "string"}, {"minLength", std::uint64_t{Minimum}}, {"maxLength", std::uint64_t{Maximum}}};
  }
};

template <json_detail::DescribedEnum T>
struct JsonType<T> {
  static std::expected<T, FieldError> decode(const boost::json::value& value) {
    const auto text = text_of(value);
    if (!text) return std::unexpected(text.error());
    std::optional<T> found;
    std::vector<std::string_view> names;
    each([&](std::string_view name, T enumerator) {
      names.push_back(name);
      if (name == *text) found = enumerator;
    });
    if (found) return *found;
    return json_detail::not_one_of(names);
  }
  static void encode(std::string& out, T value) {
    std::string_view spelling;
    each([&](std::string_view name, T enumerator) {
      if (enumerator == value) spelling = name;
    });
    append_json_text(out, spelling);
  }
  static boost::json::object schema() {
    boost::json::array names;
    each([&](std::string_view name, T) { names.emplace_back(name); });
    return {{"type", "string"}, {"enum", std::move(names)}};
  }

 private:
  template <class Visitor>
  static void each(Visitor visit) {
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto descriptor) {
      visit(std::string_view(json_names::kKebabCase<decltype(descriptor)>), descriptor.value);
    });
  }
};

// Anything at all, as it is.
template <>
struct JsonType<boost::json::value> {
  static std::expected<boost::json::value, FieldError> decode(const boost::json::value& value) { return value; }
  static void encode(std::string& out, const boost::json::value& value) { out += boost::json::serialize(value); }
  static boost::json::object schema() { return {}; }
};

}  // namespace safawinet

#include "factors/qr_code.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <string>

namespace safawinet {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kText = "otpauth://totp/x:ada%40example.com?secret=GEZDGNBVGY3TQOJQ&issuer=x";

// The square with a ring in it that stands in three corners.
bool is_finder(const QrCode& code, std::size_t left, std::size_t top) {
  for (std::size_t row = 0; row < 7; ++row) {
    for (std::size_t column = 0; column < 7; ++column) {
      const auto ring = std::min({row, column, 6 - row, 6 - column});
      if (code.is_dark(left + column, top + row) != (ring != 1)) return false;
    }
  }
  return true;
}

TEST(QrCode, HasItsThreeCornersAndASideOfTheStandard) {
  const QrCode code(kText);
  EXPECT_EQ((code.width() - 17) % 4, 0U);
  EXPECT_TRUE(is_finder(code, 0, 0));
  EXPECT_TRUE(is_finder(code, code.width() - 7, 0));
  EXPECT_TRUE(is_finder(code, 0, code.width() - 7));
  EXPECT_FALSE(is_finder(code, code.width() - 7, code.width() - 7));
}

TEST(QrCode, IsTheSamePictureAsPngWithAQuietZone) {
  const QrCode code(kText);
  const auto file = code.png();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_NE(png_image_begin_read_from_memory(&image, file.data(), file.size()), 0) << image.message;
  image.format = PNG_FORMAT_GRAY;
  const std::size_t side = (code.width() + 8) * 8;
  ASSERT_EQ(image.width, side);
  ASSERT_EQ(image.height, side);
  Bytes pixels(side * side);
  ASSERT_NE(png_image_finish_read(&image, nullptr, pixels.data(), static_cast<png_int_32>(side), nullptr), 0);
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      const bool is_inside = x >= 32 && y >= 32 && x < side - 32 && y < side - 32;
      const bool is_dark = is_inside && code.is_dark((x - 32) / 8, (y - 32) / 8);
      ASSERT_EQ(pixels[y * side + x], is_dark ? 0 : 255) << x << " " << y;
    }
  }
}

TEST(QrCode, IsASvgOfItsOwnWithoutTheText) {
  const auto svg = std::string(QrCode(kText).svg().reveal());
  EXPECT_THAT(svg, StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "));
  EXPECT_THAT(svg, EndsWith("</svg>"));
  EXPECT_THAT(svg, HasSubstr("M4 4h7v1h-7z"));  // the top of the first corner
  EXPECT_EQ(svg.find("otpauth"), std::string::npos);
  EXPECT_EQ(svg.find("script"), std::string::npos);
}

TEST(QrCode, OfTooLongATextIsRefused) { EXPECT_THROW(QrCode(std::string(5'000, 'x')), std::runtime_error); }

}  // namespace
}  // namespace safawinet

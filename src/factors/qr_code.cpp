#include "factors/qr_code.hpp"

#include <png.h>
#include <qrencode.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "crypto/sealing.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kQuietZone = 4;  // modules of white around it, which the standard asks for
constexpr std::size_t kPixelsPerModule = 8;

}  // namespace

QrCode::QrCode(std::string_view text) {
  std::string terminated(text);
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeString(terminated.c_str(), 0, QR_ECLEVEL_M, QR_MODE_8, 1), &QRcode_free);
  wipe(std::span(reinterpret_cast<std::uint8_t*>(terminated.data()), terminated.size()));
  if (!code) throw std::runtime_error("libqrencode: the text is too long, or there is no memory");
  width_ = static_cast<std::size_t>(code->width);
  modules_.reserve(width_ * width_);
  for (std::size_t i = 0; i < width_ * width_; ++i) modules_.push_back((code->data[i] & 1U) != 0);
}

SecretText QrCode::svg() const {
  const auto side = std::to_string(width_ + 2 * kQuietZone);
  std::string svg = R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 )";
  svg.append(side).append(" ").append(side).append(R"(" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h)");
  svg.append(side).append("v").append(side).append("H0z").append(R"("/><path d=")");
  for (std::size_t row = 0; row < width_; ++row) {
    std::size_t column = 0;
    while (column < width_) {
      const auto first = column;
      while (column < width_ && is_dark(column, row)) ++column;
      if (column > first) {
        svg.append("M").append(std::to_string(first + kQuietZone)).append(" ").append(std::to_string(row + kQuietZone));
        svg.append("h").append(std::to_string(column - first)).append("v1h-").append(std::to_string(column - first));
        svg.append("z");
      }
      ++column;
    }
  }
  return SecretText(svg.append(R"("/></svg>)"));
}

Bytes QrCode::png() const {
  const auto side = (width_ + 2 * kQuietZone) * kPixelsPerModule;
  Bytes pixels(side * side, 0xFF);
  for (std::size_t y = 0; y < width_ * kPixelsPerModule; ++y) {
    for (std::size_t x = 0; x < width_ * kPixelsPerModule; ++x) {
      if (!is_dark(x / kPixelsPerModule, y / kPixelsPerModule)) continue;
      pixels[(y + kQuietZone * kPixelsPerModule) * side + x + kQuietZone * kPixelsPerModule] = 0;
    }
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(side);
  image.height = static_cast<png_uint_32>(side);
  image.format = PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  Bytes file(size);
  const int is_written =
      png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), static_cast<png_int_32>(side), nullptr);
  wipe(pixels);
  const std::string failure(image.message);
  png_image_free(&image);
  if (is_written == 0) throw std::runtime_error("libpng: " + failure);
  file.resize(size);
  return file;
}

}  // namespace safawinet

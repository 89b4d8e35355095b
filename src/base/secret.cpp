#include "base/secret.hpp"

#include <string.h>  // explicit_bzero

namespace safawinet {

void SecretText::wipe() noexcept {
  // The whole capacity: a moved-from or shortened string keeps old bytes behind its end.
  explicit_bzero(text_.data(), text_.capacity());
  text_.clear();
}

}  // namespace safawinet

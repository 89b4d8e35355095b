#include "cache/redis/name_lookup.hpp"

#include <netdb.h>

#include <boost/asio/ip/address.hpp>

#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/suspend.hpp"

namespace safawinet::redis {
namespace {

using boost::asio::ip::tcp;

struct Answer {
  NameLookup::Endpoints found;
  std::string failure;  // empty: none
};

Answer ask(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) return {.found = {}, .failure = std::string("the host is not found: ") + ::gai_strerror(error)};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  Answer answer;
  for (const auto* entry = list; entry != nullptr; entry = entry->ai_next) {
    tcp::endpoint endpoint;
    if (entry->ai_addrlen > endpoint.capacity()) continue;
    endpoint.resize(entry->ai_addrlen);
    std::memcpy(endpoint.data(), entry->ai_addr, entry->ai_addrlen);
    endpoint.port(port);
    answer.found.push_back(endpoint);
  }
  return answer;
}

}  // namespace

struct NameLookup::Shared {
  std::mutex mutex;
  bool is_under_way = false;
  Answer answer;
  std::unique_ptr<Resumption> waiter;
};

NameLookup::NameLookup() : shared_(std::make_shared<Shared>()) {}

Task<NameLookup::Endpoints> NameLookup::find(std::string host, std::uint16_t port) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (!error) co_return Endpoints{tcp::endpoint(address, port)};

  auto start = [this, &host, port](std::unique_ptr<Resumption> waiter) {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->is_under_way) {
      std::thread([shared = shared_, host, port] {
        auto answer = ask(host, port);
        const std::lock_guard lock_of_thread(shared->mutex);
        shared->answer = std::move(answer);
        shared->is_under_way = false;
        // Under the lock, so that whoever takes the waiter away knows that its loop is not used any more.
        if (const auto waiting = std::move(shared->waiter)) waiting->resume(nullptr);
      }).detach();
      shared_->is_under_way = true;
    }
    shared_->answer = {.found = {}, .failure = "the search for the host was cut short"};
    shared_->waiter = std::move(waiter);
  };
  co_await suspend(std::move(start));
  const std::lock_guard lock(shared_->mutex);
  if (!shared_->answer.failure.empty()) throw std::runtime_error(shared_->answer.failure);
  co_return shared_->answer.found;
}

void NameLookup::cancel() {
  const std::lock_guard lock(shared_->mutex);
  if (const auto waiting = std::move(shared_->waiter)) waiting->resume(nullptr);
}

void NameLookup::abandon_waiting() {
  std::unique_ptr<Resumption> abandoned;  // ends behind the lock: it holds coroutines
  const std::lock_guard lock(shared_->mutex);
  abandoned = std::move(shared_->waiter);
}

}  // namespace safawinet::redis

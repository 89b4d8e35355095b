#include "cache/redis/protocol.hpp"

#include <hiredis/hiredis.h>

#include <new>
#include <vector>

namespace safawinet::redis {
namespace {

// What hiredis calls while it reads. Nothing may be thrown through it: a null pointer is its sign of failure.
void* make(Reply::Kind kind, std::string_view text, std::int64_t number) noexcept {
  try {
    auto reply = std::make_unique<Reply>();
    reply->kind = kind;
    reply->text = text;
    reply->number = number;
    return reply.release();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* make_text(const redisReadTask* task, char* text, std::size_t length) {
  const auto kind = task->type == REDIS_REPLY_STATUS  ? Reply::Kind::status
                    : task->type == REDIS_REPLY_ERROR ? Reply::Kind::error
                                                      : Reply::Kind::text;
  return make(kind, {text, length}, 0);
}
void* make_array(const redisReadTask*, int) { return nullptr; }
void* make_integer(const redisReadTask*, long long number) { return make(Reply::Kind::integer, {}, number); }
void* make_nil(const redisReadTask*) { return make(Reply::Kind::nil, {}, 0); }
void free_reply(void* reply) { delete static_cast<Reply*>(reply); }

}  // namespace

std::string format_command(std::span<const std::string_view> words) {
  std::vector<const char*> starts;
  std::vector<std::size_t> lengths;
  for (const auto word : words) {
    starts.push_back(word.data());
    lengths.push_back(word.size());
  }
  char* bytes = nullptr;
  const int length = redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), starts.data(), lengths.data());
  if (length < 0) throw std::bad_alloc();
  const std::unique_ptr<char, void (*)(char*)> owner(bytes, [](char* text) { redisFreeCommand(text); });
  return {bytes, static_cast<std::size_t>(length)};
}

void ReplyReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader() {
  // Not const, because hiredis takes it so; it only reads it.
  static redisReplyObjectFunctions functions{make_text, make_array, make_integer, make_nil, free_reply};
  reader_.reset(redisReaderCreateWithFunctions(&functions));
  if (!reader_) throw std::bad_alloc();
}

void ReplyReader::feed(std::string_view bytes) {
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) throw ProtocolError(reader_->errstr);
  if (reader_->len - reader_->pos > kLongestReplyBytes + bytes.size()) throw ProtocolError("a reply without end");
}

std::optional<Reply> ReplyReader::next() {
  void* made = nullptr;
  if (redisReaderGetReply(reader_.get(), &made) != REDIS_OK)
    throw ProtocolError("the answer is not that of a Redis server");
  if (made == nullptr) return std::nullopt;
  const std::unique_ptr<Reply> reply(static_cast<Reply*>(made));
  return std::move(*reply);
}

}  // namespace safawinet::redis

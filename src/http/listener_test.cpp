#include "http/listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace safawinet::http {
namespace {

using testing::HasSubstr;

template <class Function>
std::string message_of(Function function) {
  try {
    function();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(Listener, GivesEachLoopASocketOnTheSameFreePort) {
  const ListeningSockets listening = listen_on("127.0.0.1", 0, 3);
  EXPECT_EQ(listening.sockets.size(), 3U);
  EXPECT_NE(listening.port, 0);
  EXPECT_EQ(listening.address, "127.0.0.1:" + std::to_string(listening.port));
  for (const Descriptor& socket : listening.sockets) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ASSERT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(ntohs(address.sin_port), listening.port);
  }
}

TEST(Listener, RefusesAPortThatAnotherServerHasEvenIfItWouldShareIt) {
  const ListeningSockets first = listen_on("127.0.0.1", 0, 1);
  const std::string message = message_of([&first] { listen_on("127.0.0.1", first.port, 1); });
  EXPECT_THAT(message, HasSubstr(first.address));
  EXPECT_THAT(message, HasSubstr("another program listens there"));
}

TEST(Listener, TakesAPortAgainAsSoonAsItIsFree) {
  std::uint16_t port = 0;
  {
    const ListeningSockets first = listen_on("127.0.0.1", 0, 2);
    port = first.port;
  }
  EXPECT_EQ(listen_on("127.0.0.1", port, 2).port, port);
}

TEST(Listener, SaysWhatIsWrongWithAnAddress) {
  EXPECT_THAT(message_of([] { listen_on("192.0.2.1", 0, 1); }), HasSubstr("no such address"));
  EXPECT_THAT(message_of([] { listen_on("no such host", 0, 1); }), HasSubstr("give an IP address"));
}

TEST(Listener, SharesAnInheritedSocketAmongTheLoops) {
  ListeningSockets original = listen_on("127.0.0.1", 0, 1);
  const ListeningSockets adopted = adopt({original.sockets.front().release()}, 2);
  EXPECT_EQ(adopted.sockets.size(), 2U);
  EXPECT_EQ(adopted.port, original.port);
}

TEST(Listener, RefusesToInheritWhatDoesNotListen) {
  const int pipe_end = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_THAT(message_of([pipe_end] { adopt({pipe_end}, 1); }), HasSubstr("no listening socket"));
}

class InheritedSockets : public testing::Test {
 protected:
  ~InheritedSockets() override {
    for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  }
  static void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }
};

TEST_F(InheritedSockets, AreNoneUnlessTheyAreForThisProcess) {
  EXPECT_TRUE(take_inherited_sockets().empty());
  set("LISTEN_PID", std::to_string(::getppid()));
  set("LISTEN_FDS", "1");
  EXPECT_TRUE(take_inherited_sockets().empty());
  EXPECT_NE(std::getenv("LISTEN_FDS"), nullptr);
}

TEST_F(InheritedSockets, RefuseVariablesThatMakeNoSense) {
  set("LISTEN_PID", std::to_string(::getpid()));
  set("LISTEN_FDS", "many");
  EXPECT_THAT(message_of([] { take_inherited_sockets(); }), HasSubstr("LISTEN_FDS"));
  set("LISTEN_FDS", "-1");
  EXPECT_THAT(message_of([] { take_inherited_sockets(); }), HasSubstr("LISTEN_FDS"));
  set("LISTEN_PID", std::to_string(::getpid()) + "x");
  EXPECT_THAT(message_of([] { take_inherited_sockets(); }), HasSubstr("LISTEN_PID"));
}

}  // namespace
}  // namespace safawinet::http

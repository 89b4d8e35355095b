#include "cli/contexts.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/testing_folder.hpp"
#include "cli/failure.hpp"
#include "cli/private_file.hpp"

namespace safawinet::cli {
namespace {

class ContextsTest : public ::testing::Test {
 protected:
  [[nodiscard]] unsigned mode_of(const std::filesystem::path& path) const {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
  }

  safawinet::testing::TemporaryFolder temporary_;
  std::filesystem::path folder_ = temporary_.path() / "safawinet";
};

TEST_F(ContextsTest, TheFirstOneBecomesTheCurrentOne) {
  Contexts contexts(folder_);
  contexts.add({.name = "one", .url = "https://one.example", .ca_file = {}, .api_key_file = {}});
  contexts.add({.name = "two", .url = "https://two.example", .ca_file = "/ca", .api_key_file = "/key"});
  const Contexts again(folder_);
  EXPECT_EQ(again.get("").name, "one");
  EXPECT_EQ(again.get("two").ca_file, "/ca");
  EXPECT_EQ(again.get("two").api_key_file, "/key");
}

TEST_F(ContextsTest, TheFileIsForItsOwnerOnly) {
  Contexts(folder_).add({.name = "one", .url = "https://one.example", .ca_file = {}, .api_key_file = {}});
  EXPECT_EQ(mode_of(folder_), 0700U);
  EXPECT_EQ(mode_of(folder_ / "contexts.json"), 0600U);
  ASSERT_EQ(::chmod((folder_ / "contexts.json").c_str(), 0604), 0);
  EXPECT_THROW(Contexts{folder_}, Failure);
}

TEST_F(ContextsTest, ANameIsTakenOnce) {
  Contexts contexts(folder_);
  contexts.add({.name = "one", .url = "https://one.example", .ca_file = {}, .api_key_file = {}});
  // As another command that has read the file before.
  EXPECT_THROW(Contexts(folder_).add({.name = "one", .url = "https://two.example", .ca_file = {}, .api_key_file = {}}),
               Failure);
}

TEST_F(ContextsTest, RemovingTheCurrentOneLeavesNone) {
  Contexts contexts(folder_);
  contexts.add({.name = "one", .url = "https://one.example", .ca_file = {}, .api_key_file = {}});
  write_private_file(contexts.credentials_file("one"), "{}");
  contexts.remove("one");
  EXPECT_FALSE(std::filesystem::exists(contexts.credentials_file("one")));
  EXPECT_THROW((void)Contexts(folder_).get(""), Failure);
  EXPECT_THROW(contexts.remove("one"), Failure);
}

TEST_F(ContextsTest, AFileThatCannotBeUnderstoodIsNotThrownAway) {
  write_private_file(folder_ / "contexts.json", "{\"contexts\": 1}");
  EXPECT_THROW(Contexts{folder_}, Failure);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "contexts.json"));
}

TEST(CheckedUrl, KeepsAnOrigin) {
  EXPECT_EQ(checked_url("https://accounts.example.com/"), "https://accounts.example.com");
  EXPECT_EQ(checked_url("https://10.0.0.1:8443"), "https://10.0.0.1:8443");
  EXPECT_EQ(checked_url("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
  EXPECT_EQ(checked_url("http://[::1]:8080"), "http://[::1]:8080");
  EXPECT_EQ(checked_url("http://localhost"), "http://localhost");
}

TEST(CheckedUrl, RefusesWhatLeaksOrMisleads) {
  for (const auto* url :
       {"", "accounts.example.com", "http://accounts.example.com", "http://10.0.0.1", "https://user:secret@host",
        "https://host/path", "https://host?x", "https://ho st", "https://", "https://:80", "file:///etc/passwd",
        "http://localhost.example.com", "http://127.0.0.1.example.com"}) {
    EXPECT_THROW((void)checked_url(url), Failure) << url;
  }
}

}  // namespace
}  // namespace safawinet::cli

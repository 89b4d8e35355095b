#include "app/data_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "app/start_failure.hpp"
#include "base/encoding.hpp"
#include "base/testing.hpp"
#include "base/testing_folder.hpp"

namespace safawinet::app {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DataFolderTest : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path path() const { return folder_.path() / "a" / "data"; }
  void write(const fs::path& name, const std::string& text, fs::perms permissions = fs::perms::owner_read) {
    std::ofstream(path() / name) << text;
    fs::permissions(path() / name, permissions);
  }
  static std::string read(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  static fs::perms permissions(const fs::path& file) { return fs::status(file).permissions(); }
  // Why it does not start.
  template <class Action>
  static std::string failure_of(Action action) {
    try {
      action();
    } catch (const StartFailure& failure) {
      EXPECT_EQ(failure.exit_code(), kExitFailed);
      return failure.what();
    }
    return "nothing";
  }
  static bool same_key(const MasterKey& one, const MasterKey& other) {
    return one.fingerprint() == other.fingerprint();
  }

  testing::TemporaryFolder folder_;
  testing::SeededRandom random_;
};

TEST_F(DataFolderTest, a_new_folder_is_private) {
  const DataFolder folder(path());
  EXPECT_EQ(permissions(path()), fs::perms::owner_all);
  EXPECT_EQ(folder.database_file(), path() / "safawinet.db");
}

TEST_F(DataFolderTest, a_second_server_on_the_same_folder_is_refused_until_the_first_has_ended) {
  {
    const DataFolder folder(path());
    EXPECT_THAT(failure_of([&] { const DataFolder second(path()); }), HasSubstr("another safawinet"));
  }
  EXPECT_EQ(failure_of([&] { const DataFolder next(path()); }), "nothing");
}

TEST_F(DataFolderTest, a_folder_that_cannot_be_made_is_named) {
  std::ofstream(folder_.path() / "a") << "a file";
  EXPECT_THAT(failure_of([&] { const DataFolder folder(path()); }), HasSubstr(path().string()));
}

TEST_F(DataFolderTest, the_master_key_is_made_once_private_and_stays_the_same) {
  const DataFolder folder(path());
  const auto made = folder.master_key(random_);
  EXPECT_EQ(permissions(path() / "master.key"), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_TRUE(same_key(folder.master_key(random_), made));
  EXPECT_EQ(std::distance(fs::directory_iterator(path()), {}), 2) << "the lock and the key";
}

TEST_F(DataFolderTest, a_master_key_that_an_operator_wrote_is_taken) {
  const DataFolder folder(path());
  const auto text = to_base64(Bytes(32, 9));
  write("master.key", "  " + text + "\n\n");
  EXPECT_TRUE(same_key(folder.master_key(random_), MasterKey::parse(text).value()));
}

TEST_F(DataFolderTest, a_master_key_that_others_may_read_is_refused_with_what_to_do) {
  const DataFolder folder(path());
  const auto text = to_base64(Bytes(32, 9));
  for (const auto more : {fs::perms::group_read, fs::perms::others_read, fs::perms::others_write}) {
    write("master.key", text, fs::perms::owner_read | fs::perms::owner_write | more);
    EXPECT_THAT(failure_of([&] { (void)folder.master_key(random_); }), HasSubstr("chmod 600"));
  }
}

TEST_F(DataFolderTest, a_damaged_master_key_is_refused_and_not_replaced) {
  const DataFolder folder(path());
  for (const auto& text :
       {std::string(), std::string("garbage"), to_base64(Bytes(32, 9)) + "\n" + to_base64(Bytes(32, 9)),
        std::string("AAAA"), to_base64(Bytes(31, 9)), to_base64(Bytes(33, 9))}) {
    fs::remove(path() / "master.key");
    write("master.key", text);
    const auto failure = failure_of([&] { (void)folder.master_key(random_); });
    EXPECT_THAT(failure, HasSubstr("no master key"));
    EXPECT_TRUE(text.empty() || failure.find(text) == std::string::npos) << "what it holds is not shown";
    EXPECT_EQ(read(path() / "master.key"), text);
  }
}

TEST_F(DataFolderTest, a_master_key_that_is_no_file_is_refused_and_not_waited_for) {
  const DataFolder folder(path());
  ASSERT_EQ(::mkfifo((path() / "master.key").c_str(), 0600), 0);
  EXPECT_THAT(failure_of([&] { (void)folder.master_key(random_); }), HasSubstr("is no file"));
}

TEST_F(DataFolderTest, a_master_key_of_another_account_than_its_folder_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "nobody but root can give a file away";
  const DataFolder folder(path());
  write("master.key", to_base64(Bytes(32, 9)));
  ASSERT_EQ(::chown((path() / "master.key").c_str(), 65534, 65534), 0);
  EXPECT_THAT(failure_of([&] { (void)folder.master_key(random_); }), HasSubstr("chown"));
  ASSERT_EQ(::chown(path().c_str(), 65534, 65534), 0);
  EXPECT_NO_THROW((void)folder.master_key(random_)) << "as root looks at the server's folder";
}

TEST_F(DataFolderTest, a_database_without_its_key_is_refused_and_no_key_is_made) {
  const DataFolder folder(path());
  write("safawinet.db", "");
  EXPECT_THAT(failure_of([&] { (void)folder.master_key(random_); }), HasSubstr("put the key back"));
  EXPECT_FALSE(fs::exists(path() / "master.key"));
}

TEST_F(DataFolderTest, the_first_administrators_password_is_in_a_private_file_until_it_is_deleted) {
  const DataFolder folder(path());
  const auto file = folder.write_first_administrator("admin@localhost", SecretText("hunter2"));
  EXPECT_EQ(file, path() / "first-administrator");
  EXPECT_EQ(permissions(file), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(read(file), "email: admin@localhost\npassword: hunter2\n");
  folder.delete_first_administrator();
  EXPECT_FALSE(fs::exists(file));
  folder.delete_first_administrator();
}

}  // namespace
}  // namespace safawinet::app

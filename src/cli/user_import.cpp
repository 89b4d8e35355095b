#include "cli/user_import.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "cli/desk.hpp"
#include "cli/export_file.hpp"
#include "cli/failure.hpp"
#include "cli/import_source.hpp"
#include "cli/text.hpp"

namespace safawinet::cli {
namespace {

constexpr std::size_t kUsersInBatch = 100;        // the API takes 200
constexpr std::size_t kLinesInBatch = 1000;       // refused ones among them
constexpr std::size_t kBytesOfBatch = 48 * 1024;  // of its 64 KiB
constexpr std::int64_t kRefusalsShown = 10;
constexpr ExportKind kReport{"a report of an import", "line", "reason"};

struct Options {
  std::string file;
  std::string format;
  std::string report;
  bool resumes = false;
  bool is_dry_run = false;
};

ImportFormat format_of(const Options& options) {
  const bool is_csv = options.format.empty() ? options.file.ends_with(".csv") : options.format == "csv";
  return is_csv ? ImportFormat::csv : ImportFormat::json_lines;
}

// Where the lines go that are refused; empty: nowhere but the terminal.
std::string report_of(const Options& options) {
  if (!options.report.empty() || options.is_dry_run || options.file == "-") return options.report;
  return options.file + ".refused.jsonl";
}

std::string counted(std::int64_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

class Import {
 public:
  Import(Desk& desk, const Options& options)
      : desk_(desk), options_(options), report_name_(report_of(options)), source_(options.file, format_of(options)) {
    if (report_name_.empty()) return;
    const ExportTarget target{.file = report_name_, .resumes = options.resumes};
    report_.emplace(target, kReport, desk.console());
  }

  void run() {
    if (options_.resumes && !go_on()) return;
    try {
      while (take_batch()) check_interrupted();
    } catch (const Interrupted&) {
      say_how_to_go_on();
      throw;
    } catch (const ReaderGone&) {
      throw;
    } catch (const Failure&) {
      say_how_to_go_on();
      throw;
    }
    finish();
  }

 private:
  struct Waiting {
    std::uint64_t line;
    std::string email;
    boost::json::object user;
  };

  // False when there is nothing to go on with.
  bool go_on() {
    if (!report_)
      throw Failure("--resume goes on with a file", "the same import again: who is there stays as they are", kUsage);
    bool is_complete = false;
    const auto kept = report_->kept_cursor(is_complete);
    if (is_complete) {
      desk_.console().note(options_.file + " has been imported already; " + report_name_ + " has what was refused.");
      if (desk_.is_json()) desk_.print_json(boost::json::object{{"file", options_.file}, {"isComplete", true}});
      return false;
    }
    if (!kept) return true;
    const auto json = parse_json(*kept);
    const auto& cursor = json && json->is_object() ? json->get_object() : boost::json::object();
    const auto line = static_cast<std::uint64_t>(number_at(cursor, "line"));
    while (source_.place().line < line && source_.next()) check_interrupted();
    if (source_.place().line != line || std::to_string(source_.place().fingerprint) != text_at(cursor, "fingerprint")) {
      throw Failure(options_.file + " is not what it was, up to line " + std::to_string(line),
                    "import it anew, with another --report: who is there already stays as they are", kUsage);
    }
    created_ = number_at(cursor, "created");
    existing_ = number_at(cursor, "existing");
    refused_ = number_at(cursor, "refused");
    return true;
  }

  // False at the end of the file.
  bool take_batch() {
    std::vector<Waiting> batch;
    std::size_t bytes = 0;
    bool is_at_end = false;
    auto place = place_;
    if (held_back_) {
      bytes = boost::json::serialize(held_back_->user).size();
      batch.push_back(*std::move(held_back_));
      held_back_.reset();
      place = source_.place();  // nothing was read behind it
    }
    for (std::size_t read = 0; read < kLinesInBatch && batch.size() < kUsersInBatch; ++read) {
      auto record = source_.next();
      if (!record) {
        is_at_end = true;
        place = source_.place();
        break;
      }
      if (!record->user) {
        refuse(record->line, {}, record->user.error());
        place = source_.place();
        continue;
      }
      Waiting waiting{record->line, text_at(*record->user, "email"), *std::move(record->user)};
      const auto size = boost::json::serialize(waiting.user).size() + 1;
      if (size > kBytesOfBatch) {
        refuse(waiting.line, waiting.email, "is too long");
      } else if (bytes + size > kBytesOfBatch) {
        held_back_ = std::move(waiting);
        break;
      } else {
        bytes += size;
        batch.push_back(std::move(waiting));
      }
      place = source_.place();
    }
    if (!batch.empty()) send(batch);
    place_ = place;
    keep();
    show_progress();
    return !is_at_end;
  }

  void send(const std::vector<Waiting>& batch) {
    boost::json::array users;
    for (const auto& waiting : batch) users.push_back(waiting.user);
    boost::json::object body{{"users", std::move(users)}};
    if (options_.is_dry_run) body["dryRun"] = true;
    const auto answer = desk_.api().post("/v1/admin/users/import", body);
    const auto& results = items_at(object_of(answer), "results");
    if (results.size() != batch.size()) throw Failure("the server's answer is not about the users that were sent");
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto& result = object_of(results[i]);
      const auto outcome = text_at(result, "outcome");
      if (outcome == "created") {
        ++created_;
      } else if (outcome == "existing") {
        ++existing_;
      } else {
        refuse(batch[i].line, batch[i].email, reason_of(result));
      }
    }
  }

  // "passwordHash is none of …; role is above your own role"
  static std::string reason_of(const boost::json::object& result) {
    std::string reason;
    for (const auto& item : items_at(result, "errors")) {
      const auto& fault = object_of(item);
      auto member = text_at(fault, "pointer");
      if (member.starts_with('/')) member.erase(0, 1);
      reason += (reason.empty() ? "" : "; ") + member + (member.empty() ? "" : " ") + text_at(fault, "detail");
    }
    return reason.empty() ? "was refused" : reason;
  }

  void refuse(std::uint64_t line, const std::string& email, const std::string& reason) {
    ++refused_;
    if (refused_ <= kRefusalsShown) {
      desk_.console().note("Line " + std::to_string(line) + (email.empty() ? "" : " (" + email + ")") + ": " + reason);
    }
    if (!report_) return;
    boost::json::object report{{"line", line}};
    if (!email.empty()) report["email"] = email;
    report["reason"] = reason;
    unreported_ += inert_json(boost::json::serialize(report)) + "\n";
  }

  void keep() {
    if (!report_) return;
    if (!unreported_.empty()) report_->append(unreported_);
    unreported_.clear();
    const boost::json::object cursor{{"line", place_.line},
                                     {"fingerprint", std::to_string(place_.fingerprint)},
                                     {"created", created_},
                                     {"existing", existing_},
                                     {"refused", refused_}};
    report_->keep_cursor(boost::json::serialize(cursor));
  }

  void show_progress() {
    auto text = "Imported up to line " + std::to_string(place_.line);
    if (const auto size = source_.size(); size && *size > 0) {
      text += " (" + std::to_string(std::min<std::uint64_t>(100, place_.bytes * 100 / *size)) + " %)";
    }
    desk_.console().progress(text + ": " + counts());
  }

  [[nodiscard]] std::string counts() const {
    return std::to_string(created_) + (options_.is_dry_run ? " to be created, " : " created, ") +
           std::to_string(existing_) + " there already, " + std::to_string(refused_) + " refused";
  }

  void say_how_to_go_on() {
    if (report_) desk_.console().note("Go on with it: the same command with --resume.");
  }

  void finish() {
    if (report_) {
      report_->complete();
      if (refused_ == 0) remove_report();
    }
    const boost::json::object summary{
        {"file", options_.file}, {"dryRun", options_.is_dry_run},
        {"created", created_},   {"existing", existing_},
        {"refused", refused_},   {"report", report_ && refused_ > 0 ? boost::json::value(report_name_) : nullptr},
        {"isComplete", true}};
    desk_.print_done((options_.is_dry_run ? "Nothing was done. " : "Done: ") + counts() + ".", summary);
    if (refused_ == 0) return;
    throw Failure(counted(refused_, "line was refused", "lines were refused"),
                  report_ ? "mend what " + report_name_ + " names, and import it from a file of its own"
                          : "--report FILE, which gets them all with the reasons");
  }

  void remove_report() {
    std::error_code ignored;  // it is empty, and no more than in the way
    std::filesystem::remove(report_name_, ignored);
  }

  Desk& desk_;
  const Options& options_;
  std::string report_name_;
  ImportSource source_;
  std::optional<ExportFile> report_;
  std::optional<Waiting> held_back_;  // read, and of the next batch
  ImportSource::Place place_;         // up to which everything has an outcome
  std::string unreported_;
  std::int64_t created_ = 0;
  std::int64_t existing_ = 0;
  std::int64_t refused_ = 0;
};

}  // namespace

void add_import(CLI::App& noun, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "import",
                         .description = "Bring users in from another system, with the password hashes that they have; "
                                        "who is there already stays as they are",
                         .example = "safawinet user import users.jsonl --dry-run\n"
                                    "safawinet user import users.csv\n"
                                    "safawinet user import users.csv --resume\n"
                                    "pg_dump-of-yours | safawinet user import - --report refused.jsonl"},
                        [options](Desk& desk) { Import(desk, *options).run(); });
  verb.add_option("file", options->file, "JSON lines, or CSV with a first line that names the columns; - is stdin")
      ->type_name("FILE")
      ->required();
  verb.add_option("--format", options->format, "Without it, by the name of the file")
      ->check(CLI::IsMember({"jsonl", "csv"}));
  verb.add_option("--report", options->report,
                  "A new file (mode 0600) for the lines that are refused, as JSON lines; without it, "
                  "FILE.refused.jsonl")
      ->type_name("FILE");
  auto* resume = verb.add_flag("--resume", options->resumes, "Go on with an import that was stopped");
  verb.add_flag("--dry-run", options->is_dry_run, "Check every line, and change nothing")->excludes(resume);
}

}  // namespace safawinet::cli

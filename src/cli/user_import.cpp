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
#include "cli/private_file.hpp"
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
      : desk_(desk),
        api_(desk.api()),
        options_(options),
        report_name_(report_of(options)),
        source_(options.file, format_of(options)),
        place_(source_.place()) {
    if (report_name_.empty()) return;
    refuse_report_of_dry_run();
    const ExportTarget target{.file = report_name_, .resumes = options.resumes};
    report_.emplace(target, kReport, desk.console());
  }

  void run() {
    if (options_.resumes) go_on();
    const auto begin = place_;
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
    if (was_complete_ && place_ == begin) {
      keep(Progress::complete);
      say_that_it_is_done();
    } else {
      finish();
    }
  }

 private:
  struct Waiting {
    std::uint64_t line;
    std::string email;
    boost::json::object user;
  };
  struct Refused {
    std::uint64_t line;
    std::string email;
    std::string reason;
  };
  enum class Progress { under_way, complete };

  // What a dry run would have had refused says nothing about what was imported.
  void refuse_report_of_dry_run() const {
    const auto cursor = std::filesystem::path(report_name_ + ".cursor");
    std::error_code ignored;  // whether the report can be written is found out next
    if (!std::filesystem::exists(report_name_, ignored) || !std::filesystem::exists(cursor, ignored)) return;
    const auto text = read_private_file(cursor);
    const auto kept = text ? parse_json(text->reveal()) : Result<boost::json::value>(boost::json::value());
    const auto inner = kept && kept->is_object() ? parse_json(text_at(kept->get_object(), "cursor")) : kept;
    if (!inner || !inner->is_object() || !is_set(inner->get_object(), "dryRun")) return;
    throw Failure(report_name_ + " is the report of a dry run, which has imported nothing",
                  "another --report FILE; or delete it, with " + cursor.string(), kUsage);
  }

  // Reads up to where the former run was. Throws Failure for a report that is not of this file.
  void go_on() {
    if (!report_)
      throw Failure("--resume goes on with a file", "the same import again: who is there stays as they are", kUsage);
    bool has_lines_of_unknown = false;
    const auto kept = report_->kept_cursor(has_lines_of_unknown);
    if (has_lines_of_unknown) {
      throw Failure("nothing beside " + report_name_ + " says how far its import has come",
                    "import anew, with another --report: who is there already stays as they are", kUsage);
    }
    if (!kept) return;
    is_kept_ = true;
    const auto json = parse_json(*kept);
    const auto& cursor = json && json->is_object() ? json->get_object() : boost::json::object();
    const auto line = static_cast<std::uint64_t>(number_at(cursor, "line"));
    while (source_.place().line < line && source_.next()) check_interrupted();
    place_ = source_.place();
    if (place_.line != line || std::to_string(place_.fingerprint) != text_at(cursor, "fingerprint")) {
      throw Failure(options_.file + " is not what it was when " + report_name_ + " was written, up to line " +
                        std::to_string(line),
                    "import it anew, with another --report: who is there already stays as they are", kUsage);
    }
    created_ = number_at(cursor, "created");
    existing_ = number_at(cursor, "existing");
    refused_ = number_at(cursor, "refused");
    was_complete_ = is_set(cursor, "isComplete");
  }

  // False at the end of the file.
  bool take_batch() {
    std::vector<Waiting> batch;
    std::vector<Refused> refused;
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
        is_at_end = true;  // `place` stays behind the last record: blank lines may be followed by more later on
        break;
      }
      if (!record->user) {
        refused.push_back({record->line, {}, record->user.error()});
        place = source_.place();
        continue;
      }
      Waiting waiting{record->line, text_at(*record->user, "email"), *std::move(record->user)};
      const auto size = boost::json::serialize(waiting.user).size() + 1;
      if (size > kBytesOfBatch) {
        refused.push_back({waiting.line, waiting.email, "is too long"});
      } else if (bytes + size > kBytesOfBatch) {
        held_back_ = std::move(waiting);
        break;
      } else {
        bytes += size;
        batch.push_back(std::move(waiting));
      }
      place = source_.place();
    }
    if (!batch.empty()) send(batch, refused);
    report(std::move(refused));
    place_ = place;
    keep(Progress::under_way);
    show_progress();
    return !is_at_end;
  }

  void send(const std::vector<Waiting>& batch, std::vector<Refused>& refused) {
    boost::json::array users;
    for (const auto& waiting : batch) users.push_back(waiting.user);
    boost::json::object body{{"users", std::move(users)}};
    if (options_.is_dry_run) body["dryRun"] = true;
    const auto answer = api_.post("/v1/admin/users/import", body);
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
        refused.push_back({batch[i].line, batch[i].email, reason_of(result)});
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

  // Those of one batch, in the order of the file, whoever refused them.
  void report(std::vector<Refused> refused) {
    std::ranges::sort(refused, {}, &Refused::line);
    for (const auto& [line, email, reason] : refused) {
      ++refused_;
      if (refused_ <= kRefusalsShown) {
        std::string note = "Line " + std::to_string(line);
        if (!email.empty()) note.append(" (").append(email).append(")");
        desk_.console().note(note.append(": ").append(reason));
      }
      if (!report_) continue;
      boost::json::object entry{{"line", line}};
      if (!email.empty()) entry["email"] = email;
      entry["reason"] = reason;
      unreported_ += inert_json(boost::json::serialize(entry)) + "\n";
    }
  }

  void keep(Progress progress) {
    if (!report_) return;
    if (!unreported_.empty()) report_->append(unreported_);
    unreported_.clear();
    boost::json::object cursor{{"line", place_.line},
                               {"fingerprint", std::to_string(place_.fingerprint)},
                               {"created", created_},
                               {"existing", existing_},
                               {"refused", refused_}};
    if (options_.is_dry_run) cursor["dryRun"] = true;
    if (progress == Progress::complete) cursor["isComplete"] = true;
    report_->keep_cursor(boost::json::serialize(cursor));
    is_kept_ = true;
  }

  void show_progress() {
    auto text = (options_.is_dry_run ? "Checked up to line " : "Imported up to line ") + std::to_string(place_.line);
    if (const auto size = source_.size(); size && *size > 0) {
      text += " (" + std::to_string(std::min<std::uint64_t>(100, place_.bytes * 100 / *size)) + " %)";
    }
    desk_.console().progress(text + ": " + counts());
  }

  [[nodiscard]] std::string counts() const {
    return std::to_string(created_) + (options_.is_dry_run ? " to be created, " : " created, ") +
           std::to_string(existing_) + " there already, " + std::to_string(refused_) + " refused";
  }

  // Where no batch was done, there is nothing to go on with, and the same command begins again.
  void say_how_to_go_on() {
    if (!report_) return;
    if (!is_kept_) {
      remove_report();
    } else if (!options_.is_dry_run) {
      desk_.console().note("Go on with it: the same command with --resume.");
    }
  }

  void say_that_it_is_done() {
    desk_.console().note(options_.file + " has been imported already; " + report_name_ + " has what was refused.");
    if (desk_.is_json()) desk_.print_json(boost::json::object{{"file", options_.file}, {"isComplete", true}});
  }

  void finish() {
    if (report_ && refused_ == 0) {
      report_->complete();
      remove_report();
    } else {
      keep(Progress::complete);
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
  Api& api_;
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
  bool is_kept_ = false;       // beside the report there is how far it has come
  bool was_complete_ = false;  // before this run
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
  auto* resume = verb.add_flag("--resume", options->resumes,
                               "Go on with an import that was stopped, or with lines that were added to its file");
  verb.add_flag("--dry-run", options->is_dry_run, "Check every line, and change nothing")->excludes(resume);
}

}  // namespace safawinet::cli

// Checks of single values. A complaint completes the sentence "this value …": "must be …"; none means that it is fine.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "config/settings.hpp"

namespace safawinet::config {

using Complaint = std::optional<std::string>;

// "127.0.0.1:8080", "[::1]:8080", "localhost:0".
std::expected<ListenAddress, std::string> parse_listen_address(std::string_view text);

// Origins (RFC 6454 section 6.2) with http or https, in the spelling of browsers: lower case, no path, no user.
Complaint check_origin(std::string_view text);
// CIDR blocks or bare addresses (RFC 4632, RFC 4291 section 2.3) with no bits set behind the prefix.
Complaint check_network(std::string_view text);
// "postgresql://user@host:5432,other:5432/name". What is behind the scheme is read where it is used.
Complaint check_postgresql_url(std::string_view text);
Complaint check_email_address(std::string_view text);
// "Name <address>" or an address.
Complaint check_sender(std::string_view text);
// "https://host:port" or "http://…" without a path, for a service that we call.
Complaint check_endpoint(std::string_view text);
// A host name or an address, without a port.
Complaint check_host(std::string_view text);
// "eu-central-1"
Complaint check_aws_region(std::string_view text);
// "arn:aws:sns:eu-central-1:123456789012:name"
Complaint check_sns_topic(std::string_view text);
// RFC 2369: "https://…" or "mailto:address".
Complaint check_way_out(std::string_view text);
Complaint check_readable_file(const std::string& path);

// 32 bytes in base64 or base64url, as `openssl rand -base64 32` prints them.
std::expected<SecretText, std::string> parse_master_key(std::string_view text);

// "postgresql://user:secret@host/name?password=secret" -> "postgresql://***@host/name?password=***".
std::string without_credentials(std::string_view text);

// For people: in quotes, without credentials and control characters, cut short.
std::string in_quotes(std::string_view text);

// The candidate with the smallest edit distance, if one is near enough to be what was meant; else empty.
std::string_view closest(std::string_view text, std::span<const std::string_view> candidates);

}  // namespace safawinet::config

// What in a text could name a session: tokens, keys, ids, addresses. Any text: a cookie header, a line of a log, a
// dump.
//
// Says what looks like one, not what is one. The work is linear in the length of the text, and what is found is
// bounded, so the text may come from an enemy. Threading: any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace safawinet {

enum class ArtefactKind { access_token, refresh_token, api_key, id, email, ip_address, ip_network, request_id };
// "access-token", … ; "id" is what nobody knows yet whose it is.
std::string_view name_of(ArtefactKind kind);

struct Artefact {
  ArtefactKind kind;
  std::size_t offset = 0;  // bytes of the text before it
  // Tokens, keys and request ids as they stand there; the others in their one spelling: ids and e-mail addresses in
  // lower case, addresses and networks as IpAddress and IpNetwork write them. Of tokens and keys it is a secret.
  std::string text;
};

// A text that has more is cut: first tokens and keys are taken, then ids, e-mail addresses, and the rest.
inline constexpr std::size_t kArtefactsLimit = 50;

struct Artefacts {
  std::vector<Artefact> items;  // in the order of the text, each once
  bool is_cut = false;          // there are more
};

// A request id is recognised behind its name ("requestId": "…", X-Request-Id: …), since any word could be one.
Artefacts artefacts_in(std::string_view text);

}  // namespace safawinet

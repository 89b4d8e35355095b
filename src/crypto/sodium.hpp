// Inside src/crypto only.
#pragma once

namespace safawinet {

// libsodium chooses its implementations and opens its random source at the first call; later calls cost nothing. Must
// be called before anything else of libsodium. Throws std::runtime_error if it cannot be used. Threading: any thread.
void prepare_sodium();

}  // namespace safawinet

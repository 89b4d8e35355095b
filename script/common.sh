# Sourced by every script: stand in the repository's root, and build the same way everywhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# ccache refuses precompiled headers unless told that their time stamps may be ignored; the content is still compared.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
# What was compiled in one checkout is found again in another.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=true

# configure PRESET [CMAKE ARGUMENTS]: quiet when all is well, the whole output when it is not.
configure() {
  local preset=$1 output
  shift
  if ! output=$(cmake --preset "$preset" "$@" 2>&1); then
    printf '%s\n' "$output" >&2
    return 1
  fi
}

# build PRESET [TARGETS]: two at once in one folder would write over each other's files, so the second waits.
build() {
  local preset=$1
  shift
  flock "build/$preset" ninja -C "build/$preset" "$@" >&2
}

# say LINE: progress goes to stderr, so that stdout stays what the command itself prints.
say() { printf '%s\n' "$*" >&2; }

# What holds for every target: the language, the warnings, the sanitizers, the linker.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

set(SAFAWINET_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize= takes them (empty: none)")

find_program(SAFAWINET_CCACHE ccache)
if(SAFAWINET_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SAFAWINET_CCACHE})
endif()
find_program(SAFAWINET_MOLD mold)
if(SAFAWINET_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Wimplicit-fallthrough -Wswitch-enum -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports values inside coroutine frames, the frames' own allocation and inlined std::string copies that are not so.
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-mismatched-new-delete -fpch-preprocess)
endif()
if(SAFAWINET_SANITIZE)
  add_compile_options(-fsanitize=${SAFAWINET_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SAFAWINET_SANITIZE})
else()
  add_compile_definitions($<$<CONFIG:Release>:_GLIBCXX_ASSERTIONS>)
endif()
add_compile_options($<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2> -fstack-protector-strong)

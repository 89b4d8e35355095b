# safawinet_module(NAME SOURCES … LINKS … PRIVATE_LINKS … TESTS …)
#
# One module: the library safawinet_NAME, its unit tests safawinet_NAME_test (registered with ctest), and a check that
# each of its headers compiles alone (target safawinet_NAME_headers, built by script/lint). LINKS name the modules and
# libraries that its headers need; the list is the module's permission slip: what is not there cannot be included.
function(safawinet_module name)
  cmake_parse_arguments(PARSE_ARGV 1 module "" "" "SOURCES;LINKS;PRIVATE_LINKS;TESTS;TEST_LINKS")
  set(library safawinet_${name})
  add_library(${library} STATIC ${module_SOURCES})
  target_include_directories(${library} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${library} PUBLIC ${module_LINKS} PRIVATE ${module_PRIVATE_LINKS})
  safawinet_precompile(${library})

  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.hpp ${CMAKE_CURRENT_SOURCE_DIR}/*/*.hpp)
  set(alone)
  foreach(header IN LISTS headers)
    file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR}/src ${header})
    string(MAKE_C_IDENTIFIER ${relative} identifier)
    set(source ${CMAKE_CURRENT_BINARY_DIR}/alone/${identifier}.cpp)
    file(GENERATE OUTPUT ${source} CONTENT "#include \"${relative}\"\n")
    list(APPEND alone ${source})
  endforeach()
  if(alone)
    add_library(${library}_headers OBJECT EXCLUDE_FROM_ALL ${alone})
    target_link_libraries(${library}_headers PRIVATE ${library} ${module_PRIVATE_LINKS})
    add_dependencies(safawinet_headers ${library}_headers)
  endif()

  if(module_TESTS)
    add_executable(${library}_test ${module_TESTS})
    target_link_libraries(${library}_test PRIVATE ${library} ${module_PRIVATE_LINKS} ${module_TEST_LINKS}
      GTest::gmock GTest::gtest_main)
    safawinet_precompile(${library}_test)
    add_test(NAME ${name} COMMAND ${library}_test)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  endif()
endfunction()

add_custom_target(safawinet_headers)

# The standard headers that nearly every file needs are parsed once.
function(safawinet_precompile target)
  if(target STREQUAL "safawinet_base")
    target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src/base/precompiled.hpp)
  else()
    target_precompile_headers(${target} REUSE_FROM safawinet_base)
  endif()
endfunction()

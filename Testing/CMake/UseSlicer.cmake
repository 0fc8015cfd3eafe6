# The two macros that a scripted module calls. BUILD_TESTING is the caller's choice, as in Slicer.

if(NOT PROJECT_NAME)
  message(FATAL_ERROR "project() comes before include(\${Slicer_USE_FILE})")
endif()
set(EXTENSION_NAME ${PROJECT_NAME})
if(BUILD_TESTING)
  enable_testing()
endif()

function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MODULE "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MODULE_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: unknown ${MODULE_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT DEFINED MODULE_NAME)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: NAME is mandatory")
  endif()

  set(folder ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
  if(MODULE_WITH_SUBDIR)
    string(APPEND folder /${MODULE_NAME})
  endif()
  set(copies)
  foreach(file IN LISTS MODULE_SCRIPTS MODULE_RESOURCES)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    if(IS_ABSOLUTE ${file})
      # The real macro would put it outside the module folder.
      message(FATAL_ERROR "slicerMacroBuildScriptedModule: absolute path ${file}")
    endif()
    if(file IN_LIST MODULE_SCRIPTS AND NOT EXISTS ${source})
      string(APPEND source .py)  # a script may be named without its suffix
      string(APPEND file .py)
    endif()
    if(NOT EXISTS ${source})
      message(FATAL_ERROR "slicerMacroBuildScriptedModule: no file ${source}")
    endif()
    add_custom_command(
      OUTPUT ${folder}/${file}
      COMMAND ${CMAKE_COMMAND} -E copy ${source} ${folder}/${file}
      DEPENDS ${source}
      )
    list(APPEND copies ${folder}/${file})
  endforeach()
  add_custom_target(Copy${MODULE_NAME}PythonFiles ALL DEPENDS ${copies})
  install(DIRECTORY ${folder}/ DESTINATION ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR})
endfunction()

function(slicer_add_python_unittest)
  cmake_parse_arguments(TEST "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  if(TEST_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicer_add_python_unittest: unknown ${TEST_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${TEST_SCRIPT})
    message(FATAL_ERROR "slicer_add_python_unittest: no file ${CMAKE_CURRENT_SOURCE_DIR}/${TEST_SCRIPT}")
  endif()
  get_filename_component(name ${TEST_SCRIPT} NAME_WE)
  # The real one has Slicer import the file by this name from this folder and run its TestCases.
  add_test(
    NAME py_${TEST_TESTNAME_PREFIX}${name}
    COMMAND ${Slicer_LAUNCHER_EXECUTABLE} --testing ${TEST_SLICER_ARGS}
      --python-code "import slicer.testing; slicer.testing.runUnitTest(['${CMAKE_CURRENT_BINARY_DIR}', '${CMAKE_CURRENT_SOURCE_DIR}'], '${name}')"
    )
endfunction()

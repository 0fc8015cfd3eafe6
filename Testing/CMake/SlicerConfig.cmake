# A stand-in for Slicer's CMake package, so that the extension's CMake files are configured and
# built without the application: cmake -DSlicer_DIR=<this folder>.
#
# It keeps the contract of the real package as far as a scripted module meets it: the variables
# that an extension includes, unknown keywords and missing files refused, each file copied to
# the module folder of the build tree under its path relative to the calling CMakeLists.txt, and
# that folder installed; a test registered with CTest under the name and with the files that the
# real macro gives it. It compiles no Python, runs no test and knows no other macro.

set(Slicer_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})
set(Slicer_USE_FILE ${Slicer_CMAKE_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${Slicer_CMAKE_DIR}/GenerateConfig.cmake)
set(Slicer_EXTENSION_CPACK ${Slicer_CMAKE_DIR}/Package.cmake)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.12/qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR ${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
# Named by tests and never started here; CTest tells the command line of a program that exists.
set(Slicer_LAUNCHER_EXECUTABLE ${CMAKE_COMMAND})

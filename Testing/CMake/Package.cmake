# The real file reads the catalogue's fields into the package's description; so does this one,
# and refuses what the real one could not describe.
if(NOT Fake_GENERATED_CONFIG)
  message(FATAL_ERROR "include(\${Slicer_EXTENSION_GENERATE_CONFIG}) comes first")
endif()
set(description)
foreach(field HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if("${EXTENSION_${field}}" STREQUAL "")
    message(FATAL_ERROR "EXTENSION_${field} is not set")
  endif()
  string(TOLOWER ${field} key)
  string(APPEND description "${key} ${EXTENSION_${field}}\n")
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/${EXTENSION_NAME}.s4ext "${description}")

# SPDX-License-Identifier: MIT
# A relocatable install: headers, both archives, a CMake package and a .pc file.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/smallos)
install(TARGETS smallos_core smallos EXPORT smallos ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/smallos DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT smallos NAMESPACE smallos:: DESTINATION ${package_dir} FILE smallosTargets.cmake)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/smallosConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/smallosConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/smallosConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/smallosConfig.cmake ${PROJECT_BINARY_DIR}/smallosConfigVersion.cmake
        DESTINATION ${package_dir})

cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
           OUTPUT_VARIABLE SOS_PREFIX_FROM_PC)
list(TRANSFORM SOS_DEFINITIONS PREPEND -D OUTPUT_VARIABLE flags)
list(JOIN flags " " SOS_PC_FLAGS)
configure_file(${PROJECT_SOURCE_DIR}/cmake/smallos.pc.in ${PROJECT_BINARY_DIR}/smallos.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/smallos.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

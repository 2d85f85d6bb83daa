# The cpu device. The loops that define each operation are compiled twice, for float and for double.
file(GLOB ref_sources CONFIGURE_DEPENDS src/device/cpu/ref_*.c)
file(GLOB cpu_sources CONFIGURE_DEPENDS src/device/cpu/cpu*.c src/device/cpu/fast_*.c)
foreach(real float double)
    add_library(adn_ref_${real} OBJECT ${ref_sources})
    target_compile_definitions(adn_ref_${real} PRIVATE ADN_REAL_${real})
    if(ADN_SANITIZE MATCHES "thread") # the queue announces the bytes that each operation touches
        target_compile_options(adn_ref_${real} PRIVATE -fno-sanitize=thread)
    endif()
endforeach()
add_library(adn_cpu STATIC ${cpu_sources} src/device/cpu/queue.c
            $<TARGET_OBJECTS:adn_ref_float> $<TARGET_OBJECTS:adn_ref_double>)
target_link_libraries(adn_cpu PUBLIC adn_device ${DNNL_LIBRARY} OpenMP::OpenMP_C)
# ThreadSanitizer must see order where events make it, not where the queue's own locks do.
set_source_files_properties(src/device/cpu/cpu_rates.c PROPERTIES COMPILE_OPTIONS "-ffp-contract=fast")
set_source_files_properties(src/device/cpu/queue.c PROPERTIES COMPILE_OPTIONS "-fno-sanitize=thread")
if(ADN_SANITIZE MATCHES "thread")
    target_compile_definitions(adn_cpu PRIVATE ADN_TSAN) # libgomp and oneDNN are not instrumented: one
endif()                                                  # thread a team, our own loops

# The cpu device. The loops that define each operation are compiled twice, for float and for double.
file(GLOB ref_sources CONFIGURE_DEPENDS src/device/cpu/ref_*.c)
foreach(real float double)
    add_library(adn_ref_${real} OBJECT ${ref_sources})
    target_compile_definitions(adn_ref_${real} PRIVATE ADN_REAL_${real})
    if(ADN_SANITIZE MATCHES "thread") # the queue announces the bytes that each operation touches
        target_compile_options(adn_ref_${real} PRIVATE -fno-sanitize=thread)
    endif()
endforeach()

# The hot files are compiled for each kind of processor; cpu_isa.c chooses one when the device opens. ThreadSanitizer's
# builds run the loops alone, which are the same for all: once will do.
set(isas portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND NOT ADN_SANITIZE MATCHES "thread")
    list(APPEND isas v3 v4)
    set(isa_options_v3 -march=x86-64-v3)
    set(isa_options_v4 -march=x86-64-v4 -mprefer-vector-width=512)
endif()
# Those that touch activations are compiled once more, for bf16 (act.h).
file(GLOB hot_sources CONFIGURE_DEPENDS src/device/cpu/fast_*.c src/device/cpu/cpu_ways.c)
set(act_sources ${hot_sources})
list(FILTER act_sources INCLUDE REGEX "(elem|moments|norm|pool|wino|wino_transform|ways).c$")
set(hot_objects "")
foreach(isa ${isas})
    foreach(act float bf16)
        set(hot adn_hot_${isa}_${act})
        if(act STREQUAL "float")
            add_library(${hot} OBJECT ${hot_sources})
        else()
            add_library(${hot} OBJECT ${act_sources})
        endif()
        target_compile_definitions(${hot} PRIVATE ADN_ISA=${isa} ADN_ACT_${act})
        target_compile_options(${hot} PRIVATE ${isa_options_${isa}})
        target_link_libraries(${hot} PRIVATE OpenMP::OpenMP_C)
        if(ADN_SANITIZE MATCHES "thread") # libgomp and oneDNN are not instrumented: one thread a team, our own loops
            target_compile_definitions(${hot} PRIVATE ADN_TSAN)
        endif()
        list(APPEND hot_objects $<TARGET_OBJECTS:${hot}>)
    endforeach()
endforeach()

file(GLOB cpu_sources CONFIGURE_DEPENDS src/device/cpu/cpu*.c src/device/cpu/dnnl*.c)
list(FILTER cpu_sources EXCLUDE REGEX "cpu_ways.c$")
set(queue_sources src/device/cpu/queue.c src/device/cpu/queue_worker.c)
add_library(adn_cpu STATIC ${cpu_sources} ${queue_sources} ${hot_objects}
            $<TARGET_OBJECTS:adn_ref_float> $<TARGET_OBJECTS:adn_ref_double>)
target_include_directories(adn_cpu SYSTEM PRIVATE ${DNNL_INCLUDE})
target_link_libraries(adn_cpu PUBLIC adn_device ${DNNL_LIBRARY} OpenMP::OpenMP_C)
# ThreadSanitizer must see order where events make it, not where the queue's own locks do.
set_source_files_properties(${queue_sources} PROPERTIES COMPILE_OPTIONS "-fno-sanitize=thread")
if(ADN_SANITIZE MATCHES "thread")
    target_compile_definitions(adn_cpu PRIVATE ADN_TSAN)
endif()

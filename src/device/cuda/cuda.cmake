# The CUDA device: kernels/ through nvcc, the rest in C. Sets ADN_HAS_CUDA. Where nvcc, cuDNN or cuBLAS is missing,
# ADN_CUDA=AUTO goes on without and says what; ON fails.
set(ADN_CUDA AUTO CACHE STRING "the CUDA device: AUTO (where it can be built), ON or OFF")
set_property(CACHE ADN_CUDA PROPERTY STRINGS AUTO ON OFF)
# One PTX beside the code of GPUs: for those that are newer than this list.
set(ADN_CUDA_ARCHS "75-virtual;75-real;80-real;86-real;89-real;90-real;100-real;120-real" CACHE STRING
    "GPUs that kernels are compiled for, as CMAKE_CUDA_ARCHITECTURES names them")
set(ADN_HAS_CUDA OFF)
if(NOT ADN_CUDA)
    return()
endif()

set(missing "")
find_package(CUDAToolkit QUIET)
if(NOT CUDAToolkit_FOUND)
    list(APPEND missing "the CUDA toolkit")
elseif(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX}) # it need not be in PATH
    set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
endif()
set(CMAKE_CUDA_ARCHITECTURES ${ADN_CUDA_ARCHS})
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
    list(APPEND missing "nvcc")
endif()
find_path(CUDNN_INCLUDE cudnn.h PATHS ${CUDAToolkit_INCLUDE_DIRS} NO_CACHE)
find_library(CUDNN_LIBRARY cudnn PATHS ${CUDAToolkit_LIBRARY_DIR} NO_CACHE)
if(NOT CUDNN_INCLUDE OR NOT CUDNN_LIBRARY)
    list(APPEND missing "cuDNN")
endif()
find_path(NCCL_INCLUDE nccl.h PATHS ${CUDAToolkit_INCLUDE_DIRS} NO_CACHE)
if(NOT NCCL_INCLUDE)
    list(APPEND missing "NCCL")
endif()
if(CUDAToolkit_FOUND AND NOT TARGET CUDA::cublas)
    list(APPEND missing "cuBLAS")
endif()
if(missing)
    list(JOIN missing ", " missing)
    if(ADN_CUDA STREQUAL AUTO)
        message(STATUS "Without the CUDA device: not found: ${missing}")
        return()
    endif()
    message(FATAL_ERROR "ADN_CUDA=${ADN_CUDA}, but not found: ${missing}")
endif()

enable_language(CXX)
enable_language(CUDA)
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared) # one runtime in the process: cuDNN and cuBLAS have theirs from there, too
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_FLAGS_RELEASE "-O2")

# -no-compress: the PTX stays readable to tools that look for it. -fmad=false is -ffp-contract=off: kernels/common.cuh.
# A kernel that spills registers does not build.
file(GLOB kernel_sources CONFIGURE_DEPENDS kernels/*.cu)
add_library(adn_kernels STATIC ${kernel_sources})
target_compile_options(adn_kernels PRIVATE -no-compress -lineinfo -fmad=false -Werror all-warnings
                       -Xptxas -warn-spills,-Werror -Xcompiler -Wall,-Wextra,-Werror,-fno-exceptions,-fno-rtti)
target_include_directories(adn_kernels PUBLIC kernels)
target_include_directories(adn_kernels SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(adn_kernels PUBLIC CUDA::cudart)

# The table of GPU models that are planned for, from models/*.json: what cuDNN writes of such a GPU. totalGlobalMem is
# what drivers were seen to give to programs.
file(GLOB model_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/models/*.json)
set(model_rows "")
foreach(file ${model_files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} json)
    string(JSON full_name GET "${json}" deviceName)
    string(JSON bytes GET "${json}" totalGlobalMem)
    string(REPLACE "\"" "\\\"" json "${json}")
    string(REPLACE "\n" "\\n\"\n     \"" json "${json}")
    string(APPEND model_rows "    {\"${name}\", \"${full_name}\", ${bytes}u,\n     \"${json}\"},\n")
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/models/models.c.in ${CMAKE_BINARY_DIR}/cuda_models.c @ONLY)

adn_library(cuda device/cuda adn_device adn_kernels CUDA::cublas ${CUDNN_LIBRARY} ${CMAKE_DL_LIBS})
target_sources(adn_cuda PRIVATE ${CMAKE_BINARY_DIR}/cuda_models.c)
target_include_directories(adn_cuda SYSTEM PRIVATE ${CUDNN_INCLUDE} ${NCCL_INCLUDE})
set(ADN_HAS_CUDA ON)

// Finds the PTX in a fat binary.
//
//   wrapper   magic u32 | version u32 | container* | ...
//   container magic u32 | version u16 | header_bytes u16 | content_bytes u64 | entry...
//   entry     kind u16 | version u16 | header_bytes u32 | content_bytes u64 | ... | content
#include "fatbin.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace lab
{

namespace
{

const size_t CONTAINER_AT = 8, HEADER_BYTES_AT = 6, CONTENT_BYTES_AT = 8;
const size_t ENTRY_HEADER_BYTES_AT = 4, ENTRY_CONTENT_BYTES_AT = 8;
const uint16_t KIND_PTX = 1;

template <class T> T read_at(const char *from, size_t offset)
{
    T value;
    memcpy(&value, from + offset, sizeof(value));
    return value;
}

bool is_ptx_text(const char *text)
{
    text += strspn(text, "\n");
    return strncmp(text, ".version", 8) == 0 || strncmp(text, "//", 2) == 0;
}

} // namespace

std::string ptx_of_fatbin(const void *wrapper)
{
    auto container = read_at<const char *>(static_cast<const char *>(wrapper), CONTAINER_AT);
    size_t at = read_at<uint16_t>(container, HEADER_BYTES_AT);
    size_t end = at + read_at<uint64_t>(container, CONTENT_BYTES_AT);

    while (at < end) {
        const char *entry = container + at;
        size_t n_header = read_at<uint32_t>(entry, ENTRY_HEADER_BYTES_AT);
        size_t n_content = read_at<uint64_t>(entry, ENTRY_CONTENT_BYTES_AT);
        const char *content = entry + n_header;
        if (read_at<uint16_t>(entry, 0) == KIND_PTX) {
            if (is_ptx_text(content)) return std::string(content, strnlen(content, n_content));
            fprintf(stderr,
                    "cudalab: PTX in the fat binary is compressed; build with nvcc -no-compress\n");
        }
        at += n_header + n_content;
    }
    return "";
}

} // namespace lab

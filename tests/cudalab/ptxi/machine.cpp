// Messages that say where a kernel went wrong, and the options.
#include "machine.h"

#include <cstdio>
#include <stdexcept>

namespace ptxi
{

Options &options()
{
    static Options set;
    return set;
}

Where &where()
{
    static thread_local Where here;
    return here;
}

void fail(const std::string &what)
{
    const Where &here = where();
    std::string message = "ptxi: " + what;
    char text[200];

    if (here.warp != nullptr) {
        const Block &block = *here.warp->block;
        message += " in kernel " + block.function->name;
        snprintf(text, sizeof(text), ", block (%u,%u,%u), thread %d", block.index.x, block.index.y,
                 block.index.z, here.warp->thread_of(here.lane));
        message += text;
        if (here.instruction != nullptr) {
            snprintf(text, sizeof(text),
                     ", PTX line %d, source line %d: ", here.instruction->ptx_line,
                     here.instruction->source_line);
            auto at = static_cast<size_t>(here.instruction - block.function->code.data());
            message += text + block.function->text[at];
        }
    }
    throw std::runtime_error(message);
}

void fail_in_lane(int lane, const std::string &what)
{
    where().lane = lane;
    fail(what);
}

} // namespace ptxi

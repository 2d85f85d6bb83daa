// The race checker: what each byte of shared memory remembers.
#include "race.h"

#include "types.h"

namespace ptxi
{

bool Moment::is_ordered_before(const Moment &later) const
{
    if (thread < 0 || thread == later.thread || block_epoch != later.block_epoch) return true;
    return thread / WARP_SIZE == later.thread / WARP_SIZE && warp_epoch != later.warp_epoch;
}

void RaceChecker::reset(size_t n_bytes)
{
    bytes.assign(n_bytes, Byte());
}

void RaceChecker::add_reader(Byte &byte, const Moment &now)
{
    bool is_fresh = byte.reader.thread >= 0 && byte.reader.block_epoch == now.block_epoch;
    if (!is_fresh) {
        byte.other_lane = byte.other_warp = Moment();
    } else if (byte.reader.thread / WARP_SIZE != now.thread / WARP_SIZE) {
        byte.other_warp = byte.reader;
        byte.other_lane = Moment();
    } else if (byte.reader.thread != now.thread) {
        byte.other_lane = byte.reader;
    }
    byte.reader = now;
}

const char *RaceChecker::access(size_t at, size_t n, const Moment &now, bool is_write,
                                bool is_atomic)
{
    for (size_t i = 0; i < n && at + i < bytes.size(); i++) {
        Byte &byte = bytes[at + i];
        if (is_atomic) {
            byte.writer = Moment();
            continue;
        }
        if (!byte.writer.is_ordered_before(now))
            return is_write
                       ? "race: shared memory written by two threads without a barrier"
                       : "race: shared memory read after another thread's write without a barrier";
        if (!is_write) {
            add_reader(byte, now);
            continue;
        }
        for (const Moment *reader : {&byte.reader, &byte.other_lane, &byte.other_warp})
            if (!reader->is_ordered_before(now))
                return "race: shared memory written after another thread's read without a barrier";
        byte.writer = now;
    }
    return nullptr;
}

} // namespace ptxi

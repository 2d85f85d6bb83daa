// The race checker of shared memory: two threads of a block touch a byte, one of them writes, and
// nothing orders them. Barriers order all the block's threads, __syncwarp those of a warp. Atomics
// are never in a race.
#pragma once
#include <cstddef>
#include <vector>

namespace ptxi
{

// One thread at one time: threads of a warp are ordered if their warp epoch differs, others if the
// block epoch does.
struct Moment {
    int thread = -1; // none
    unsigned block_epoch = 0, warp_epoch = 0;

    bool is_ordered_before(const Moment &later) const;
};

class RaceChecker
{
  public:
    void reset(size_t n_bytes); // forgets everything; 0 bytes where nothing shall be checked

    // NULL, or what is wrong with an access to [at, at + n) now.
    const char *access(size_t at, size_t n, const Moment &now, bool is_write, bool is_atomic);

  private:
    // Three readers are enough for an exact answer: as soon as two warps have read a byte between
    // two barriers, every writer races with one of them, and within a warp any two lanes do the
    // same.
    struct Byte {
        Moment writer;
        Moment reader;     // the last
        Moment other_lane; // the last in the reader's warp that is another lane
        Moment other_warp; // one in another warp than the reader's, since the last barrier
    };
    static void add_reader(Byte &byte, const Moment &now);

    std::vector<Byte> bytes;
};

} // namespace ptxi

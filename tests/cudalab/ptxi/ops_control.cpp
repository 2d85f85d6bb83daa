// What moves the program counter, which the scheduler does: ret exit trap, block barriers. And what
// orders memory, which is nothing to do here. Branches and calls are read by the parser.
#include "barrier.h"
#include "instruction_table.h"

namespace ptxi
{

namespace
{

template <Control CONTROL> bool decode_control(const Form &form, Instruction &ins)
{
    ins.control = CONTROL;
    return form.operands.empty();
}

// Only barrier 0 with all threads: __syncthreads, and with a vote __syncthreads_count, _and, _or.
bool decode_barrier(const Form &form, Instruction &ins)
{
    bool is_vote = form.has("red");
    size_t id_at = is_vote ? 1 : 0;
    if (form.has("arrive") || form.has("warp") || form.operands.size() != (is_vote ? 3 : 1))
        return false;
    const Operand &id = form.operands[id_at];
    if (!id.is_constant || id.constant != 0) return false;
    ins.control = BARRIER;
    if (is_vote) {
        ins.dst = form.operands[0].slot;
        ins.src[0] = form.operands[2].slot;
        ins.src_negated[0] = form.operands[2].is_negated;
        ins.mode = form.has("popc") ? BARRIER_COUNT : form.has("and") ? BARRIER_AND : BARRIER_OR;
    }
    return true;
}

void run_nothing(Warp &, const Instruction &, uint32_t)
{
}

bool decode_nothing(const Form &, Instruction &ins)
{
    ins.execute = run_nothing;
    return true;
}

} // namespace

const Table &control_table()
{
    static const Table table = {
        {"ret", decode_control<RETURN>}, {"exit", decode_control<RETURN>},
        {"trap", decode_control<TRAP>},  {"brkpt", decode_control<TRAP>},
        {"bar", decode_barrier},         {"barrier", decode_barrier},
        {"membar", decode_nothing},      {"fence", decode_nothing},
        {"prefetch", decode_nothing},    {"prefetchu", decode_nothing},
        {"nanosleep", decode_nothing},   {"discard", decode_nothing},
    };
    return table;
}

} // namespace ptxi

/* Kinds to loops. */
#include "device/cpu/ref.h"

static const adn_ref_fn loops[ADN_N_OP] = {
#define X(kind, name) [ADN_OP_##kind] = REF(adn_ref_##name),
    REF_LOOPS(X)
#undef X
};

adn_ref_fn REF(adn_ref)(adn_op_kind kind)
{
    return loops[kind];
}

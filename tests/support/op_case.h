/* Cases of every kind of operation: descriptors at odd sizes, data made for them, the double loops'
 * answer, and how closely a device must agree with it. */
#ifndef ADN_TEST_OP_CASE_H
#define ADN_TEST_OP_CASE_H

#include "device/device.h"

typedef struct op_case {
    adn_op_desc desc; /* layout: none */
    double value[ADN_N_VALUE];
    int32_t halt;    /* before */
    int layout_n;    /* the batch that weights are laid out for */
    bool is_integer; /* small whole numbers: where a kind's sums are exact, so must the answer be */
    bool is_in_place;
    bool is_absent; /* memory that may be left out is */
    bool has_sums;  /* a convolution gives them, a norm reads them */
} op_case;

/* Calls fn for every case of a kind, descriptors of this type. */
void op_cases_each(adn_op_kind kind, adn_type type, void (*fn)(const op_case *c, void *user),
                   void *user);
/* "conv_fwd 5x7x9x16 -> 5x4x5x17 kernel 3 ..." Static memory. */
const char *op_case_text(const op_case *c);

bool op_is_norm(adn_op_kind kind);
bool op_has_layout(adn_op_kind kind);              /* its weights lie as a layout says */
bool op_case_has(const op_case *c, adn_role role); /* the case gives memory for the role */
/* The written role that may lie where a read one does. false: none. */
bool op_in_place(const op_case *c, adn_role *out, adn_role *in);

/* A case's memory on the host. Numbers are doubles that the case's type holds exactly, weights in
 * PyTorch's order; pixels, indices, labels, results as the device has them. NULL: the case has no
 * such role. */
typedef struct op_data {
    void *p[ADN_N_ROLE];
    size_t count[ADN_N_ROLE]; /* items */
} op_data;

bool op_is_real(const op_case *c, adn_role role); /* the role holds doubles in op_data */
size_t op_item_bytes(const op_case *c, adn_role role);
bool op_is_bf16(const op_case *c, adn_role role);
/* The number as a case's memory of that role has it: rounded to float, or to bf16. */
double op_held(const op_case *c, adn_role role, double number);
void op_data_init(op_data *data, const op_case *c,
                  uint64_t seed); /* what is only written holds OP_UNSET */
void op_data_copy(op_data *to, const op_data *from, const op_case *c);
void op_data_clear(op_data *data);
/* op_augment.c: lists of transforms for AUGMENT, n_list of them; images [n, h, w, c] of a set; the
 * moves that op_data_init draws are adn_augment_draw's of this seed and epoch. */
enum { OP_AUGMENT_LISTS = 8, OP_AUGMENT_SEED = 3, OP_AUGMENT_EPOCH = 2 };
void op_augment_set(op_case *c, int list, int n_batch);
void op_augment_each(adn_type type, void (*fn)(const op_case *c, void *user), void *user);
void op_augment_draw(const op_case *c, uint32_t *picks, adn_move *moves);
enum { OP_SEED = 7 }; /* of cases that are compared */
enum { OP_UNSET = -77, OP_UNSET_INDEX = 0xee };

/* The loops in double. */
void op_run_loops(const op_case *c, op_data *data);

/* |got - wanted| <= relative |wanted| + absolute * length of the sum. */
typedef struct op_tolerance {
    adn_op_kind kind;
    const char *algo; /* NULL: every way that has no row of its own */
    double relative, absolute;
    bool is_exact_on_integers;
    const char *reason;
} op_tolerance;

const op_tolerance *op_tolerance_of(adn_op_kind kind, const char *algo);
/* Asserts that `got` agrees with `wanted` in all that the operation writes. */
void op_data_compare(const op_case *c, const op_data *got, const op_data *wanted, const char *algo);

#endif

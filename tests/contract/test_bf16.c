/* Between floats and bf16, on every processor: all bf16 come back, floats go to the nearest, of two
 * the even one, and what is not a number stays so. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "device/cpu/cpu.h"
#include "devices.h"
#include "suite.h"

enum { ALL = 65536, ODD = 37 }; /* a last vector that is not whole */

static devices all;

typedef struct convert_call { /* either wide or narrow is read */
    adn_queue *q;
    float *wide;
    adn_bf16 *narrow;
    size_t n;
    bool narrows;
} convert_call;

static adn_status convert_on_worker(void *user)
{
    const convert_call *c = user;
    const adn_cpu_isa *isa = adn_cpu_queue_isa(c->q);

    if (c->narrows)
        isa->narrow(c->narrow, c->wide, c->n);
    else
        isa->widen(c->wide, c->narrow, c->n);
    return ADN_OK;
}

/* By a team of two. */
static void convert(int device, bool narrows, float *wide, adn_bf16 *narrow, size_t n)
{
    adn_queue *q = all.one[device].queues[1];
    convert_call c = {q, wide, narrow, n, narrows};
    ck_assert_int_eq(adn_cpu_queue_call(q, convert_on_worker, &c), ADN_OK);
}

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* By the distance to both neighbours, in double. */
static uint16_t nearest(float f)
{
    uint16_t low = (uint16_t)(bits_of(f) >> 16), high = (uint16_t)(low + 1);
    double below = adn_bf16_float((adn_bf16){low}), above = adn_bf16_float((adn_bf16){high});

    if (isinf(above)) above = copysign(ldexp(1, 128), below); /* as if there were one more */
    double to_low = fabs((double)f - below), to_high = fabs(above - (double)f);
    if (to_low == to_high) return low % 2 == 0 ? low : high;
    return to_low < to_high ? low : high;
}

START_TEST(every_bf16_comes_back)
{
    static adn_bf16 from[ALL], back[ALL];
    static float wide[ALL];

    for (uint32_t k = 0; k < ALL; k++) from[k] = (adn_bf16){(uint16_t)k};
    for (int i = 0; i < all.n; i++) {
        convert(i, false, wide, from, ALL);
        convert(i, true, wide, back, ALL);
        for (uint32_t k = 0; k < ALL; k++) {
            ck_assert_uint_eq(bits_of(wide[k]), k << 16);
            if (isnan(wide[k]))
                ck_assert(isnan(adn_bf16_float(back[k])));
            else
                ck_assert_uint_eq(back[k].bits, k);
        }
    }
}
END_TEST

START_TEST(floats_go_to_the_nearest)
{
    enum { N = 4096 + ODD };
    static float from[N];
    static adn_bf16 to[N];

    for (uint32_t k = 0; k < N; k++) {
        adn_draw d = adn_rng_draw(3, ADN_RNG_TEST, 0, k);
        from[k] = float_of(k % 3 == 0 ? (d.u[0] & 0xffff0000) | 0x8000 : d.u[0]); /* ties too */
        if (k % 64 == 1) from[k] = float_of(d.u[0] | 0x7f800000);                 /* no numbers */
        if (k % 64 == 2) from[k] = float_of(0x7f7fffff | (d.u[0] & 0x80000000));  /* the largest */
        if (k % 64 == 4) from[k] = float_of(0x7f800001);                          /* a low bit */
        if (k % 64 == 5) from[k] = float_of(d.u[0] & 0x807fffff);                 /* subnormal */
        if (k % 64 == 7) from[k] = copysignf(INFINITY, from[k]);
    }
    for (int i = 0; i < all.n; i++) {
        convert(i, true, from, to, N);
        for (uint32_t k = 0; k < N; k++) {
            if (isnan(from[k]))
                ck_assert(isnan(adn_bf16_float(to[k])) &&
                          isnan(adn_bf16_float(adn_bf16_of(from[k]))));
            else if (isinf(from[k]))
                ck_assert_uint_eq(to[k].bits, bits_of(from[k]) >> 16);
            else
                ck_assert_msg(to[k].bits == nearest(from[k]), "%s: %a goes to %#x, not %#x",
                              adn_cpu_queue_isa(all.one[i].queues[1])->name, from[k], to[k].bits,
                              nearest(from[k]));
            if (!isnan(from[k])) ck_assert_uint_eq(adn_bf16_of(from[k]).bits, to[k].bits);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bf16");
    TCase *tc = tcase_create("bf16");
    devices_open(&all);
    tcase_add_test(tc, every_bf16_comes_back);
    tcase_add_test(tc, floats_go_to_the_nearest);
    suite_add_tcase(suite, tc);
    int result = adn_suite_run(suite);
    devices_close(&all);
    return result;
}

/* Augmentation on a device gives the bytes that the host gives (adn_augment), on every device that
 * opens. */
#include <check.h>
#include <string.h>

#include "data/data.h"
#include "devices.h"
#include "op_run.h"
#include "suite.h"

static devices all;

static void check_bytes(const op_case *c, const op_data *got)
{
    const adn_op_desc *d = &c->desc;
    size_t bytes = (size_t)d->src.h * (size_t)d->src.w * (size_t)d->src.c;
    const uint32_t *picks = got->p[ADN_PICKS];
    uint8_t *expected = adn_alloc(bytes);

    ck_assert_ptr_nonnull(expected);
    for (int i = 0; i < d->dst.n; i++) {
        const uint8_t *image = (const uint8_t *)got->p[ADN_SRC] + picks[i] * bytes;
        const uint8_t *made = (const uint8_t *)got->p[ADN_DST] + (size_t)i * bytes;
        adn_augment(d->u.augment.list, d->u.augment.n_transform, OP_AUGMENT_SEED, OP_AUGMENT_EPOCH,
                    picks[i], d->src.h, d->src.w, d->src.c, d->u.augment.fill, image, expected);
        for (size_t k = 0; k < bytes; k++)
            if (made[k] != expected[k])
                ck_abort_msg("%s: image %d, byte %zu: %d, the host's is %d", op_case_text(c), i, k,
                             made[k], expected[k]);
    }
    adn_free(expected);
}

static void check_case(const op_case *c, void *user)
{
    op_data data;

    op_data_init(&data, c, OP_SEED);
    op_run(user, c, &data);
    check_bytes(c, &data);
    op_data_clear(&data);
}

START_TEST(a_device_augments_to_the_hosts_bytes)
{
    for (int i = 0; i < all.n; i++)
        op_cases_each(ADN_OP_AUGMENT, ADN_F32, check_case, all.one[i].queues[0]);
}
END_TEST

START_TEST(a_batch_is_what_must_move_not_the_set)
{
    op_case c = {.desc = {.kind = ADN_OP_AUGMENT, .src = {50, 8, 8, 3}, .dst = {4, 8, 8, 3}}};

    op_augment_set(&c, 0, 4);
    ck_assert_double_eq(adn_op_bytes(&c.desc), 4 * (2 * 192 + sizeof(uint32_t) + 3 * 8));
    ck_assert_uint_eq(adn_op_role_bytes(&c.desc, ADN_SRC), 50 * 192);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("augment");
    TCase *tc = tcase_create("bytes");

    devices_open(&all);
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, a_device_augments_to_the_hosts_bytes);
    tcase_add_test(tc, a_batch_is_what_must_move_not_the_set);
    suite_add_tcase(suite, tc);
    int result = adn_suite_run(suite);
    devices_close(&all);
    return result;
}

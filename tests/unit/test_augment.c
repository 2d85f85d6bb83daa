/* The order of an epoch, and augmentation against plain loops over pixels. */
#include "suite.h"

#include <string.h>

#include "core/rng.h"
#include "data/data.h"

START_TEST(the_order_is_a_permutation)
{
    static const int sizes[] = {0, 1, 2, 3, 4, 5, 7, 128, 1000};
    uint32_t order[1000];

    for (size_t k = 0; k < ADN_COUNT(sizes); k++) {
        bool seen[1000] = {false};
        adn_order_epoch(1, 1, sizes[k], order);
        for (int i = 0; i < sizes[k]; i++) {
            ck_assert_uint_lt(order[i], (uint32_t)sizes[k]);
            ck_assert(!seen[order[i]]);
            seen[order[i]] = true;
        }
    }
}
END_TEST

START_TEST(the_order_differs_by_epoch_and_by_seed_and_repeats)
{
    uint32_t a[500], b[500];

    adn_order_epoch(1, 1, 500, a);
    adn_order_epoch(1, 1, 500, b);
    ck_assert_mem_eq(a, b, sizeof(a));
    adn_order_epoch(1, 2, 500, b);
    ck_assert_mem_ne(a, b, sizeof(a));
    adn_order_epoch(2, 1, 500, b);
    ck_assert_mem_ne(a, b, sizeof(a));
    adn_order_epoch(UINT64_C(1) << 32 | 1, 1, 500, b);
    ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

START_TEST(every_permutation_of_four_is_equally_likely)
{
    enum { ROUNDS = 24 * 400 };
    int count[256] = {0}, kinds = 0;
    double chi = 0;

    for (int epoch = 1; epoch <= ROUNDS; epoch++) {
        uint32_t o[4];
        adn_order_epoch(5, epoch, 4, o);
        count[o[0] << 6 | o[1] << 4 | o[2] << 2 | o[3]]++;
    }
    for (int i = 0; i < 256; i++)
        if (count[i] > 0) {
            kinds++;
            chi += (count[i] - 400) * (count[i] - 400) / 400.0;
        }
    ck_assert_int_eq(kinds, 24);
    ck_assert_double_lt(chi, 49.7); /* 23 degrees of freedom: one in a thousand lies above */
}
END_TEST

static void plain_crop(int h, int w, int c, int oy, int ox, int pad, uint8_t *image)
{
    uint8_t padded[64 * 64 * 4] = {0};
    int pw = w + 2 * pad;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                padded[((y + pad) * pw + x + pad) * c + k] = image[(y * w + x) * c + k];
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                image[(y * w + x) * c + k] = padded[((y + oy) * pw + x + ox) * c + k];
}

static void plain_flip(int h, int w, int c, uint8_t *image)
{
    uint8_t was[32 * 32 * 4];

    memcpy(was, image, (size_t)(h * w * c));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                image[(y * w + x) * c + k] = was[(y * w + w - 1 - x) * c + k];
}

static void plain_cutout(int h, int w, int c, int cy, int cx, int side, const uint8_t *fill,
                         uint8_t *image)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            if (y >= cy - side / 2 && y < cy - side / 2 + side && x >= cx - side / 2 &&
                x < cx - side / 2 + side)
                for (int k = 0; k < c; k++) image[(y * w + x) * c + k] = fill[k];
}

static void plain_augment(const adn_aug_conf *list, int n, uint64_t seed, int epoch,
                          uint32_t sample, int h, int w, int c, const uint8_t *fill, uint8_t *image)
{
    for (int t = 0; t < n; t++) {
        adn_draw d =
            adn_rng_draw(seed, ADN_RNG_AUGMENT, (uint64_t)epoch, 16ull * sample + (unsigned)t);
        uint32_t m = 2 * (uint32_t)list[t].size + 1;
        if (list[t].kind == ADN_AUG_CROP)
            plain_crop(h, w, c, (int)adn_rng_below(d.u[0], m), (int)adn_rng_below(d.u[1], m),
                       list[t].size, image);
        else if (list[t].kind == ADN_AUG_FLIP && d.u[0] >= 0x80000000u)
            plain_flip(h, w, c, image);
        else if (list[t].kind == ADN_AUG_CUTOUT)
            plain_cutout(h, w, c, (int)adn_rng_below(d.u[0], (uint32_t)h),
                         (int)adn_rng_below(d.u[1], (uint32_t)w), list[t].size, fill, image);
    }
}

START_TEST(augmentation_equals_a_plain_loop_over_pixels)
{
    static const struct {
        int n;
        adn_aug_conf list[4];
    } lists[] = {
        {0, {{0}}},
        {1, {{ADN_AUG_CROP, 4}}},
        {1, {{ADN_AUG_CROP, 0}}},
        {1, {{ADN_AUG_CROP, 12}}}, /* wider than the image: may be all black */
        {1, {{ADN_AUG_FLIP, 0}}},
        {1, {{ADN_AUG_CUTOUT, 1}}},
        {1, {{ADN_AUG_CUTOUT, 4}}},
        {1, {{ADN_AUG_CUTOUT, 40}}},
        {3, {{ADN_AUG_CROP, 2}, {ADN_AUG_FLIP, 0}, {ADN_AUG_CUTOUT, 3}}},
        {4, {{ADN_AUG_CUTOUT, 3}, {ADN_AUG_FLIP, 0}, {ADN_AUG_CROP, 3}, {ADN_AUG_CROP, 12}}},
    };
    static const int shapes[][3] = {{7, 6, 3}, {8, 8, 1}, {1, 1, 3},
                                    {5, 9, 4}, {1, 8, 2}, {32, 32, 3}};
    uint8_t src[32 * 32 * 4], dst[32 * 32 * 4 + 8], expected[32 * 32 * 4];
    const uint8_t fill[] = {200, 100, 50, 25};

    for (size_t i = 0; i < sizeof(src); i++) src[i] = (uint8_t)(1 + i * 13 % 251);
    for (size_t s = 0; s < ADN_COUNT(shapes); s++) {
        int h = shapes[s][0], w = shapes[s][1], c = shapes[s][2];
        size_t bytes = (size_t)(h * w * c);
        for (size_t k = 0; k < ADN_COUNT(lists); k++)
            for (uint32_t sample = 0; sample < 100; sample++) {
                memset(dst, 0xee, sizeof(dst));
                memcpy(expected, src, bytes);
                plain_augment(lists[k].list, lists[k].n, 3, 2, sample, h, w, c, fill, expected);
                adn_augment(lists[k].list, lists[k].n, 3, 2, sample, h, w, c, fill, src, dst);
                ck_assert_mem_eq(dst, expected, bytes);
                for (size_t i = bytes; i < bytes + 8; i++) ck_assert_int_eq(dst[i], 0xee);
            }
    }
}
END_TEST

START_TEST(every_crop_offset_and_both_sides_come_up_evenly)
{
    enum { ROUNDS = 25000 };
    const adn_aug_conf crop = {ADN_AUG_CROP, 2}, flip = {ADN_AUG_FLIP, 0};
    uint8_t src[25], dst[25];
    int count[25] = {0}, n_flip = 0;

    for (int i = 0; i < 25; i++) src[i] = (uint8_t)(i + 1);
    for (uint32_t s = 0; s < ROUNDS; s++) {
        adn_augment(&crop, 1, 1, 1, s, 5, 5, 1, NULL, src, dst);
        ck_assert_int_gt(dst[12], 0); /* the centre shows which pixel came there */
        count[dst[12] - 1]++;
        adn_augment(&flip, 1, 1, 1, s, 5, 5, 1, NULL, src, dst);
        n_flip += dst[0] == 5;
    }
    for (int i = 0; i < 25; i++) {
        ck_assert_int_gt(count[i], 1000 - 155); /* five standard deviations */
        ck_assert_int_lt(count[i], 1000 + 155);
    }
    ck_assert_int_gt(n_flip, ROUNDS / 2 - 400);
    ck_assert_int_lt(n_flip, ROUNDS / 2 + 400);
}
END_TEST

START_TEST(augmentation_differs_by_seed_epoch_and_sample)
{
    const adn_aug_conf crop = {ADN_AUG_CROP, 15}; /* 961 offsets: chance rarely repeats one */
    uint8_t src[32 * 32], a[32 * 32], b[32 * 32];
    const struct {
        uint64_t seed;
        int epoch;
        uint32_t sample;
    } other[] = {{2, 1, 1}, {1, 2, 1}, {1, 1, 2}, {1, 1, 0x80000001u}};

    for (size_t i = 0; i < sizeof(src); i++) src[i] = (uint8_t)(1 + i % 255);
    for (size_t k = 0; k < ADN_COUNT(other); k++) {
        int n_same = 0;
        for (uint32_t s = 0; s < 64; s++) {
            adn_augment(&crop, 1, 1, 1, 16 * s + 1, 32, 32, 1, NULL, src, a);
            adn_augment(&crop, 1, other[k].seed, other[k].epoch, 16 * s + other[k].sample, 32, 32,
                        1, NULL, src, b);
            n_same += memcmp(a, b, sizeof(a)) == 0;
        }
        ck_assert_int_le(n_same, 2);
    }
}
END_TEST

/* What is drawn says all: done by plain loops, it gives what augmentation gives. */
START_TEST(moves_say_what_augmentation_does)
{
    static const adn_aug_conf list[] = {
        {ADN_AUG_CUTOUT, 3}, {ADN_AUG_FLIP, 0}, {ADN_AUG_CROP, 3}, {ADN_AUG_CROP, 12}};
    enum { H = 7, WIDTH = 6, C = 3, BYTES = H * WIDTH * C, N = ADN_COUNT(list) };
    const uint8_t fill[] = {200, 100, 50};
    uint8_t src[BYTES], got[BYTES], expected[BYTES];
    adn_move m[N];

    for (int i = 0; i < BYTES; i++) src[i] = (uint8_t)(1 + i * 13 % 251);
    for (uint32_t sample = 0; sample < 200; sample++) {
        memcpy(expected, src, BYTES);
        adn_augment_draw(list, N, 3, 2, sample, H, WIDTH, m);
        plain_cutout(H, WIDTH, C, m[0].y, m[0].x, 3, fill, expected);
        if (m[1].x == 1) plain_flip(H, WIDTH, C, expected);
        for (int t = 2; t < N; t++)
            plain_crop(H, WIDTH, C, m[t].y + list[t].size, m[t].x + list[t].size, list[t].size,
                       expected);
        adn_augment(list, N, 3, 2, sample, H, WIDTH, C, fill, src, got);
        ck_assert_mem_eq(got, expected, BYTES);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("augment");
    TCase *order = tcase_create("order");
    TCase *augment = tcase_create("augment");

    tcase_add_test(order, the_order_is_a_permutation);
    tcase_add_test(order, the_order_differs_by_epoch_and_by_seed_and_repeats);
    tcase_add_test(order, every_permutation_of_four_is_equally_likely);
    tcase_add_test(augment, augmentation_equals_a_plain_loop_over_pixels);
    tcase_add_test(augment, every_crop_offset_and_both_sides_come_up_evenly);
    tcase_add_test(augment, augmentation_differs_by_seed_epoch_and_sample);
    tcase_add_test(augment, moves_say_what_augmentation_does);
    suite_add_tcase(suite, order);
    suite_add_tcase(suite, augment);
    return adn_suite_run(suite);
}

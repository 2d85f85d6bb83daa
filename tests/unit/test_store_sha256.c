/* SHA-256 against FIPS 180-4. */
#include <string.h>

#include "core/core.h"
#include "store/sha256.h"
#include "suite.h"

START_TEST(it_gives_the_published_hashes)
{
    static const struct {
        const char *text, *hash;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mnopqrsmnopqrstnop"
         "qrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hash[ADN_SHA256_TEXT];
    for (size_t i = 0; i < ADN_COUNT(known); i++) {
        adn_sha256_of(known[i].text, strlen(known[i].text), hash);
        ck_assert_str_eq(hash, known[i].hash);
    }
    adn_sha256 h;
    char piece[1000];
    memset(piece, 'a', sizeof(piece));
    adn_sha256_init(&h);
    for (int i = 0; i < 1000; i++) adn_sha256_add(&h, piece, sizeof(piece));
    adn_sha256_text(&h, hash);
    ck_assert_str_eq(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

START_TEST(it_does_not_care_how_the_bytes_are_cut)
{
    char bytes[200], whole[ADN_SHA256_TEXT], cut[ADN_SHA256_TEXT];
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        for (size_t i = 0; i < n; i++) bytes[i] = (char)(i * 7 + n);
        adn_sha256_of(bytes, n, whole);
        for (size_t at = 0; at <= n; at += 13) {
            adn_sha256 h;
            adn_sha256_init(&h);
            adn_sha256_add(&h, bytes, at);
            adn_sha256_add(&h, bytes + at, n - at);
            adn_sha256_text(&h, cut);
            ck_assert_str_eq(cut, whole);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_sha256");
    TCase *tc = tcase_create("sha256");

    tcase_add_test(tc, it_gives_the_published_hashes);
    tcase_add_test(tc, it_does_not_care_how_the_bytes_are_cut);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}

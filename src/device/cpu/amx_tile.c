/* Products of tiles (amx_tile.h). This file holds nothing but tile instructions: gcc is not told
 * which memory they read, and calls of another file's functions keep what it knows apart. */
#include "device/cpu/amx_tile.h"

#include <immintrin.h>

enum { LINE = 64 }; /* bytes of a tile's row */

/* What ldtilecfg reads. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

void adn_amx_begin(void)
{
    static const tile_config whole = {.palette = 1,
                                      .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
                                      .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&whole);
}

void adn_amx_end(void)
{
    _tile_release();
}

void adn_amx_product(const adn_amx_run *runs, size_t n_run, size_t n_step, const adn_bf16 *left,
                     const adn_bf16 *right, bool is_first, float *sum)
{
    enum { ROW = SIDE * (int)sizeof(float), LOW = HALF * SIDE }; /* LOW: to the lower sums */

    if (is_first) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, sum, ROW);
        _tile_loadd(1, sum + HALF, ROW);
        _tile_loadd(2, sum + LOW, ROW);
        _tile_loadd(3, sum + LOW + HALF, ROW);
    }
    for (size_t r = 0; r < n_run; r++) {
        const adn_bf16 *a = left + runs[r].left, *b = right + runs[r].right;
        for (size_t k = 0; k < n_step; k++, a += STEP, b += STEP) {
            _tile_loadd(4, a, LINE);
            _tile_stream_loadd(6, b, LINE); /* no room in the first-level cache: for the left */
            _tile_dpbf16ps(0, 4, 6);
            _tile_stream_loadd(7, b + STEP / 2, LINE);
            _tile_dpbf16ps(1, 4, 7);
            _tile_loadd(5, a + STEP / 2, LINE);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, sum, ROW);
    _tile_stored(1, sum + HALF, ROW);
    _tile_stored(2, sum + LOW, ROW);
    _tile_stored(3, sum + LOW + HALF, ROW);
}

float adn_amx_peak(int rounds)
{
    adn_amx_begin(); /* all tiles are zero */
    for (int r = 0; r < rounds; r++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    adn_amx_end();
    return 1;
}

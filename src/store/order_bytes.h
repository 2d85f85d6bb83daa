/* Inside of src/store only: the bytes of order.bin, for order.c, which writes them, and
 * order_read.c. Little-endian:
 *
 *   header   0        8         12        16          24         32
 *            | magic  | version | n_block | first_step | (zero)  |
 *            adnorder   u32       u32       u64          u64
 *
 *   record   0       2         3         6          9             16
 *            | stage | how     | in_slot | out_slot | source_step |
 *              u16     u8        u24       u24        u56
 *
 *   how: act in its lowest three bits, flags in the others. stage is one more than the stage's
 *   number, 0: the source. A slot of 0xffffff: none. The source
 *   takes none, so a record of zeroes, as a power failure may leave, is refused. */
#ifndef ADN_ORDER_BYTES_H
#define ADN_ORDER_BYTES_H

#include "adonis/train.h"
#include "store/order.h"

enum {
    ADN_ORDER_VERSION = 1,
    ADN_ORDER_HEADER = 32,
    ADN_ORDER_RECORD = 16,
    ADN_ORDER_NONE = ADN_ORDER_SLOTS,
    /* A write every 4096 steps: far apart beside any step's work, small beside a queue's memory. */
    ADN_ORDER_BUFFER = 4096 * ADN_ORDER_RECORD
};
#define ADN_ORDER_MAGIC "adnorder"

static inline void adn_order_put(uint8_t *at, int n, uint64_t value)
{
    for (int i = 0; i < n; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t adn_order_get(const uint8_t *at, int n)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

#endif

/* Every convolution that a network of the zoo may run, each graph once: of all nets, with a cut
 * behind every unit, the heads that have convolutions, both types, two batches, all passes. */
#ifndef ADN_TEST_ZOO_CONVS_H
#define ADN_TEST_ZOO_CONVS_H

#include "device/device.h"

enum { ZOO_MAX_NETS = 32 };

typedef struct zoo_conv {
    adn_op_desc desc; /* CONV_FWD, CONV_GRAD_SRC or CONV_GRAD_PARAM */
    uint32_t nets;    /* bit k: net k has it */
} zoo_conv;

typedef struct zoo_convs {
    zoo_conv *conv;
    int n, room;
    const char *net[ZOO_MAX_NETS];
    int n_net;
} zoo_convs;

extern const int zoo_batches[2];
extern const adn_type zoo_types[2];

/* Images of 32x32x3. */
adn_status zoo_convs_create(zoo_convs *out) ADN_MUST_USE;
void zoo_convs_clear(zoo_convs *z);

#endif

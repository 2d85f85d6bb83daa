/* Convolutions that our own ways leave: oneDNN's, weights in blocks of its own. */
#ifndef ADN_DNNL_CONV_H
#define ADN_DNNL_CONV_H

#include "device/cpu/cpu.h"

adn_status adn_dnnl_conv_plan(adn_cpu_op *op);
adn_status adn_dnnl_layout(adn_cpu_layout *l, const adn_op_desc *fwd);

#endif

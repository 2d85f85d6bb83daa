/* Convolutions and linear layers over bf16 by tiles' products (amx_map.h). Weights lie in panels
 * (fast_panel.h) of floats; they are rounded to bf16 when a pass begins. */
#ifndef ADN_AMX_H
#define ADN_AMX_H

#include "device/cpu/amx_pack.h"
#include "device/cpu/amx_take.h"

typedef struct adn_amx {
    adn_amx_map map;
    const adn_panels *panels;
    size_t n_panel; /* of the pass' outputs */
    /* Forward, and gradients of inputs. */
    size_t inputs, panel; /* elements of a block's inputs, of a panel's weights */
    bool is_fly;          /* one block: a panel is packed when it is needed, and stays in a cache */
    size_t n_run;         /* of a thread, at most */
    /* Gradients of weights. */
    size_t n_steps, n_outs, n_taps; /* ranges: of steps of inputs, of panels, of taps */
    size_t steps, outs;             /* of a range, at most */
    size_t left, right, sums;       /* elements of a thread's factors, floats of its sums */
    adn_bf16 ones[STEP];            /* a right factor: sums */
} adn_amx;

/* All passes; of a convolution, if `conv` does not ask for Winograd's transforms. */
adn_status adn_amx_plan(adn_cpu_op *op);
/* Gradients of weights (amx_grad.c): fills op->run, op->base.workspace_bytes and d. */
void adn_amx_plan_grad(adn_cpu_op *op, adn_amx *d);

#endif

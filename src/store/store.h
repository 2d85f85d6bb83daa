/* What lives on disk: safetensors files, checkpoints, the run directory. */
#ifndef ADN_STORE_H
#define ADN_STORE_H

#include "store/safetensors.h" /* one file of named tensors */
#include "store/checkpoint.h"  /* a folder of them that is whole or not there */
#include "store/order.h"       /* the order of a run's events */
#include "store/rundir.h"      /* everything else a run leaves behind */

#endif

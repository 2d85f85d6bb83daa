/* The kernels' launchers behind a device table, as far as op_run needs one: so that they run under
 * its guards with nothing of the CUDA device around them. Names are the loops' ("kernels"). */
#ifndef ADN_TEST_KERNEL_DEVICE_H
#define ADN_TEST_KERNEL_DEVICE_H

#include "device/device.h"

/* False where no GPU opens; *why says it. One at a time. */
bool kernel_device_open(adn_queue **out, const char **why);
void kernel_device_close(void);
/* Memory from here on lies so many bytes behind what is aligned: 0, or 8, where elements are still
 * aligned but nothing moves by 16 bytes. */
void kernel_device_skew(size_t bytes);
bool kernel_device_runs(adn_op_kind kind); /* has kernels of ours */

#endif

/* Runs one operation of a device on host data, under guard. */
#ifndef ADN_TEST_OP_RUN_H
#define ADN_TEST_OP_RUN_H

#include "op_case.h"

/* Runs the case on the queue with `data`, whose written roles come back. Asserts that all succeeds;
 * that bytes before and behind each role's memory and what is only read stay as they were; that a
 * second run from the same bytes gives the same bytes; that gradients of padded weights keep their
 * padding zero; that nothing allocated is left. Returns the name of the way that ran. */
const char *op_run(adn_queue *q, const op_case *c, op_data *data);

#endif

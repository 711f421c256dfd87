/* SPDX-License-Identifier: PostgreSQL */
#include "support/process/abort_trap.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static sigjmp_buf way_out;

/* abort() lets a handler leave by a jump, which keeps the coverage of what led there. */
static void leave(int signal_number)
{
    siglongjmp(way_out, signal_number);
}

bool aborts(void (*action)(void *data), void *data)
{
    struct sigaction trap = {.sa_handler = leave};
    struct sigaction before;
    sigaction(SIGABRT, &trap, &before);
    bool aborted = sigsetjmp(way_out, 1) != 0;
    if (!aborted) {
        action(data);
    }
    sigaction(SIGABRT, &before, NULL);
    return aborted;
}

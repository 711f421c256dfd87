/* SPDX-License-Identifier: PostgreSQL */
#include "base/kernel.h"

#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range /* the same number on each architecture */
#define SYS_close_range 436
#endif

int kernel_pidfd_open(pid_t process)
{
    return (int)syscall(SYS_pidfd_open, process, 0);
}

int kernel_close_range(unsigned first, unsigned last)
{
    return (int)syscall(SYS_close_range, first, last, 0);
}

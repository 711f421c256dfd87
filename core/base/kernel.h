/* SPDX-License-Identifier: PostgreSQL */
/* Calls of Linux for which glibc has functions only since 2.34 and 2.36; our tarball runs with 2.31. As those: -1 and
 * errno where it fails, ENOSYS where the kernel is older. */
#ifndef CHIME_BASE_KERNEL_H
#define CHIME_BASE_KERNEL_H

#include <sys/types.h>

int kernel_pidfd_open(pid_t process);
int kernel_close_range(unsigned first, unsigned last);

#endif

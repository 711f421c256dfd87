/* SPDX-License-Identifier: PostgreSQL */
/* What the plugin host gives up before foreign code runs in it: limits of memory, time and files, and which calls of
 * the kernel are allowed (seccomp).
 *
 * Does: lower the limits of the process (time, memory, descriptors; no core, no file, no process), then install a
 *   filter of system calls that lets through what loading a library and answering take: reading files, memory, the
 *   clock, writing to stdout, stderr and PLUGIN_HOST_OUT. All else is EPERM: sockets, signals to others, exec, fork,
 *   ptrace, opening for writing, any change of a folder. It binds root, too, and cannot be taken off.
 * Does not: hide files. A plugin can read what the daemon's user can, and put it into what it declares.
 * On machines other than x86-64, arm64 and riscv64 there are the limits alone. */
#ifndef CHIME_PLUGIN_CONFINE_H
#define CHIME_PLUGIN_CONFINE_H

#include <stdbool.h>

#include "base/error.h"

bool confine(struct error *err) CHIME_MUST_CHECK;

#endif

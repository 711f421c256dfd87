/* SPDX-License-Identifier: PostgreSQL */
#include "pg/intake.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

static bool limited;
static size_t allowed;
static size_t taken;

void intake_allow(size_t bytes)
{
    limited = true;
    allowed = bytes;
    taken = 0;
}

size_t intake_end(void)
{
    limited = false;
    return taken;
}

/* Takes the place of libc's in this program and for libpq, which finds it first. What is left stays in the kernel,
 * whose buffer makes the server wait. */
__attribute__((visibility("default"))) ssize_t recv(int socket, void *buffer, size_t length, int flags)
{
    size_t left = allowed - taken;
    if (!limited) {
        return recvfrom(socket, buffer, length, flags, NULL, NULL);
    }
    if (left == 0 && length > 0) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t count = recvfrom(socket, buffer, length < left ? length : left, flags, NULL, NULL);
    taken += count > 0 ? (size_t)count : 0;
    return count;
}

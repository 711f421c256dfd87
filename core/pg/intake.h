/* SPDX-License-Identifier: PostgreSQL */
/* What libpq may read from its socket at once. libpq takes a message in whole, of any size the server likes, and goes
 * on reading while there is more: so a job's NOTICE of 400 MB would be in memory, and the loop would stand still,
 * before anybody was asked.
 *
 * Does: stand before recv(), through which libpq reads with and without TLS or GSSAPI, and have it find no more data
 *   once an allowance is used up.
 * Does not: parse messages. Without an allowance, and for other descriptors, recv() works as usual. */
#ifndef CHIME_PG_INTAKE_H
#define CHIME_PG_INTAKE_H

#include <stddef.h>

void intake_allow(size_t bytes);
size_t intake_end(void); /* the bytes that were taken of it */

#endif

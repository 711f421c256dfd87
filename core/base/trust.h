/* SPDX-License-Identifier: PostgreSQL */
/* Checks who could have written a file that the daemon trusts: a plugin, a configuration file or a secret.
 *
 * Each file and folder must belong to root or to us, and be writable by nobody else. A folder's path is resolved first;
 * then every folder from / down is judged (a sticky one of root's, such as /tmp, may lie above). The walk opens each
 * folder from the one above without following links, so that what was checked is what is used. */
#ifndef CHIME_BASE_TRUST_H
#define CHIME_BASE_TRUST_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"

/* What is wrong with a file, and how to mend it. `name` is what the message calls it, `path` what a shell would. */
bool trust_file(const struct stat *status, const char *name, const char *path, struct error *err) CHIME_MUST_CHECK;
/* A descriptor of the folder, or -1 with the rule that it breaks. */
int trust_open(const char *folder, const char *missing_hint, struct error *err) CHIME_MUST_CHECK;
/* The same of one whose files are judged each by itself: it need not be readable, and may be a sticky one. */
bool trust_folder(const char *folder, struct error *err) CHIME_MUST_CHECK;
/* The same of the folder of a file, and of where it leads if it is a link. */
bool trust_place(const char *file, struct error *err) CHIME_MUST_CHECK;

#endif

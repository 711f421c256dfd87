/* SPDX-License-Identifier: PostgreSQL */
/* A private certificate authority, made by openssl(1). Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_AUTHORITY_H
#define CHIME_TESTS_SUPPORT_AUTHORITY_H

#include <stdbool.h>

bool authority_is_possible(void); /* openssl is installed */
/* FOLDER/ca.crt, to be signed with. */
void authority_make(const char *folder);
/* FOLDER/NAME.crt and FOLDER/NAME.key, for that common name and (NULL: none) that address. */
void authority_certify(const char *folder, const char *name, const char *address);

#endif

/* SPDX-License-Identifier: PostgreSQL */
/* What follows "Basic " in Authorization. */
#ifndef CHIME_WEB_BASIC_H
#define CHIME_WEB_BASIC_H

/* The password of base64("USER:PASSWORD"); NULL when it is none. Caller frees. */
char *basic_password(const char *text);

#endif

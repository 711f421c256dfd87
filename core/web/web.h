/* SPDX-License-Identifier: PostgreSQL */
/* The whole server: from requests to the page, the session and the API, until it is told to end. */
#ifndef CHIME_WEB_WEB_H
#define CHIME_WEB_WEB_H

#include "config/web.h"

/* Returns when SIGTERM or SIGINT came; false when it cannot begin. */
bool web_serve(const struct web_config *config, struct error *err) CHIME_MUST_CHECK;

#endif

/* SPDX-License-Identifier: PostgreSQL */
/* Where the control socket is when nothing says so. */
#include <string.h>

#include "config/config.h"

#define DEFAULT_SOCKET "/run/pgchime/control.sock" /* systemd makes that folder for the service */

char *config_default_socket(const char *file)
{
    return strcmp(file, CONFIG_DEFAULT_FILE) == 0 ? xstrdup(DEFAULT_SOCKET) : xasprintf("%s.sock", file);
}

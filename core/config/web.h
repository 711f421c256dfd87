/* SPDX-License-Identifier: PostgreSQL */
/* web.conf, read into one immutable snapshot.
 *
 * listen    = "127.0.0.1:8743";            or "unix:/run/pgchime-web/http.sock"; a list is allowed
 * databases: { NAME: { conninfo = "..."; }; };     as in pgchime.conf
 * metrics_jobs = 500; or ["nightly-*"]             as in pgchime.conf
 * url       = "https://cron.example.com/"; a name allowed in Host
 * actions   = false;                       whether who operates may ask for runs, suspend, silence
 * access: { tokens_file = "/etc/pgchime-web/web.tokens"; anonymous = "none"|"tiles"|"view";
 *           show_commands = "view"|"operate";      who sees the texts of jobs
 *           public_tiles = ["main/approval_queue/0"];     everybody sees them, and a proxy may keep them
 *           peer = ( { user = "alice"; role = "view"; }, { group = "ops"; role = "view"; } );
 *           proxy: { from = ["unix", "10.0.0.1"]; user_header = "X-Remote-User"; role = "view"; }; };
 *
 * Does: report every error as file:line.
 * Does not: look whether addresses can be listened at, or who users are. */
#ifndef CHIME_CONFIG_WEB_H
#define CHIME_CONFIG_WEB_H

#include "config/config.h"

#define WEB_DEFAULT_FILE "/etc/pgchime-web/web.conf"
#define WEB_PROXY_LOCAL "unix" /* in `from`: the sockets of Unix */

/* What one may see and do; each may what those before it may. */
enum web_role { WEB_NONE, WEB_TILES, WEB_VIEW, WEB_OPERATE };
extern const char *const web_role_names[]; /* by web_role; ended by NULL */

/* Processes that call through a socket of Unix. */
struct web_peer {
    const char *user; /* NULL: a group */
    const char *group;
    enum web_role role;
    int line;
};

struct web_proxy {
    const char *const *from; /* addresses, or WEB_PROXY_LOCAL */
    size_t from_count;
    const char *user_header; /* in lower case */
    enum web_role role;
};

struct web_config {
    struct config *config; /* its databases; the rest is not given */
    const char *const *listen;
    size_t listen_count;
    int listen_line;
    const char *url; /* NULL not given */
    bool actions;
    const char *tokens_file;     /* absolute; NULL not given */
    enum web_role show_commands; /* WEB_VIEW, or WEB_OPERATE */
    enum web_role anonymous;
    int anonymous_line;
    const char *const *public_tiles; /* "DATABASE/PLUGIN/NUMBER" */
    size_t public_tile_count;
    int public_tiles_line;
    const struct web_peer *peers;
    size_t peer_count;
    struct web_proxy proxy; /* from_count 0: there is none */
};

/* NULL when the report gained an error. */
struct web_config *web_config_load(const char *file, struct report *report);
void web_config_free(struct web_config *web); /* takes NULL */
bool web_role_find(const char *name, enum web_role *role);
bool web_tile_is_public(const struct web_config *web, const char *database, const char *plugin, const char *number);

#endif

/* SPDX-License-Identifier: PostgreSQL */
/* The plugin folder: find, vet and describe every plugin, each in a child process of its own.
 *
 * Does: open each NAME.so and NAME.sql of a folder safely (no symlink, regular, owner root or us, writable by nobody
 *   else, nor any folder above, sticky folders of root allowed there), run `pgchime plugin-host FD FILE` on the vetted
 *   descriptor with rlimits and a deadline, read its length-checked answer, decode and check it.
 * Does not: dlopen in this process, ever; touch a database.
 * Plugins are the folder's NAME.so, and NAME.sql (plugin/view_text.h); files that start with a dot are left alone, so
 * that one may be copied in under such a name and renamed. No two can have one name, because the name is the file's:
 * where there are both NAME.so and NAME.sql, both are refused.
 * A refused plugin gives a finding that names the file and the fix. Other plugins are not affected. */
#ifndef CHIME_PLUGIN_PLUGINS_H
#define CHIME_PLUGIN_PLUGINS_H

#include "base/error.h"
#include "base/instant.h"
#include "plugin/declaration.h"

#define PLUGIN_DEADLINE (5 * USEC_PER_SEC)
#define PLUGIN_ANSWER_LIMIT (4u << 20) /* bytes a declaration may take */

struct plugin_set {
    struct declaration **plugins; /* sorted by name */
    size_t count;
    uint64_t stamp; /* plugins_stamp of the folder, taken before it was described; 0: there was none */
    size_t refused; /* plugins that are not in it because of a finding */
    size_t sharers; /* beside the one who made it: plugin_set_share */
};

struct plugin_options {
    const char *host_program; /* path of the pgchime binary, never of a test; NULL only where there are no plugins */
    duration deadline;        /* 0: PLUGIN_DEADLINE; for each plugin */
    bool keep_texts;          /* in declaration.text */
    const char *file;         /* where the folder is named: findings about the folder itself go there; NULL: nowhere */
    int line;
};

/* Describes all plugins of a folder, several at a time. Blocks up to the deadlines: called at start, by `check`, and
 * from a child at reload, never inside the loop while it leads. Findings go to the report; the rest is returned (never
 * NULL). SIGCHLD must not be ignored, and nobody else may reap the hosts. */
struct plugin_set *plugins_describe(const char *folder, const struct plugin_options *options, struct report *report);
/* Whether it is about a plugin's file: of that name, or of any (NULL). */
bool finding_is_of_plugin(const struct finding *finding, const char *name);
struct plugin_set *plugin_set_share(struct plugin_set *set); /* the same once more; each is to be destroyed */
void plugin_set_destroy(struct plugin_set *set);             /* takes NULL */

/* Changes with the plugin files of the folder: their names, sizes, times, and which files they are. 0 when it cannot be
 * listed. */
uint64_t plugins_stamp(const char *folder);

/* --- the plugin host: `pgchime plugin-host FD FILE`, FILE being NAME.so or NAME.sql ---
 *
 * Started with an empty environment, as leader of a process group of its own that the daemon kills as a whole, with
 * these descriptors and no others: 0 /dev/null, 1 and 2 a pipe of which the daemon quotes the first 1 KiB when
 * something went wrong, PLUGIN_HOST_OUT the pipe for the answer, FD (PLUGIN_HOST_FILE) the vetted file.
 * The answer is one frame: four bytes of length, big-endian, and as many of JSON; then it exits. With status
 * PLUGIN_HOST_DESCRIBED the JSON is what declaration_encode wrote, with PLUGIN_HOST_REFUSED it is
 * {"refused": "why", "hint": "..."}; everything else is a plugin that ended its host. A plugin can forge the answer,
 * and gains what it could have declared; it cannot spoil it by printing. */
#define PLUGIN_HOST_COMMAND "plugin-host"
#define PLUGIN_SUFFIX ".so"
#define PLUGIN_SQL_SUFFIX ".sql"
#define PLUGIN_HOST_OUT 3
#define PLUGIN_HOST_FILE 4
#define PLUGIN_FRAME_HEADER 4

enum plugin_host_status {
    PLUGIN_HOST_DESCRIBED = 0,
    PLUGIN_HOST_UNHEARD = 2, /* nobody read the answer */
    PLUGIN_HOST_REFUSED = 3,
};

/* The child's whole life: dlopen /proc/self/fd/`fd`, or read it where it is SQL, describe, write the frame to `out`.
 * Ends the process itself with a plugin_host_status, without the plugin's destructors; it returns int so that a
 * subcommand may return it. */
int plugin_host_main(int fd, int out, const char *file);

#endif

/* SPDX-License-Identifier: PostgreSQL */
/* A folder of plugin files that a test describes through real plugin hosts: the test is its own host program. */
#ifndef CHIME_TESTS_SUPPORT_PLUGIN_FOLDER_H
#define CHIME_TESTS_SUPPORT_PLUGIN_FOLDER_H

#include <check.h>

#include "base/instant.h"
#include "plugin/plugins.h"

/* A folder of our own: build folders may be writable by a group. */
extern char plugin_folder[64];
extern struct report plugin_report;

void folder_set_up(void);
void folder_tear_down(void);
/* The path of a file in it, which is the caller's (free). */
char *path_of(const char *file);
void put_file(const char *file, const char *text);
/* One of tests/fixtures/plugins under another name, and under its own. */
void copy_fixture(const char *name, const char *file);
void use(const char *name);
struct plugin_set *describe_within(duration deadline);
struct plugin_set *describe(void);

/* Plays the plugin host where it is called as one; else runs the suite. */
int plugin_folder_main(int count, char **arguments, Suite *(*make_suite)(void));

#endif

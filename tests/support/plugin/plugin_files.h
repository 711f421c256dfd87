/* SPDX-License-Identifier: PostgreSQL */
/* Plugins of this repository in a folder of a test's own. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_PLUGIN_FILES_H
#define CHIME_TESTS_SUPPORT_PLUGIN_FILES_H

/* The plugin's file, as it was built. */
void plugin_put(const char *folder, const char *name);
/* One of tests/fixtures/plugins, each with a fault. */
void plugin_put_fixture(const char *folder, const char *name);
/* Has the configuration, which has no conf_dir yet, say in FOLDER/conf.d by which mode a plugin keeps a view. */
void plugin_mode(const char *configuration, const char *folder, const char *plugin, const char *view, const char *mode);
void plugin_take(const char *folder, const char *name);

#endif

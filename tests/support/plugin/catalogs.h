/* SPDX-License-Identifier: PostgreSQL */
/* Catalogs of a configuration (support/plugin/findings.h) and of plugins that are made by hand.
 *
 * One at a time; catalogs_set_up and catalogs_tear_down are its fixture, that of the findings included. */
#ifndef CHIME_TESTS_SUPPORT_CATALOGS_H
#define CHIME_TESTS_SUPPORT_CATALOGS_H

#include "catalog/catalog.h"

/* Without the job that verifies views: only what the tests name is there. */
#define ONE_DATABASE "databases: { main: { conninfo = \"dbname=app\"; verify = \"\"; }; };\nconf_dir = \"conf.d\";\n"
#define TWO_DATABASES                                                                                                \
    "databases: { main: { conninfo = \"dbname=app\"; verify = \"\"; };\n"                                            \
    "  audit: { conninfo = \"dbname=audit\"; view_schema = \"reports\"; source_schema = \"raw\"; verify = \"\"; }; " \
    "};\n"                                                                                                           \
    "conf_dir = \"conf.d\";\n"
#define NO_DATABASE "conf_dir = \"conf.d\";\n"

/* The plugins lane, agent and other, and what they point to; made anew for each test, which may change them. agent's
 * job comes after lane's. */
struct plugin_samples {
    struct declared_view lane_view;
    struct declared_job lane_jobs[2];
    struct declared_setting lane_settings[2];
    struct chime_channel lane_channels[2];
    struct declaration lane;
    struct declared_view agent_view;
    struct declared_job agent_job;
    struct declared_source agent_source;
    struct declaration agent;
    struct declared_job other_job;
    struct declared_view other_view;
    struct declaration other;
};

extern struct plugin_samples samples;
extern struct catalog *catalog; /* as built last */

void catalogs_set_up(void);
void catalogs_tear_down(void);
void use_no_plugin(void);
/* From now on it is there. In the order of their names, as a set has them; each once. */
void use_plugin(struct declaration *declaration);
/* The catalog of pgchime.conf and conf.d/x.conf with these texts. Fails the test when they cannot be read. */
const struct catalog *build(const char *main_text, const char *part_text);

#endif

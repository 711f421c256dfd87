/* SPDX-License-Identifier: PostgreSQL */
#include "support/plugin/catalogs.h"

#include <check.h>

#include "support/plugin/findings.h"

struct plugin_samples samples;
struct catalog *catalog;
static struct declaration *present[3];
static struct plugin_set set;

static const char *const id[] = {"id"};
static const char *const mv_lanes[] = {"mv_lanes"};
static const char *const mv_agents[] = {"mv_agents"};
static const char *const refresh_lanes[] = {"refresh-lanes"};

static void make_lane(void)
{
    samples.lane_view = (struct declared_view){.relation = "mv_lanes",
                                               .definition = "SELECT 1 AS id",
                                               .key = {id, 1},
                                               .key_index = "mv_lanes_pk",
                                               .mode = "auto"};
    samples.lane_jobs[0] = (struct declared_job){
        .name = "refresh-lanes", .schedule = "*/10 * * * *", .refresh = {mv_lanes, 1}, .command = ""};
    samples.lane_jobs[1] = (struct declared_job){
        .name = "tidy-lanes", .schedule = "@daily", .command = "SELECT 1", .after = {refresh_lanes, 1}};
    ck_assert(options_set(&samples.lane_jobs[1].options, "max_attempts", "7", NULL));
    ck_assert(options_set(&samples.lane_jobs[1].options, "priority", "2", NULL));
    samples.lane_settings[0] = (struct declared_setting){
        .name = "top_rows", .type = "int", .value = "10", .low = "1", .high = "100", .summary = "rows"};
    samples.lane_settings[1] = (struct declared_setting){
        .name = "window", .type = "duration", .value = "30d", .summary = "how far back"};
    samples.lane_channels[0] = (struct chime_channel){"lane_scored", "lanes", "CREATE TRIGGER scored"};
    samples.lane_channels[1] = (struct chime_channel){"lane_closed", "lanes", "CREATE TRIGGER closed"};
    samples.lane = (struct declaration){.file = "/plugins/lane.so",
                                        .name = "lane",
                                        .version = "1.0",
                                        .views = &samples.lane_view,
                                        .view_count = 1,
                                        .jobs = samples.lane_jobs,
                                        .job_count = 2,
                                        .settings = samples.lane_settings,
                                        .setting_count = 2,
                                        .channels = samples.lane_channels,
                                        .channel_count = 2};
}

static void make_agent_and_other(void)
{
    samples.agent_view = (struct declared_view){.relation = "mv_agents",
                                                .definition = "SELECT 1 AS id",
                                                .key = {id, 1},
                                                .key_index = "mv_agents_pk",
                                                .mode = "auto"};
    samples.agent_source = (struct declared_source){.table = "agents", .columns = {id, 1}};
    samples.agent_job = (struct declared_job){.name = "refresh-agents",
                                              .schedule = "*/30 * * * *",
                                              .refresh = {mv_agents, 1},
                                              .command = "",
                                              .after = {refresh_lanes, 1}};
    samples.agent = (struct declaration){.file = "/plugins/agent.so",
                                         .name = "agent",
                                         .version = "1.0",
                                         .sources = &samples.agent_source,
                                         .source_count = 1,
                                         .views = &samples.agent_view,
                                         .view_count = 1,
                                         .jobs = &samples.agent_job,
                                         .job_count = 1};
    samples.other_job = (struct declared_job){.name = "other-job", .schedule = "@hourly", .command = "SELECT 2"};
    samples.other_view = samples.agent_view;
    samples.other_view.relation = "mv_others";
    samples.other = (struct declaration){.file = "/plugins/other.so",
                                         .name = "other",
                                         .version = "1.0",
                                         .views = &samples.other_view,
                                         .view_count = 1,
                                         .jobs = &samples.other_job,
                                         .job_count = 1};
}

void catalogs_set_up(void)
{
    findings_set_up();
    catalog = NULL;
    make_lane();
    make_agent_and_other();
    use_no_plugin();
}

void catalogs_tear_down(void)
{
    catalog_destroy(catalog);
    findings_tear_down();
}

void use_no_plugin(void)
{
    set = (struct plugin_set){.plugins = present};
}

void use_plugin(struct declaration *declaration)
{
    ck_assert_uint_lt(set.count, COUNT_OF(present));
    present[set.count++] = declaration;
}

const struct catalog *build(const char *main_text, const char *part_text)
{
    put("pgchime.conf", main_text);
    put("conf.d/x.conf", part_text);
    catalog_destroy(catalog);
    catalog = NULL;
    if (load() == NULL) {
        expect_findings(config, "");
    }
    catalog = catalog_build(config, &set, &report);
    return catalog;
}

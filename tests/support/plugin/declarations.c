/* SPDX-License-Identifier: PostgreSQL */
#include "support/plugin/declarations.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct chime_source source;
struct chime_index index_of_view;
struct chime_view view;
struct chime_option option;
struct chime_job job;
struct chime_function function;
struct chime_channel channel;
struct chime_tile tile;
struct chime_alert alert;
struct chime_setting setting;
struct chime_upgrade upgrade;
struct chime_plain_view plain_view;
struct chime_plugin plugin;

static void setup_lists(void)
{
    plugin = (struct chime_plugin){
        .magic = CHIME_MAGIC,
        .abi_major = CHIME_ABI_MAJOR,
        .abi_minor = CHIME_ABI_MINOR,
        .size = (uint32_t)sizeof(plugin),
        .name = "orders",
        .version = "1.1",
        .summary = "orders per day",
        .sources = ONE(source),
        .views = ONE(view),
        .jobs = ONE(job),
        .functions = ONE(function),
        .channels = ONE(channel),
        .tiles = ONE(tile),
        .alerts = ONE(alert),
        .settings = ONE(setting),
        .upgrades = ONE(upgrade),
        .plain_views = ONE(plain_view),
    };
}

void sound_plugin(void)
{
    source = (struct chime_source){
        .table = "orders", .columns = "id, total", .capture = "day", .map = "SELECT day FROM marks"};
    index_of_view = (struct chime_index){"idx_total", "total DESC", "total > 0"};
    view = (struct chime_view){
        .relation = "mv_orders",
        .definition = "SELECT \"day\", 'a\\b\n\xc3\xbc' FROM orders",
        .key = "day , Region",
        .grain = "day",
        .mode = "keyed",
        .stamps = "made_at",
        .revisit = "SELECT day FROM mv_orders",
        .indexes = ONE(index_of_view),
        .timezone = "Europe/Berlin",
        .frozen = "day < chime.as_of() - interval '90 days'",
    };
    plain_view = (struct chime_plain_view){"v_orders", "SELECT day FROM mv_orders", "days"};
    option = (struct chime_option){"max_attempts", "5"};
    job = (struct chime_job){
        .name = "refresh-orders",
        .schedule = "0 * * * *",
        .refresh = "mv_orders",
        .after = "first-job, second-job",
        .on = "orders_changed",
        .debounce = "5s",
        .options = ONE(option),
    };
    function = (struct chime_function){"orders_of(date)", "CREATE FUNCTION orders_of(date) ..."};
    channel = (struct chime_channel){"orders_changed", "orders", "CREATE TRIGGER ..."};
    tile = (struct chime_tile){.title = "Orders",
                               .query = "SELECT n FROM orders_of($1)",
                               .draw = "table",
                               .warn = "> 1",
                               .choices = "SELECT region, region FROM mv_orders",
                               .state = "status",
                               .bound = "100ms",
                               .note = "by region"};
    alert = (struct chime_alert){"no-orders", "SELECT true", "warning", "10min"};
    setting = (struct chime_setting){"window_days", "int", "7", "1", "90", "days"};
    upgrade = (struct chime_upgrade){"1.0", "ALTER TABLE ..."};
    setup_lists();
}

/* The declaration that the daemon would hold, or NULL with the error of whichever side refused. */
static struct declaration *pass_on(struct error *err)
{
    error_clear(err);
    char *bytes = declaration_encode(&plugin, "orders", err);
    struct declaration *declaration = bytes == NULL ? NULL : declaration_decode(bytes, strlen(bytes), FILE_NAME, err);
    free(bytes);
    return declaration;
}

struct declaration *accepted(void)
{
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration != NULL, "refused: %s", err.message);
    return declaration;
}

void assert_accepted(void)
{
    declaration_destroy(accepted());
}

void assert_refused(const char *reason)
{
    struct error err;
    struct declaration *declaration = pass_on(&err);
    ck_assert_msg(declaration == NULL, "accepted in spite of: %s", reason);
    ck_assert_msg(strstr(err.message, reason) != NULL, "\"%s\" does not say: %s", err.message, reason);
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
    ck_assert_msg(err.hint[0] != '\0', "no way out of: %s", err.message);
    sound_plugin();
}

void assert_each_refused(const struct spoiled *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        *cases[i].member = cases[i].value;
        assert_refused(cases[i].reason);
    }
}

void assert_malformed(const char *bytes, const char *reason)
{
    struct error err = {.kind = ERROR_NONE};
    struct declaration *declaration = declaration_decode(bytes, strlen(bytes), FILE_NAME, &err);
    ck_assert_msg(declaration == NULL, "accepted: %s", bytes);
    declaration_destroy(declaration); /* takes NULL */
    ck_assert_msg(strstr(err.message, reason) != NULL, "\"%s\" does not say: %s", err.message, reason);
    ck_assert_msg(err.hint[0] != '\0', "no way out of: %s", err.message);
}

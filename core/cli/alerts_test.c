/* SPDX-License-Identifier: PostgreSQL */
/* `alerts test SINK`: tells one sink something, at once. Needs no daemon and no database. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "notify/delivery.h"
#include "notify/message.h"

struct attempt {
    struct loop *loop;
    char *problem; /* NULL: it was taken */
};

static void told(void *data, const char *problem)
{
    struct attempt *attempt = data;
    attempt->problem = problem != NULL ? xstrdup(problem) : NULL;
    loop_stop(attempt->loop);
}

static bool tell(const struct config_sink *sink, const char *database, struct error *err)
{
    struct attempt attempt = {.loop = loop_create()};
    char *body = message_test_body(sink->name, database, clock_wall());
    char *key = xasprintf("test-%lld", (long long)clock_wall());
    struct notify_delivery *delivery = delivery_start(attempt.loop, sink, body, key, told, &attempt, err);
    if (delivery != NULL) {
        loop_run(attempt.loop);
        delivery_destroy(delivery);
    }
    bool taken = delivery != NULL && attempt.problem == NULL;
    if (attempt.problem != NULL) {
        error_set(err, ERROR_FAILED, "%s", attempt.problem);
    }
    loop_destroy(attempt.loop);
    free(attempt.problem);
    free(body);
    free(key);
    return taken || error_prefix(err, "sink %s was not told", sink->name);
}

static bool test_one(const struct invocation *invocation, const struct config *config, struct error *err)
{
    const char *name = invocation->arguments[0];
    const struct config_sink *sink = config_find_sink(config, name);
    if (sink == NULL) {
        error_set(err, ERROR_NOT_FOUND, "there is no sink %s", name);
        return error_hint(err, "\"sinks\" in pgchime.conf or conf.d makes one");
    }
    const char *database = sink->database != NULL ? sink->database : config->databases[0].name;
    if (!tell(sink, database, err)) {
        return false;
    }
    remark(invocation, "sink %s took the message", name);
    return true;
}

static int alerts_test_run(const struct invocation *invocation)
{
    int status;
    struct error err;
    struct config *config = load_sound_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    status = test_one(invocation, config, &err) ? EXIT_OK : fail(&err);
    config_free(config);
    return status;
}

const struct command command_alerts_test = {
    .name = "alerts test",
    .arguments = "SINK",
    .least = 1,
    .most = 1,
    .summary = "tells a sink something now, and says what came of it",
    .details = "As whoever types it: run it as the daemon's user, so that the same files are read.",
    .run = alerts_test_run,
};

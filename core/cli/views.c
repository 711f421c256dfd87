/* SPDX-License-Identifier: PostgreSQL */
#include "cli/commands.h"
#include "cli/visit.h"
#include "report/view_list.h"

static bool add(struct visit *visit, struct output_list *list, bool stale, struct error *err)
{
    struct question question;
    view_list_ask(&question, visit->database, stale);
    return visit_take(visit, list, &question, err);
}

static bool add_views(struct visit *visit, void *list, struct error *err)
{
    return add(visit, list, false, err);
}

static bool add_stale_views(struct visit *visit, void *list, struct error *err)
{
    return add(visit, list, true, err);
}

static int views_run(const struct invocation *invocation)
{
    struct output_list *list = view_list_create();
    bool stale = invocation_has(invocation, "stale");
    int status = visit_command(invocation, list, stale ? add_stale_views : add_views,
                               stale ? "no view is known or suspected to be late"
                                     : "no views: no plugin is installed yet");
    output_destroy(list);
    return status;
}

const struct command command_views = {
    .name = "views",
    .arguments = "",
    .summary = "all views with their last refresh, and how far they are behind",
    .details =
        "BEHIND: how long a committed change of what the view is made of has not been in it; where changes are not\n"
        "captured, no more than that. FRESH: fresh, warn or stale, by warn_after and error_after of the jobs that\n"
        "refresh it (TARGET is their target_lag), or unknown. The same while no daemon runs.",
    .options = {{"stale", NULL, "only views that are not known to be fresh"}},
    .run = views_run,
};

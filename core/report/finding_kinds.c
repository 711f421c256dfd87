/* SPDX-License-Identifier: PostgreSQL */
#include "report/finding_kinds.h"

#include <string.h>

#include "base/memory.h"

#define LATER "what is due later than it should be is no longer what its schedule promises"
#define OLD_ROWS "who reads it sees old rows and cannot tell"

static const struct finding_kind kinds[] = {
    {"server", "server", "PostgreSQL 15 is the oldest that has what pgchime needs"},
    {"connection", "connection", "what cannot be reached runs nothing"},
    {"schema", "schema", "a ledger of another version cannot be read"},
    {"database", "database", "of two entries for one database one is not served"},
    {"daemon-role", "role", "what runs as a superuser can do everything to the server"},
    {"ledger-owner", "role", "what the daemon's role may not change it cannot keep"},
    {"sessions-free", "sessions", "a run that gets no session waits"},
    {"leader", "leader", "one daemon starts the runs of a database"},
    {"nobody-leads", "leader", "no job runs"},
    {"copy-held", "leader", "no job runs in a copy until somebody says that it is not one"},
    {"leader-silent", "leader", "a leader that hangs starts nothing"},
    {"commits-wait", "leader", "nothing can be committed until a standby answers"},
    {"ledger-locked", "leader", "what cannot be recorded is not started"},
    {"followers", "followers", "without a follower no job runs from the leader's end to its next start"},
    {"follower-differs", "followers", "a take-over would change what runs"},
    {"daemon-twice", "followers", "the log and the history name daemons by their names"},
    {"heartbeat", "heartbeat",
     "a daemon that is dead sends no alert; its silence is told by who expects its heartbeat"},
    {"configuration", "configuration", "the leader goes by what it read last"},
    {"clock", "clock", "times of one machine are not those of the other, in logs and in what people ask for"},
    {"clock-ahead", "clock", "nothing of these jobs is due until the time that they are decided up to"},
    {"zone-differs", "clock", "jobs are due at another hour than what the server's clock shows"},
    {"events-unheard", "events", "jobs that wait for events run by the clock alone"},
    {"plugin-failed", "plugin", "its views are not there, or have no rows"},
    {"plugin-dormant", "plugin", "its views are not there until what they read is"},
    {"job-failed", "job", "its work is not done"},
    {"job-suspended", "job", "it runs no more until somebody resumes it"},
    {"job-refused", "job", "the leader cannot run it as it is"},
    {"job-late", "job", LATER},
    {"job-longer", "job", "each slot finds the one before still running, and is skipped or waits"},
    {"job-never-succeeded", "job", "a run that is cancelled or skipped is no failure, and does no work"},
    {"job-idle", "job", "a job that never runs is forgotten, or waits for what does not come"},
    {"job-never-due", "job", "whatever it comes after has stopped, and nothing else starts it"},
    {"job-twice", "job", "the work is done more than once"},
    {"crowded", "job", LATER},
    {"jobs-of-the-daemon", "jobs", "what they run may do all that the daemon may"},
    {"jobs-of-nobody", "jobs", "they run as nobody, which is not at all"},
    {"role-sessions", "sessions", "roles that have jobs wait for one another"},
    {"view-late", "view", OLD_ROWS},
    {"view-stale", "view", OLD_ROWS},
    {"view-unfilled", "view", "it has no rows"},
    {"view-differs", "view", "what marks said of changes was not all: a part of its rows was wrong"},
    {"view-unverified", "view", "a difference would not be found"},
    {"no-verification", "view", "a difference would not be found"},
    {"view-index", "view", "a refresh computes all of it for one row that changed"},
    {"late-rows", "view", "what arrived after its group was frozen is in no view, and nowhere once its row is gone"},
    {"change-log", "view", "it takes disk space, and each look at it costs more"},
    {"refresh-temp-limit", "view", "a refresh in full would fail"},
    {"policies", "policies", "who may read the view sees rows that the table's policies hide"},
    {"writers-replica", "writers", "what is written without a mark is found at night, or never"},
    {"writers-subscription", "writers", "what is written without a mark is found at night, or never"},
    {"writers-temp-limit", "writers", "an application's statement would fail"},
    {"trust", "trust", "code in a definition runs as the role that owns the ledger"},
    {"publication", "publication", "subscribers get the ledger, and a copy of its writes"},
    {"backup", "backup", "a dump stops half-way"},
    {"history-partition", "ledger", "what has no partition of its day is kept in one that grows"},
    {"engine", "server", "a worker's ledger is another than the coordinator's"},
    {"history-other", "ledger", "what is in there cannot be dropped by the day"},
    {"ledger-unlogged", "ledger", "after a crash each job would begin anew"},
    {"quota-full", "ledger", "a role can make no more jobs"},
    {"pg-cron-guard", "pg_cron", "what asks for the extension makes no jobs here, and says nothing"},
    {"pg-cron-zone", "pg_cron", "schedules that were meant in one zone are due in another"},
    {"sink-untried", "alert", "what is wrong with a sink is found out when it is needed"},
    {"job-failure-rate", "alert", "a job that fails now and then does a part of its work"},
    {"job-overdue", "alert", "its work is older than somebody allowed"},
    {"job-slow", "alert", "it may hang, or hold up others"},
    {"job-quick", "alert", "it may have found nothing to do"},
    {"job-rows", "alert", "it may have found nothing to do"},
    {"job-skipped", "alert", "a slot that is skipped does no work"},
    {"job-missed", "alert", "a slot that is missed does no work"},
    {"view-refresh-slow", "alert", "readers wait longer for what changed, and the server works more"},
    {"live-view-refresh-slow", "alert", "a view cannot be fresher than a refresh takes"},
    {"view-refresh-failing", "alert", OLD_ROWS},
    {"sessions", "alert", "without a session nobody can log in, pgchime neither"},
    {"queue-full", "alert", "when it is full no commit that notifies succeeds"},
    {"horizon", "alert", "nothing that it could still see can be removed: tables and logs grow"},
    {"ledger-bloat", "alert", "each look at the table costs more"},
    {"unled", "alert", "no job ran meanwhile"},
    {"sink-failing", "alert", "people are not told"},
    {"ping-failing", "alert", "who watches the job is told that it does not run"},
    {"tile-slow", "alert", "people wait for the page"},
    {"tile-broken", "alert", "the page shows no figures there"},
    {"alerts-failing", "alert", "nobody is told of what is wrong"},
    {"condition-broken", "alert", "what the condition looks for is not found"},
};

static const struct finding_kind own = {"alert", "alert", "somebody wrote a condition for it"};

size_t finding_kind_count(void)
{
    return COUNT_OF(kinds);
}

const struct finding_kind *finding_kind_at(size_t place)
{
    return &kinds[place];
}

const struct finding_kind *finding_kind_of(const char *id)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i].id, id) == 0) {
            return &kinds[i];
        }
    }
    return &own;
}

/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/crew.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define FOLLOW_SECONDS 30.0
#define END_SECONDS 60.0
#define CREW_MAX 8

struct member {
    char *name;
    struct daemon *daemon; /* NULL: not started */
    const struct network_machine *machine;
    int port;
};

struct crew {
    struct cluster *cluster;
    struct site *site;
    int size;
    struct member members[CREW_MAX];
};

struct crew *crew_create(struct cluster *cluster, struct site *site, int size)
{
    struct crew *crew = calloc(1, sizeof(*crew));

    if (crew == NULL || size > CREW_MAX)
        support_fail("no crew of %d", size);
    crew->cluster = cluster;
    crew->site = site;
    crew->size = size;
    for (int i = 0; i < size; i++)
        crew->members[i].name = files_path("d%d", i + 1);
    return crew;
}

void crew_destroy(struct crew *crew)
{
    if (crew == NULL)
        return;
    for (int i = 0; i < crew->size; i++) {
        daemon_destroy(crew->members[i].daemon);
        free(crew->members[i].name);
    }
    free(crew);
}

void crew_move(struct crew *crew, int member, const struct network_machine *machine, int port)
{
    crew->members[member].machine = machine;
    crew->members[member].port = port;
}

static char *way_to_server(const struct crew *crew, const struct member *member)
{
    return member->machine != NULL ? network_conninfo(member->machine, member->port, "postgres")
                                   : cluster_conninfo(crew->cluster, "postgres");
}

void crew_start(struct crew *crew, int number)
{
    struct member *member = &crew->members[number];
    char *conninfo = way_to_server(crew, member);

    daemon_destroy(member->daemon);
    site_use_conninfo(crew->site, conninfo);
    network_live_on(member->machine);
    member->daemon = site_serve(crew->site, member->name, NULL);
    network_live_on(NULL);
    free(conninfo);
}

void crew_start_all(struct crew *crew)
{
    for (int i = 0; i < crew->size; i++)
        crew_start(crew, i);
}

struct daemon *crew_daemon(struct crew *crew, int member)
{
    return crew->members[member].daemon;
}

int crew_leader(struct crew *crew)
{
    char *name = NULL;
    int found = -1;

    if (cluster_try_value(crew->cluster,
                          "SELECT instance FROM chime.leader WHERE chime.backend_alive(pid, backend_start)", &name) &&
        name != NULL) {
        for (int i = 0; i < crew->size; i++)
            if (strcmp(crew->members[i].name, name) == 0)
                found = i;
    }
    free(name);
    return found;
}

int crew_await_leader(struct crew *crew, double seconds)
{
    struct wait_deadline deadline = wait_deadline_after(seconds);
    int leader;

    while ((leader = crew_leader(crew)) < 0)
        wait_a_little(&deadline, "a daemon leads", seconds, __FILE__, __LINE__);
    return leader;
}

void crew_await_following(struct crew *crew, int member)
{
    WAIT_FOR(daemon_said(crew_daemon(crew, member), "leads; following"), FOLLOW_SECONDS);
}

void crew_assert_running(struct crew *crew)
{
    for (int i = 0; i < crew->size; i++) {
        struct daemon *daemon = crew->members[i].daemon;
        if (daemon != NULL && !daemon_is_running(daemon)) {
            char *errors = daemon_errors(daemon);
            support_fail("%s ended by itself:\n%s", crew->members[i].name, errors);
        }
    }
}

/* Before that a signal finds no handler, and ends it in another way. */
static void await_place(struct daemon *daemon)
{
    WAIT_FOR(daemon_said(daemon, "leads; following") || daemon_said(daemon, "leading as epoch"), FOLLOW_SECONDS);
}

void crew_end(struct crew *crew)
{
    crew_assert_running(crew);
    for (int i = 0; i < crew->size; i++)
        if (crew->members[i].daemon != NULL)
            await_place(crew->members[i].daemon);
    for (int i = 0; i < crew->size; i++)
        if (crew->members[i].daemon != NULL)
            daemon_signal(crew->members[i].daemon, SIGTERM);
    for (int i = 0; i < crew->size; i++) {
        if (crew->members[i].daemon != NULL)
            ck_assert_int_eq(daemon_wait(crew->members[i].daemon, END_SECONDS), 0);
    }
}

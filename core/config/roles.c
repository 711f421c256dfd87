/* SPDX-License-Identifier: PostgreSQL */
/* roles = ( { name = "app"; conninfo = "user=app passfile=..."; }, { name = "payroll"; allow = false; }, ... ) */
#include <stdlib.h>
#include <string.h>

#include "config/environment.h"
#include "config/reader.h"
#include "config/settings.h"

#define IDENTIFIER_MAX 63 /* bytes PostgreSQL keeps of a name */
#define MAX_JOBS 1000000
#define MAX_STARTS 100000
#define STARTS_DEFAULT 100

static const struct setting_key keys[] = {{"name", SETTING_STRING},
                                          {"conninfo", SETTING_STRING},
                                          {"allow", SETTING_BOOLEAN},
                                          {"max_jobs", SETTING_INTEGER},
                                          {"max_starts", SETTING_INTEGER}};
static const struct setting_table table = {keys, COUNT_OF(keys)};

static enum config_login read_login(const config_setting_t *group)
{
    int allow;
    if (config_setting_lookup_bool(group, "allow", &allow) == CONFIG_FALSE) {
        return LOGIN_PLAIN;
    }
    return allow ? LOGIN_ANY : LOGIN_NEVER;
}

static void check_members(struct reader *reader, const config_setting_t *group, const struct config_role *role,
                          const char *owner)
{
    bool connects = config_setting_get_member(group, "conninfo") != NULL;
    bool decides = config_setting_get_member(group, "allow") != NULL || role->max_jobs >= 0 || role->max_starts >= 0;
    if (config_setting_get_member(group, "name") == NULL) {
        reader_report(reader, group, "write { name = \"app\"; conninfo = \"passfile=/etc/pgchime/pgpass\"; }",
                      "%s has no \"name\"", owner);
    } else if (!connects && !decides) {
        reader_report(reader, group,
                      "conninfo says how its jobs connect; allow = false excludes it, allow = true takes it even if it "
                      "is a superuser; max_jobs and max_starts bound how many it has",
                      "%s has neither \"conninfo\" nor \"allow\" nor a quota", owner);
    } else if (role->name != NULL && strcmp(role->name, CONFIG_OTHER_ROLES) == 0 &&
               (connects || role->login == LOGIN_ANY)) {
        reader_report(
            reader, group, "write { name = \"*\"; allow = false; }, and an entry for each role that is allowed",
            "entry \"*\" of \"roles\" stands for all roles that have none: it can only exclude and bound them");
    }
}

/* Nothing is said of a conninfo: whether it leads anywhere is known when somebody connects by it. */
static bool read_role(struct reader *reader, const config_setting_t *group, struct config_role *role)
{
    static const char owner[] = "an entry of \"roles\"";
    struct setting_key entry = {"entry", SETTING_GROUP};
    if (!setting_accept(reader, group, &entry, "\"roles\"")) {
        return false;
    }
    settings_check(reader, group, &table, owner);
    role->name = setting_string(reader, group, "name", owner);
    role->conninfo = setting_expanded(reader, group, "conninfo", owner);
    role->login = read_login(group);
    role->max_jobs = setting_whole(reader, group, "max_jobs", owner, (struct whole){0, MAX_JOBS, -1});
    role->max_starts = setting_whole(reader, group, "max_starts", owner, (struct whole){1, MAX_STARTS, -1});
    role->line = reader_line(reader, group);
    check_members(reader, group, role, owner);
    if (role->name != NULL && strlen(role->name) > IDENTIFIER_MAX) {
        reader_report(reader, group, NULL, "the name of a role is longer than %d bytes", IDENTIFIER_MAX);
        return false;
    }
    return role->name != NULL;
}

static int compare_roles(const void *left, const void *right)
{
    const struct config_role *a = left;
    const struct config_role *b = right;
    int by_name = strcmp(a->name, b->name);
    return by_name != 0 ? by_name : a->line - b->line;
}

/* Of those with one name the first stays. */
static size_t refuse_repeated(struct reader *reader, struct config_role *roles, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(roles[i].name, roles[kept - 1].name) == 0) {
            report_add(reader->report, reader->file, roles[i].line, "keep one of the two",
                       "role \"%s\" is already given at line %d", roles[i].name, roles[kept - 1].line);
        } else {
            roles[kept++] = roles[i];
        }
    }
    return kept;
}

void roles_read(struct reader *reader, const config_setting_t *list)
{
    size_t count = setting_count(list);
    struct config_role *roles = arena_alloc(reader->arena, (count + 1) * sizeof(*roles));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        kept += read_role(reader, setting_at(list, i), &roles[kept]) ? 1 : 0;
    }
    if (kept > 1) {
        qsort(roles, kept, sizeof(*roles), compare_roles);
        kept = refuse_repeated(reader, roles, kept);
    }
    reader->config->roles = roles;
    reader->config->role_count = kept;
}

static int compare_to_role(const void *name, const void *role)
{
    return strcmp(name, ((const struct config_role *)role)->name);
}

const struct config_role *config_find_role(const struct config *config, const char *name)
{
    return config->role_count == 0
               ? NULL
               : bsearch(name, config->roles, config->role_count, sizeof(*config->roles), compare_to_role);
}

int config_max_starts(const struct config *config, const char *role)
{
    const struct config_role *given = config_find_role(config, role);
    const struct config_role *others = config_find_role(config, CONFIG_OTHER_ROLES);
    if (given != NULL && (given->max_starts >= 0 || given->login == LOGIN_ANY)) {
        return given->max_starts;
    }
    return others != NULL && others->max_starts >= 0 ? others->max_starts : STARTS_DEFAULT;
}

enum config_login config_login_as(const struct config *config, const char *role)
{
    const struct config_role *given = config_find_role(config, role);
    given = given != NULL ? given : config_find_role(config, CONFIG_OTHER_ROLES);
    return given != NULL ? given->login : LOGIN_PLAIN;
}

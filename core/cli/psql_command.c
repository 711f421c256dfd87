#include "cli/psql_command.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/sqltext.h"
#include "cli/shell_words.h"
#include "config/source.h"
#include "pg/conninfo.h"

#define NAME_WORDS 4
#define NAME_LENGTH 40

enum option_kind { TEXT, PATH, DATABASE, HOST, PORT, USER, TOGETHER, LOOKS, VARIABLE, OUTPUT, REFUSED };

struct psql_option {
    char letter;
    const char *name;
    bool has_value;
    enum option_kind kind;
};

/* Those that only change what is printed, or are for people, are of kind LOOKS. */
static const struct psql_option options[] = {
    {'c', "command", true, TEXT},
    {'f', "file", true, PATH},
    {'d', "dbname", true, DATABASE},
    {'h', "host", true, HOST},
    {'p', "port", true, PORT},
    {'U', "username", true, USER},
    {'1', "single-transaction", false, TOGETHER},
    {'v', "set", true, VARIABLE},
    {'o', "output", true, OUTPUT},
    {'L', "log-file", true, OUTPUT},
    {'l', "list", false, REFUSED},
    {'V', "version", false, REFUSED},
    {'?', "help", false, REFUSED},
    {'s', "single-step", false, REFUSED},
    {'S', "single-line", false, REFUSED},
    {'W', "password", false, REFUSED},
    {'X', "no-psqlrc", false, LOOKS},
    {'a', "echo-all", false, LOOKS},
    {'b', "echo-errors", false, LOOKS},
    {'e', "echo-queries", false, LOOKS},
    {'E', "echo-hidden", false, LOOKS},
    {'n', "no-readline", false, LOOKS},
    {'q', "quiet", false, LOOKS},
    {'w', "no-password", false, LOOKS},
    {'A', "no-align", false, LOOKS},
    {'F', "field-separator", true, LOOKS},
    {'H', "html", false, LOOKS},
    {'P', "pset", true, LOOKS},
    {'R', "record-separator", true, LOOKS},
    {'t', "tuples-only", false, LOOKS},
    {'T', "table-attr", true, LOOKS},
    {'x', "expanded", false, LOOKS},
    {'z', "field-separator-zero", false, LOOKS},
    {'0', "record-separator-zero", false, LOOKS},
};
/* Of names alone; they come after the letters. */
static const struct psql_option long_options[] = {{0, "variable", true, VARIABLE}, {0, "csv", false, LOOKS}};

struct reading {
    const struct crontab *crontab;
    const struct crontab_entry *entry;
    const struct psql_author *author;
    struct arena *arena;
    struct psql_command *command;
    struct error *err;
    char **assignments; /* NAME=VALUE before the program */
    size_t assignment_count;
    struct buffer sql;
    size_t pieces;
    bool has_file;
    bool together;
    bool stops; /* at the first error */
    const char *file;
};

static bool refuse(const struct reading *reading, const char *problem)
{
    return error_set(reading->err, ERROR_REFUSED, "%s", problem);
}

/* --- SQL -------------------------------------------------------------------------------------------------------------------- */

/* A comment may end the text, and have a semicolon, so that only one on a line of its own is one for certain. */
static void add_sql(struct reading *reading, const char *text)
{
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]) != 0) {
        length--;
    }
    if (reading->pieces++ > 0) {
        buffer_puts(&reading->sql, "\n;\n");
    }
    buffer_append(&reading->sql, text, length);
}

static const char *path_of(const struct reading *reading, const char *name)
{
    if (name[0] == '/') {
        return name;
    }
    const char *home = reading->author->home;
    return home != NULL ? arena_printf(reading->arena, "%s/%s", home, name) : NULL;
}

/* A group may be kept out of what others may do; who is in it is not asked. */
static bool lets_anyone(mode_t mode, mode_t group, mode_t others)
{
    return (mode & group) != 0 && (mode & others) != 0;
}

/* Of where the file really lies: a link may have led there. */
static bool folders_let_anyone(int descriptor)
{
    char link[64];
    char path[4096];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || path[0] != '/') {
        return false;
    }
    path[length] = '\0';
    for (char *slash = strrchr(path, '/'); slash != path; slash = strrchr(path, '/')) {
        *slash = '\0';
        if (stat(path, &status) != 0 || !lets_anyone(status.st_mode, S_IXGRP, S_IXOTH)) {
            return false;
        }
    }
    return true;
}

/* Its text goes to a job of the crontab's user, who could not read everything that we can. */
static bool author_can_read(const struct psql_author *author, int descriptor)
{
    struct stat status;
    if (!author->known || fstat(descriptor, &status) != 0) {
        return false;
    }
    return author->uid == geteuid() || author->uid == status.st_uid ||
           (lets_anyone(status.st_mode, S_IRGRP, S_IROTH) && folders_let_anyone(descriptor));
}

static bool read_for_author(const struct reading *reading, const char *path, struct source_text *text)
{
    struct report report;
    report_init(&report);
    int descriptor = source_open(path, NULL, &report);
    bool allowed = descriptor >= 0 && author_can_read(reading->author, descriptor);
    bool read = allowed && source_read_open(descriptor, path, text, &report);
    if (descriptor >= 0) {
        close(descriptor);
    }
    if (!read) {
        error_set(reading->err, ERROR_REFUSED, "%.200s: %s", path,
                  report.count > 0 ? report.findings[0].message : "the crontab's user may not be able to read it");
    }
    report_finish(&report);
    return read;
}

static bool add_file(struct reading *reading, const char *name)
{
    struct source_text text;
    if (strcmp(name, "-") == 0) {
        add_sql(reading, reading->entry->input != NULL ? reading->entry->input : "");
        reading->has_file = true;
        return true;
    }
    const char *path = path_of(reading, name);
    if (path == NULL) {
        return error_set(reading->err, ERROR_REFUSED, "\"%.200s\" lies in the home folder of somebody who is not there",
                         name);
    }
    if (!read_for_author(reading, path, &text)) {
        return false;
    }
    add_sql(reading, text.text);
    free(text.text);
    reading->has_file = true;
    reading->file = reading->file != NULL ? reading->file : path;
    return true;
}

/* --- options ---------------------------------------------------------------------------------------------------------------- */

/* As psql reads a switch: any beginning of the word, in any case. */
static bool is_off(const char *value)
{
    static const char *const words[] = {"0", "off", "no", "false"};
    size_t length = strlen(value);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (length > 0 && length <= strlen(words[i]) && strncasecmp(value, words[i], length) == 0) {
            return true;
        }
    }
    return false;
}

static bool set_variable(struct reading *reading, const char *value)
{
    if (strncmp(value, "ON_ERROR_STOP=", strlen("ON_ERROR_STOP=")) != 0) {
        return refuse(reading, "it sets variables of psql: write what they are into the SQL");
    }
    reading->stops = !is_off(value + strlen("ON_ERROR_STOP="));
    return true;
}

static bool take_option(struct reading *reading, const struct psql_option *option, const char *value)
{
    struct psql_command *command = reading->command;
    switch (option->kind) {
    case TEXT:
        add_sql(reading, value);
        return true;
    case PATH:
        return add_file(reading, value);
    case DATABASE:
        command->database = value;
        return true;
    case HOST:
        command->host = value;
        return true;
    case PORT:
        command->port = value;
        return true;
    case USER:
        command->user = value;
        return true;
    case TOGETHER:
        reading->together = true;
        return true;
    case VARIABLE:
        return set_variable(reading, value);
    case OUTPUT:
        return strcmp(value, "/dev/null") == 0 || refuse(reading, "its output goes to a file; here no output is kept");
    case LOOKS:
        return true;
    case REFUSED:
        break;
    }
    return error_set(reading->err, ERROR_REFUSED, "psql's option --%s is nothing for a job", option->name);
}

/* As getopt wants them; an option's `val` is its place in the tables, from 256 on. */
static void make_tables(struct option longs[COUNT_OF(options) + COUNT_OF(long_options) + 1],
                        char letters[2 * COUNT_OF(options) + 2])
{
    size_t count = 0;
    *letters++ = ':';
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        longs[count++] = (struct option){options[i].name, options[i].has_value ? required_argument : no_argument, NULL,
                                         options[i].letter};
        *letters++ = options[i].letter;
        if (options[i].has_value) {
            *letters++ = ':';
        }
    }
    *letters = '\0';
    for (size_t i = 0; i < COUNT_OF(long_options); i++) {
        longs[count++] = (struct option){
            long_options[i].name, long_options[i].has_value ? required_argument : no_argument, NULL, 256 + (int)i};
    }
    longs[count] = (struct option){0};
}

static const struct psql_option *find_option(int found)
{
    if (found >= 256) {
        return &long_options[found - 256];
    }
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (options[i].letter == (char)found) {
            return &options[i];
        }
    }
    return NULL;
}

static bool read_options(struct reading *reading, const struct shell_words *words)
{
    struct option longs[COUNT_OF(options) + COUNT_OF(long_options) + 1];
    char letters[2 * COUNT_OF(options) + 2];
    int found;
    make_tables(longs, letters);
    opterr = 0;
    optind = 0; /* begins anew, also its own state */
    while ((found = getopt_long((int)words->count, words->items, letters, longs, NULL)) != -1) {
        const struct psql_option *option = found == '?' || found == ':' ? NULL : find_option(found);
        if (option == NULL) {
            return refuse(reading, "psql would not take its options");
        }
        if (!take_option(reading, option, optarg)) {
            return false;
        }
    }
    char **rest = words->items + optind;
    if (*rest != NULL && reading->command->database == NULL) {
        reading->command->database = *rest++;
    }
    if (*rest != NULL && reading->command->user == NULL) {
        reading->command->user = *rest++;
    }
    return *rest == NULL || refuse(reading, "psql would pass over its last words");
}

/* --- where ------------------------------------------------------------------------------------------------------------------ */

static const char *setting(const struct reading *reading, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = reading->assignment_count; i-- > 0;) {
        if (strncmp(reading->assignments[i], name, length) == 0 && reading->assignments[i][length] == '=') {
            return reading->assignments[i] + length + 1;
        }
    }
    return crontab_value(reading->crontab, reading->entry, name);
}

/* What a conninfo says, psql takes before its options. */
static bool read_conninfo(struct reading *reading)
{
    struct psql_command *command = reading->command;
    const char **const places[] = {&command->host, &command->port, &command->user, &command->database};
    static const char *const keywords[] = {"host", "port", "user", "dbname"};
    struct conninfo info;
    const struct pg_target target = {.conninfo = command->database, .application_name = ""};
    if (!conninfo_read(&info, &target, reading->err)) {
        reading->err->kind = ERROR_REFUSED;
        return false;
    }
    bool elsewhere = conninfo_value(&info, "service") != NULL || conninfo_value(&info, "hostaddr") != NULL;
    const char *session = conninfo_value(&info, "options");
    bool has_options = session != NULL && session[0] != '\0';
    command->database = NULL;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const char *value = conninfo_value(&info, keywords[i]);
        *places[i] = value != NULL ? arena_strdup(reading->arena, value) : *places[i];
    }
    conninfo_finish(&info);
    if (elsewhere) {
        return refuse(reading, "its conninfo has a service or hostaddr: write host and dbname");
    }
    return !has_options || refuse(reading, "its conninfo has options, and no job has those");
}

static bool is_conninfo(const char *name)
{
    return strchr(name, '=') != NULL || strncmp(name, "postgres://", 11) == 0 ||
           strncmp(name, "postgresql://", 13) == 0;
}

static bool read_place(struct reading *reading)
{
    struct psql_command *command = reading->command;
    const char **const places[] = {&command->host, &command->port, &command->user, &command->database};
    static const char *const names[] = {"PGHOST", "PGPORT", "PGUSER", "PGDATABASE"};
    static const char *const others[] = {"PGSERVICE", "PGHOSTADDR", "PGOPTIONS", "PGTZ", "PGCLIENTENCODING"};
    if (command->database != NULL && is_conninfo(command->database) && !read_conninfo(reading)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (setting(reading, others[i]) != NULL) {
            return error_set(reading->err, ERROR_REFUSED, "%s is set for it, and no job has that", others[i]);
        }
    }
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        *places[i] = *places[i] != NULL ? *places[i] : setting(reading, names[i]);
    }
    return true;
}

/* --- what it amounts to ----------------------------------------------------------------------------------------------------- */

static bool check_sql(const struct reading *reading, const char *sql)
{
    struct sql_statement statement;
    if (sqltext_has_client_command(sql)) {
        return refuse(reading, "it has commands of psql (with a backslash), which are no SQL");
    }
    if (sqltext_copies_from_client(sql)) {
        return refuse(reading, "it copies from its input, and a job has none");
    }
    size_t count = sql_statement_count(sql);
    if (count == 0) {
        return refuse(reading, "it has nothing to run");
    }
    while (count > 1 && sql_next_statement(&sql, &statement)) {
        if (sql_stands_alone(&statement)) {
            return error_set(
                reading->err, ERROR_REFUSED,
                "its statements would be one transaction here, and %s cannot be in one: give it a line of its own",
                statement.words[0]);
        }
    }
    return true;
}

static bool controls_transactions(const char *sql)
{
    struct sql_statement statement;
    while (sql_next_statement(&sql, &statement)) {
        if (sql_is_transaction_control(&statement)) {
            return true;
        }
    }
    return false;
}

static void find_difference(const struct reading *reading)
{
    const char *sql = reading->command->sql;
    bool apart = reading->has_file || reading->pieces > 1;
    if (apart && !reading->together && sql_statement_count(sql) > 1 && !controls_transactions(sql)) {
        reading->command->differs = arena_printf(
            reading->arena, "its %zu statements are one transaction here; psql ran each by itself%s",
            sql_statement_count(sql), reading->stops ? "" : ", and went on after an error");
    }
}

/* "nightly" of nightly.sql, else the first words: "delete-from-event-where". */
static const char *make_name(const struct reading *reading)
{
    const char *text = reading->command->sql;
    struct buffer name = {0};
    int words = 1;
    if (reading->file != NULL) {
        const char *base = strrchr(reading->file, '/') != NULL ? strrchr(reading->file, '/') + 1 : reading->file;
        const char *dot = strrchr(base, '.');
        return arena_strndup(reading->arena, base, dot != NULL && dot > base ? (size_t)(dot - base) : strlen(base));
    }
    struct sql_statement first;
    text = sql_next_statement(&text, &first) ? first.start : text;
    for (; *text != '\0' && *text != ';' && name.length < NAME_LENGTH; text++) {
        if (isalnum((unsigned char)*text) != 0 || *text == '_') {
            buffer_putc(&name, (char)tolower((unsigned char)*text));
        } else if (name.length > 0 && buffer_text(&name)[name.length - 1] != '-') {
            if (words++ == NAME_WORDS) {
                break;
            }
            buffer_putc(&name, '-');
        }
    }
    const char *kept = buffer_text(&name);
    size_t length = name.length;
    while (length > 0 && kept[length - 1] == '-') {
        length--;
    }
    const char *made = length > 0 ? arena_strndup(reading->arena, kept, length) : "crontab";
    buffer_finish(&name);
    return made;
}

/* --- the command ------------------------------------------------------------------------------------------------------------ */

static bool is_assignment(const char *word)
{
    size_t length = 0;
    while (isalnum((unsigned char)word[length]) != 0 || word[length] == '_') {
        length++;
    }
    return length > 0 && word[length] == '=';
}

static const char *base_of(const char *word)
{
    return strrchr(word, '/') != NULL ? strrchr(word, '/') + 1 : word;
}

static bool is_psql(const char *word)
{
    return strcmp(base_of(word), "psql") == 0;
}

/* Also in a word that is a command: su -c 'psql ...'. */
static bool names_psql(const char *word, struct arena *arena)
{
    char *rest = arena_strdup(arena, word);
    for (const char *part = strsep(&rest, " \t\n;"); part != NULL; part = strsep(&rest, " \t\n;")) {
        if (is_psql(part)) {
            return true;
        }
    }
    return false;
}

/* A program that runs the command that its words name. */
static bool is_starter(const char *word)
{
    static const char *const starters[] = {"sudo",    "doas", "su",      "runuser", "env",    "nice",  "ionice",
                                           "chrt",    "time", "timeout", "nohup",   "setsid", "flock", "stdbuf",
                                           "chronic", "exec", "command", "sh",      "bash",   "dash"};
    for (size_t i = 0; i < COUNT_OF(starters); i++) {
        if (strcmp(base_of(word), starters[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool starts_psql(const struct shell_words *words, struct arena *arena)
{
    for (size_t i = 1; i < words->count && is_starter(words->items[0]); i++) {
        if (names_psql(words->items[i], arena)) {
            return true;
        }
    }
    return false;
}

static bool refuse_other(struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND, "not a psql command");
}

static bool read_words(struct reading *reading, const struct shell_words *words)
{
    if (!read_options(reading, words) || !read_place(reading)) {
        return false;
    }
    if (reading->pieces == 0 && reading->entry->input != NULL && !add_file(reading, "-")) {
        return false;
    }
    reading->command->sql = arena_strdup(reading->arena, buffer_text(&reading->sql));
    if (!check_sql(reading, reading->command->sql)) {
        return false;
    }
    find_difference(reading);
    reading->command->name = make_name(reading);
    return true;
}

bool psql_command_read(const struct crontab *crontab, const struct crontab_entry *entry,
                       const struct psql_author *author, struct arena *arena, struct psql_command *command,
                       struct error *err)
{
    struct reading reading = {
        .crontab = crontab, .entry = entry, .author = author, .arena = arena, .command = command, .err = err};
    struct shell_words words;
    *command = (struct psql_command){0};
    if (!shell_words_split(entry->command, arena, &words, err)) {
        return strstr(entry->command, "psql") != NULL ? false : refuse_other(err);
    }
    reading.assignments = words.items;
    while (reading.assignment_count < words.count && is_assignment(words.items[reading.assignment_count])) {
        reading.assignment_count++;
    }
    words.items += reading.assignment_count;
    words.count -= reading.assignment_count;
    if (words.count > 0 && starts_psql(&words, arena)) {
        return error_set(err, ERROR_REFUSED, "psql is started by %.40s there", base_of(words.items[0]));
    }
    if (words.count == 0 || !is_psql(words.items[0])) {
        return refuse_other(err);
    }
    bool read = read_words(&reading, &words);
    buffer_finish(&reading.sql);
    return read;
}

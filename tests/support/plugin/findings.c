/* SPDX-License-Identifier: PostgreSQL */
#include "support/plugin/findings.h"

#include <check.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "support/process/files.h"

char *folder;
struct report report;
struct config *config;

void findings_set_up(void)
{
    folder = files_make_directory();
    char *parts = files_path("%s/conf.d", folder);
    files_make_folder(parts);
    free(parts);
    report_init(&report);
    config = NULL;
}

void findings_tear_down(void)
{
    config_free(config);
    report_finish(&report);
    files_remove_tree(folder);
    free(folder);
}

void put(const char *name, const char *text)
{
    char *path = files_path("%s/%s", folder, name);
    files_write(path, text);
    free(path);
}

const struct config *load(void)
{
    char *file = files_path("%s/pgchime.conf", folder);
    config_free(config);
    config = config_load(file, &report);
    free(file);
    return config;
}

static char *reported(void)
{
    struct buffer text = {0};
    report_sort(&report);
    for (size_t i = 0; i < report.count; i++) {
        const char *hint = report.findings[i].hint;
        char *line = finding_line(&report.findings[i]);
        buffer_printf(&text, "%s\n%s%s%s", line, hint != NULL ? "HINT:  " : "", hint != NULL ? hint : "",
                      hint != NULL ? "\n" : "");
        free(line);
    }
    return buffer_take(&text);
}

static char *with_folder(const char *expected)
{
    struct buffer text = {0};
    for (const char *at = expected; *at != '\0'; at++) {
        if (*at == '%') {
            buffer_puts(&text, folder);
        } else {
            buffer_putc(&text, *at);
        }
    }
    return buffer_take(&text);
}

void expect_findings(const void *snapshot, const char *expected)
{
    char *found = reported();
    char *wanted = with_folder(expected);
    ck_assert_str_eq(found, wanted);
    ck_assert_msg((snapshot == NULL) == (expected[0] != '\0'), "a snapshot exactly when there is no finding");
    free(found);
    free(wanted);
}

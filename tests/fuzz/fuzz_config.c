/* SPDX-License-Identifier: PostgreSQL */
/* Feeds any bytes to the configuration reader, as a file of conf_dir and as pgchime.conf. What must hold: no crash, a
 * snapshot exactly when there is no finding, and every finding on a line of the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static char folder[64];
static char main_file[128];
static char part_file[128];

static void clean_up(void)
{
    char parts[128];
    snprintf(parts, sizeof(parts), "%s/conf.d", folder);
    unlink(main_file);
    unlink(part_file);
    rmdir(parts);
    rmdir(folder);
}

static void make_folder(void)
{
    char parts[128];
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof(folder), "%s/pgchime-fuzz-XXXXXX", base);
    if (mkdtemp(folder) == NULL) {
        abort();
    }
    snprintf(main_file, sizeof(main_file), "%s/pgchime.conf", folder);
    snprintf(part_file, sizeof(part_file), "%s/conf.d/x.conf", folder);
    snprintf(parts, sizeof(parts), "%s/conf.d", folder);
    if (mkdir(parts, 0700) != 0) {
        abort();
    }
    atexit(clean_up);
}

static void write_file(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
        abort();
    }
}

static void check(const char *file, int lines)
{
    struct report report;
    report_init(&report);
    struct config *config = config_load(file, &report);
    if ((config == NULL) != (report.count > 0)) {
        abort();
    }
    for (size_t i = 0; i < report.count; i++) {
        if (report.findings[i].line < 0 || report.findings[i].line > lines || report.findings[i].message[0] == '\0') {
            abort();
        }
    }
    config_free(config);
    report_finish(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char main_text[] = "databases: { main: { conninfo = \"x\"; }; }; conf_dir = \"conf.d\";";
    if (folder[0] == '\0') {
        make_folder();
    }
    int lines = 1;
    for (size_t i = 0; i < length; i++) {
        lines += bytes[i] == '\n' ? 1 : 0;
    }
    write_file(main_file, main_text, strlen(main_text));
    write_file(part_file, bytes, length);
    check(main_file, lines);
    unlink(part_file);
    write_file(main_file, bytes, length);
    check(main_file, lines);
    return 0;
}

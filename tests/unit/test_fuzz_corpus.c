/* SPDX-License-Identifier: PostgreSQL */
/* The inputs that the fuzzers of tests/fuzz found worth keeping, each once through its fuzzer: a change that breaks
 * one is seen without fuzzing. tests/fuzz/corpus/NAME.hex has one input a line; a failure names the line, counted from
 * 0.
 * To renew it: fuzz_NAME -merge=1 -use_counters=0 KEPT CORPUS, then of each file below KEPT a line by
 * od -An -v -tx1 FILE | tr -d ' \n' */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "calendar/schedule.h"
#include "calendar/zone.h"

#define INPUTS_MAX 200
#define SCHEDULE_HEAD 10 /* bytes before the text */

/* LLVMFuzzerTestOneInput of fuzz_NAME.c, renamed by CMake; they abort. */
typedef int fuzzer(const uint8_t *data, size_t size);
fuzzer fuzz_config, fuzz_control, fuzz_declaration, fuzz_http, fuzz_notify, fuzz_schedule, fuzz_zone;

struct input {
    uint8_t *bytes;
    size_t size;
};

struct corpus {
    struct input inputs[INPUTS_MAX];
    int count;
};

static struct corpus configs;
static struct corpus controls;
static struct corpus declarations;
static struct corpus heads;
static struct corpus notifications;
static struct corpus schedules;
static struct corpus zones;

static int hex_value(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = memchr(digits, digit, sizeof(digits) - 1);
    if (found == NULL) {
        fprintf(stderr, "tests/fuzz/corpus: '%c' is no lower-case hexadecimal digit\n", digit);
        exit(EXIT_FAILURE);
    }
    return (int)(found - digits);
}

/* A buffer of just that size, so that a read past its end is seen. */
static struct input decode(const char *line, size_t length)
{
    struct input input = {.bytes = xmalloc(length > 1 ? length / 2 : 1), .size = length / 2};
    for (size_t i = 0; i < input.size; i++) {
        input.bytes[i] = (uint8_t)(hex_value(line[2 * i]) << 4 | hex_value(line[2 * i + 1]));
    }
    return input;
}

static void read_corpus(struct corpus *corpus, const char *name)
{
    char *file = xasprintf(PGCHIME_SOURCE_DIR "/tests/fuzz/corpus/%s.hex", name);
    FILE *stream = fopen(file, "r");
    char *line = NULL;
    size_t size = 0;
    if (stream == NULL) {
        perror(file);
        exit(EXIT_FAILURE);
    }
    while (getline(&line, &size, stream) >= 0) {
        if (corpus->count == INPUTS_MAX) {
            fprintf(stderr, "%s: more than %d inputs\n", file, INPUTS_MAX);
            exit(EXIT_FAILURE);
        }
        corpus->inputs[corpus->count++] = decode(line, strcspn(line, "\n"));
    }
    free(line);
    free(file);
    fclose(stream);
}

static void free_corpus(struct corpus *corpus)
{
    for (int i = 0; i < corpus->count; i++) {
        free(corpus->inputs[i].bytes);
    }
}

START_TEST(configuration_of_the_corpus_passes_the_checks_of_its_fuzzer)
{
    ck_assert_int_eq(fuzz_config(configs.inputs[_i].bytes, configs.inputs[_i].size), 0);
}
END_TEST

START_TEST(request_of_the_corpus_passes_the_checks_of_its_fuzzer)
{
    ck_assert_int_eq(fuzz_control(controls.inputs[_i].bytes, controls.inputs[_i].size), 0);
}
END_TEST

START_TEST(declaration_of_the_corpus_passes_the_checks_of_its_fuzzer)
{
    ck_assert_int_eq(fuzz_declaration(declarations.inputs[_i].bytes, declarations.inputs[_i].size), 0);
}
END_TEST

START_TEST(head_of_the_corpus_passes_the_checks_of_its_fuzzer)
{
    ck_assert_int_eq(fuzz_http(heads.inputs[_i].bytes, heads.inputs[_i].size), 0);
}
END_TEST

START_TEST(notification_of_the_corpus_passes_the_checks_of_its_fuzzer)
{
    ck_assert_int_eq(fuzz_notify(notifications.inputs[_i].bytes, notifications.inputs[_i].size), 0);
}
END_TEST

START_TEST(schedule_of_the_corpus_passes_the_checks_of_its_fuzzer)
{
    ck_assert_int_eq(fuzz_schedule(schedules.inputs[_i].bytes, schedules.inputs[_i].size), 0);
}
END_TEST

START_TEST(zone_of_the_corpus_passes_the_checks_of_its_fuzzer)
{
    ck_assert_int_eq(fuzz_zone(zones.inputs[_i].bytes, zones.inputs[_i].size), 0);
}
END_TEST

static bool is_schedule(const struct input *input)
{
    struct schedule schedule;
    if (input->size < SCHEDULE_HEAD) {
        return false;
    }
    char *text = xstrndup((const char *)input->bytes + SCHEDULE_HEAD, input->size - SCHEDULE_HEAD);
    bool is_one = schedule_parse(text, &schedule, NULL);
    free(text);
    return is_one;
}

static bool is_zone(const struct input *input)
{
    struct zone *zone = zone_read("Some/Where", input->bytes, input->size, NULL);
    zone_drop(zone);
    return zone != NULL;
}

START_TEST(corpora_have_many_inputs_that_are_accepted_and_many_that_are_refused)
{
    int accepted_schedules = 0;
    int accepted_zones = 0;
    for (int i = 0; i < schedules.count; i++) {
        accepted_schedules += is_schedule(&schedules.inputs[i]) ? 1 : 0;
    }
    for (int i = 0; i < zones.count; i++) {
        accepted_zones += is_zone(&zones.inputs[i]) ? 1 : 0;
    }
    ck_assert_int_ge(accepted_schedules, 30);
    ck_assert_int_ge(schedules.count - accepted_schedules, 30);
    ck_assert_int_ge(accepted_zones, 10);
    ck_assert_int_ge(zones.count - accepted_zones, 10);
}
END_TEST

int main(void)
{
    read_corpus(&configs, "config");
    read_corpus(&controls, "control");
    read_corpus(&declarations, "declaration");
    read_corpus(&heads, "http");
    read_corpus(&notifications, "notify");
    read_corpus(&schedules, "schedule");
    read_corpus(&zones, "zone");
    Suite *suite = suite_create("fuzz_corpus");
    TCase *tests = tcase_create("fuzz_corpus");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, configuration_of_the_corpus_passes_the_checks_of_its_fuzzer, 0, configs.count);
    tcase_add_loop_test(tests, request_of_the_corpus_passes_the_checks_of_its_fuzzer, 0, controls.count);
    tcase_add_loop_test(tests, declaration_of_the_corpus_passes_the_checks_of_its_fuzzer, 0, declarations.count);
    tcase_add_loop_test(tests, head_of_the_corpus_passes_the_checks_of_its_fuzzer, 0, heads.count);
    tcase_add_loop_test(tests, notification_of_the_corpus_passes_the_checks_of_its_fuzzer, 0, notifications.count);
    tcase_add_loop_test(tests, schedule_of_the_corpus_passes_the_checks_of_its_fuzzer, 0, schedules.count);
    tcase_add_loop_test(tests, zone_of_the_corpus_passes_the_checks_of_its_fuzzer, 0, zones.count);
    tcase_add_test(tests, corpora_have_many_inputs_that_are_accepted_and_many_that_are_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    free_corpus(&configs);
    free_corpus(&controls);
    free_corpus(&declarations);
    free_corpus(&heads);
    free_corpus(&notifications);
    free_corpus(&schedules);
    free_corpus(&zones);
    return failures != 0;
}

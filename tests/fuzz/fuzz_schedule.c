/* Any bytes as a schedule: parsing survives, and what was read gives slots that agree with each other. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "calendar/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_slots(const struct schedule *schedule, instant after)
{
    instant next = schedule_next(schedule, after);
    if (next == INSTANT_NEVER) {
        return;
    }
    require(next > after);
    require(schedule_next(schedule, next - 1) == next);
    require(schedule_latest(schedule, after, next) == next);
    require(schedule_latest(schedule, after, next - 1) == INSTANT_NONE);
    instant last = INSTANT_NONE;
    require(schedule_count(schedule, after, next, 5, &last) == 1 && last == next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    instant after = 0;
    if (size < sizeof(after)) {
        return 0;
    }
    memcpy(&after, data, sizeof(after));
    /* An exact copy, so that a read past the NUL is seen. */
    char *text = xstrndup((const char *)data + sizeof(after), size - sizeof(after));
    struct schedule schedule;
    struct error err = {.kind = ERROR_NONE};
    if (schedule_parse(text, &schedule, &err)) {
        check_slots(&schedule, after);
        check_slots(&schedule, after % INT64_C(253402300800000000));
    } else {
        require(err.kind == ERROR_CONFIG && err.hint[0] != '\0');
        require(utf8_valid(err.message, strlen(err.message)));
    }
    free(text);
    return 0;
}

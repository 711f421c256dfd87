/* SPDX-License-Identifier: PostgreSQL */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_EVERY (10 * USEC_PER_SEC)
#define BAR_EVERY (100 * USEC_PER_MSEC)
#define BAR_WIDTH 30

struct progress progress_begin(const struct invocation *invocation, const char *what, const char *unit)
{
    return (struct progress){.invocation = invocation,
                             .what = what,
                             .unit = unit,
                             .said = clock_boot(),
                             .bar = !invocation->quiet && isatty(STDERR_FILENO)};
}

/* More may be done than there was at the start. */
static int percent_of(int64_t done, int64_t total)
{
    return total <= 0 || done >= total ? 100 : (int)(done * 100 / total);
}

static void draw_bar(const struct progress *progress, int64_t done, int64_t total)
{
    int percent = percent_of(done, total);
    fprintf(stderr, "\r%s [", progress->what);
    for (int i = 0; i < BAR_WIDTH; i++) {
        fputc(i < percent * BAR_WIDTH / 100 ? '#' : '.', stderr);
    }
    fprintf(stderr, "] %3d%% %lld of %lld %s", percent, (long long)done, (long long)total, progress->unit);
    fflush(stderr);
}

void progress_show(struct progress *progress, int64_t done, int64_t total)
{
    instant now = clock_boot();
    if (now - progress->said < (progress->bar ? BAR_EVERY : LINE_EVERY)) {
        return;
    }
    progress->said = now;
    if (progress->bar) {
        draw_bar(progress, done, total);
    } else {
        remark(progress->invocation, "%s: %lld of %lld %s, %d%%", progress->what, (long long)done, (long long)total,
               progress->unit, percent_of(done, total));
    }
}

void progress_end(const struct progress *progress)
{
    if (progress->bar) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

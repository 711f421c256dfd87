/* SPDX-License-Identifier: PostgreSQL */
#include "calendar/schedule_text.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

const char *piece_end(struct piece piece)
{
    return piece.start + piece.length;
}

/* Line ends stand around texts that come from scripts, and pg_cron takes them there. */
static bool is_around(char c)
{
    return is_blank(c) || c == '\n' || c == '\r';
}

struct piece piece_trimmed(struct piece piece)
{
    while (piece.length > 0 && is_around(*piece.start)) {
        piece.start++;
        piece.length--;
    }
    while (piece.length > 0 && is_around(piece.start[piece.length - 1])) {
        piece.length--;
    }
    return piece;
}

bool piece_is(struct piece piece, const char *word)
{
    return strlen(word) == piece.length && strncasecmp(piece.start, word, piece.length) == 0;
}

struct shown piece_show(struct piece piece)
{
    struct shown shown;
    size_t used = 0;
    size_t at = 0;
    while (at < piece.length) {
        size_t length = utf8_length(piece.start + at, piece.length - at);
        bool plain = length > 1 || (length == 1 && piece.start[at] >= ' ' && piece.start[at] != 0x7F);
        size_t step = plain ? length : 1;
        if (used + step > SHOWN_TEXT - 3) {
            memcpy(shown.text + used, "...", 3);
            used += 3;
            break;
        }
        memcpy(shown.text + used, plain ? piece.start + at : "?", step);
        used += step;
        at += step;
    }
    shown.text[used] = '\0';
    return shown;
}

struct piece piece_character(struct piece piece, const char *at)
{
    size_t left = (size_t)(piece_end(piece) - at);
    size_t length = utf8_length(at, left);
    return (struct piece){at, length > 0 || left == 0 ? length : 1};
}

bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool hint_forms(struct error *err)
{
    return error_hint(err, "write \"m h dom mon dow\" (15 3 * * mon), \"s m h dom mon dow\" (*/30 * * * * *), "
                           "\"N seconds\" with N 1-59, @hourly, @daily, @weekly, @monthly, @yearly, "
                           "@every 15m, @after 15m, @reboot, or @at 2026-12-24 18:00");
}

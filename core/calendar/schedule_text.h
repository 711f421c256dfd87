/* SPDX-License-Identifier: PostgreSQL */
/* What the readers of a schedule's text share: pieces of it, how messages show them, and the forms in one hint. */
#ifndef CHIME_CALENDAR_SCHEDULE_TEXT_H
#define CHIME_CALENDAR_SCHEDULE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "calendar/schedule.h"

#define SHOWN_TEXT 200

/* A piece of the schedule's text. */
struct piece {
    const char *start;
    size_t length;
};

struct shown {
    char text[SHOWN_TEXT + 4];
};

const char *piece_end(struct piece piece);
/* Without blanks at its ends. */
struct piece piece_trimmed(struct piece piece);
/* Whatever the case of its letters. */
bool piece_is(struct piece piece, const char *word);
/* The piece as a message may carry it: valid UTF-8 without control characters, of bounded length. */
struct shown piece_show(struct piece piece);
/* The character at a place within the piece, whole; an empty piece at its end. */
struct piece piece_character(struct piece piece, const char *at);

bool is_blank(char c);
bool is_digit(char c);
bool is_letter(char c);

/* Adds the hint that lists the forms; returns false. */
bool hint_forms(struct error *err);
/* The forms that start with '@'; `text` is trimmed. *means: the schedule is what this text says; NULL: it is read. */
bool schedule_parse_word(struct piece text, struct schedule *schedule, const char **means,
                         struct error *err) CHIME_MUST_CHECK;
/* "2026-12-24 18:00[:30]", with "Z" or an offset or, for the wall clock, without. */
bool schedule_parse_time(struct piece text, struct schedule *schedule, struct error *err) CHIME_MUST_CHECK;

#endif

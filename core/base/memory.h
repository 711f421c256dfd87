/* SPDX-License-Identifier: PostgreSQL */
/* Memory that cannot fail, and arenas.
 *
 * Does: allocate or end the process (out of memory is not a state this program recovers from).
 * Does not: track sizes, or free piecemeal what an arena holds.
 * Ownership: x*() results belong to the caller (free()); arena results to the arena. */
#ifndef CHIME_BASE_MEMORY_H
#define CHIME_BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

#if defined(__GNUC__)
#define CHIME_PRINTF(place, first) __attribute__((format(printf, place, first)))
#define CHIME_MUST_CHECK __attribute__((warn_unused_result))
#else
#define CHIME_PRINTF(place, first)
#define CHIME_MUST_CHECK
#endif

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t count, size_t size); /* checks count * size for overflow */
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *format, ...) CHIME_PRINTF(1, 2);
char *xvasprintf(const char *format, va_list arguments) CHIME_PRINTF(1, 0);

/* Gives back to the system what lies free. Worth it after a load, which takes far more than what is kept of it. */
void memory_release(void);

/* A region freed as a whole: one per catalog, one per parsed file. */
struct arena;

struct arena *arena_create(void);
void arena_destroy(struct arena *arena);                   /* takes NULL */
void *arena_alloc(struct arena *arena, size_t size);       /* zeroed, aligned for any type */
char *arena_strdup(struct arena *arena, const char *text); /* NULL in, NULL out */
char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_printf(struct arena *arena, const char *format, ...) CHIME_PRINTF(2, 3);

#endif

/* SPDX-License-Identifier: PostgreSQL */
#include "base/memory.h"

#include <malloc.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define ARENA_CHUNK_SIZE ((size_t)16 * 1024)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    struct arena_chunk *chunks; /* the one being filled is first */
};

static void *checked(void *memory, size_t size)
{
    if (memory == NULL) {
        fatal("out of memory (%zu bytes)", size);
    }
    return memory;
}

/* malloc(0) may return NULL, which would read as a failure. */
static size_t at_least_one(size_t size)
{
    return size > 0 ? size : 1;
}

static size_t product(size_t count, size_t size)
{
    size_t result = 0;
    if (__builtin_mul_overflow(count, size, &result)) {
        fatal("out of memory (%zu times %zu bytes)", count, size);
    }
    return result;
}

void *xmalloc(size_t size)
{
    return checked(malloc(at_least_one(size)), size);
}

void *xcalloc(size_t count, size_t size)
{
    size_t total = product(count, size);
    return checked(calloc(1, at_least_one(total)), total);
}

void *xrealloc(void *memory, size_t count, size_t size)
{
    size_t total = product(count, size);
    return checked(realloc(memory, at_least_one(total)), total);
}

char *xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t length)
{
    size_t kept = strnlen(text, length);
    char *copy = xmalloc(kept + 1);
    memcpy(copy, text, kept);
    copy[kept] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = xvasprintf(format, arguments);
    va_end(arguments);
    return text;
}

char *xvasprintf(const char *format, va_list arguments)
{
    va_list measured;
    va_copy(measured, arguments);
    int length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (length < 0) {
        fatal("cannot format a text: too long or not a valid character");
    }
    size_t size = (size_t)length + 1;
    char *text = xmalloc(size);
    vsnprintf(text, size, format, arguments);
    return text;
}

void memory_release(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/* Its bytes are zeroed as they are given out: a small arena does not pay for a whole chunk. */
static struct arena_chunk *chunk_create(size_t size)
{
    struct arena_chunk *chunk = xmalloc(sizeof(*chunk) + size);
    *chunk = (struct arena_chunk){.size = size};
    return chunk;
}

struct arena *arena_create(void)
{
    struct arena *arena = xmalloc(sizeof(*arena));
    arena->chunks = chunk_create(ARENA_CHUNK_SIZE);
    return arena;
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    struct arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    free(arena);
}

/* A large piece gets a chunk of its own behind the first, so that the rest of the first is not wasted. */
static void *alloc_large(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = chunk_create(size);
    chunk->used = size;
    chunk->next = arena->chunks->next;
    arena->chunks->next = chunk;
    return memset(chunk->bytes, 0, size);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        fatal("out of memory (%zu bytes)", size);
    }
    size_t rounded = (at_least_one(size) + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if (rounded > ARENA_CHUNK_SIZE / 4) {
        return alloc_large(arena, rounded);
    }
    if (rounded > arena->chunks->size - arena->chunks->used) {
        struct arena_chunk *chunk = chunk_create(ARENA_CHUNK_SIZE);
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *memory = arena->chunks->bytes + arena->chunks->used;
    arena->chunks->used += rounded;
    return memset(memory, 0, rounded);
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    size_t kept = strnlen(text, length);
    char *copy = arena_alloc(arena, kept + 1);
    memcpy(copy, text, kept);
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = xvasprintf(format, arguments);
    va_end(arguments);
    char *copy = arena_strdup(arena, text);
    free(text);
    return copy;
}

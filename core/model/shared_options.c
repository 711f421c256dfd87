/* SPDX-License-Identifier: PostgreSQL */
#include "model/shared_options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

struct shared {
    struct job_options options; /* first: its address is what holders have */
    struct shared *next;        /* with the same bucket */
    uint64_t hash;
    size_t holders;
};

/* All of the process, by their bytes and their texts: there is no padding. */
static struct shared **buckets;
static size_t bucket_count; /* a power of two */
static size_t shared_count;

static const size_t texts[] = {offsetof(struct job_options, retry_on), offsetof(struct job_options, pool),
                               offsetof(struct job_options, timezone), offsetof(struct job_options, cursor_source)};

static const char **text_of(struct job_options *options, size_t which)
{
    return (const char **)(void *)((char *)options + texts[which]);
}

/* Takes the texts out: what is left is compared as bytes. */
static void split(const struct job_options *options, struct job_options *bytes, const char *parts[COUNT_OF(texts)])
{
    memcpy(bytes, options, sizeof(*bytes));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        parts[i] = *text_of(bytes, i);
        *text_of(bytes, i) = NULL;
    }
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static uint64_t hash_of(const struct job_options *options)
{
    struct job_options bytes;
    const char *parts[COUNT_OF(texts)];
    split(options, &bytes, parts);
    uint64_t hash = hash_bytes(UINT64_C(14695981039346656037), &bytes, sizeof(bytes));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        hash = hash_bytes(hash, parts[i], parts[i] != NULL ? strlen(parts[i]) + 1 : 0);
    }
    return hash;
}

static bool are_equal(const struct job_options *a, const struct job_options *b)
{
    struct job_options bytes[2];
    const char *parts[2][COUNT_OF(texts)];
    split(a, &bytes[0], parts[0]);
    split(b, &bytes[1], parts[1]);
    bool equal = memcmp(&bytes[0], &bytes[1], sizeof(bytes[0])) == 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        equal = equal && text_same(parts[0][i], parts[1][i]);
    }
    return equal;
}

static struct shared **bucket_of(uint64_t hash)
{
    return &buckets[hash & (bucket_count - 1)];
}

static void put(struct shared *it)
{
    struct shared **bucket = bucket_of(it->hash);
    it->next = *bucket;
    *bucket = it;
}

static void grow(void)
{
    struct shared **old = buckets;
    size_t old_count = bucket_count;
    bucket_count = old_count == 0 ? 16 : old_count * 2;
    buckets = xcalloc(bucket_count, sizeof(*buckets));
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct shared *it = old[i];
            old[i] = it->next;
            put(it);
        }
    }
    free(old);
}

struct job_options *shared_options_hold(const struct job_options *options)
{
    if (shared_count == bucket_count) {
        grow();
    }
    uint64_t hash = hash_of(options);
    struct shared *it = *bucket_of(hash);
    while (it != NULL && (it->hash != hash || !are_equal(&it->options, options))) {
        it = it->next;
    }
    if (it == NULL) {
        it = xcalloc(1, sizeof(*it));
        memcpy(&it->options, options, sizeof(*options));
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
            const char *text = *text_of(&it->options, i);
            *text_of(&it->options, i) = text != NULL ? xstrdup(text) : NULL;
        }
        it->hash = hash;
        put(it);
        shared_count++;
    }
    it->holders++;
    return &it->options;
}

static void take_out(const struct shared *it)
{
    struct shared **at = bucket_of(it->hash);
    while (*at != it) {
        at = &(*at)->next;
    }
    *at = it->next;
}

void shared_options_drop(struct job_options *options)
{
    struct shared *it = (struct shared *)(void *)options;
    if (--it->holders > 0) {
        return;
    }
    take_out(it);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        free((char *)*text_of(&it->options, i));
    }
    free(it);
    if (--shared_count == 0) {
        free(buckets);
        buckets = NULL;
        bucket_count = 0;
    }
}

/* SPDX-License-Identifier: PostgreSQL */
#include "model/shared_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct shared {
    struct job_options options; /* first: its address is what holders have */
    struct shared *next;        /* with the same bucket */
    uint64_t hash;
    size_t holders;
};

/* All of the process, by their bytes: texts in them are interned, and there is no padding. */
static struct shared **buckets;
static size_t bucket_count; /* a power of two */
static size_t shared_count;

static uint64_t hash_of(const struct job_options *options)
{
    const unsigned char *bytes = (const unsigned char *)options;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof(*options); i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    }
    return hash;
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
    while (it != NULL && (it->hash != hash || memcmp(&it->options, options, sizeof(*options)) != 0)) {
        it = it->next;
    }
    if (it == NULL) {
        it = xcalloc(1, sizeof(*it));
        memcpy(&it->options, options, sizeof(*options));
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
    free(it);
    if (--shared_count == 0) {
        free(buckets);
        buckets = NULL;
        bucket_count = 0;
    }
}

/* SPDX-License-Identifier: PostgreSQL */
/* A sound plugin that each test spoils in one place, on its way from the plugin host to the daemon. */
#ifndef CHIME_TESTS_SUPPORT_DECLARATIONS_H
#define CHIME_TESTS_SUPPORT_DECLARATIONS_H

#include <stdint.h>

#include "plugin/declaration.h"
#include "plugin/plugins.h"

#define FILE_NAME "/plugins/orders.so"

#define ONE(item)                          \
    {                                      \
        &(item), 1, (uint32_t)sizeof(item) \
    }

/* The plugin, which has one item of each kind. */
extern struct chime_source source;
extern struct chime_index index_of_view;
extern struct chime_view view;
extern struct chime_option option;
extern struct chime_job job;
extern struct chime_function function;
extern struct chime_channel channel;
extern struct chime_tile tile;
extern struct chime_alert alert;
extern struct chime_setting setting;
extern struct chime_upgrade upgrade;
extern struct chime_plain_view plain_view;
extern struct chime_plugin plugin;

/* Makes it sound (again). */
void sound_plugin(void);
/* The declaration that the daemon holds of it. */
struct declaration *accepted(void);
void assert_accepted(void);
/* Makes the plugin sound again. */
void assert_refused(const char *reason);
/* A sound plugin but for one member. */
struct spoiled {
    const char **member;
    const char *value;
    const char *reason; /* why it is refused */
};
#define ASSERT_EACH_REFUSED(cases) assert_each_refused(cases, sizeof(cases) / sizeof(*(cases)))
void assert_each_refused(const struct spoiled *cases, size_t count);
/* With this item twice in its list. */
#define ASSERT_TWICE_REFUSED(list, item, reason)     \
    do {                                             \
        const __typeof__(item) two[] = {item, item}; \
        (list) = (struct chime_list)CHIME_LIST(two); \
        assert_refused(reason);                      \
    } while (0)
/* The daemon refuses these bytes. */
void assert_malformed(const char *bytes, const char *reason);

#endif

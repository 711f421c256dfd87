/* SPDX-License-Identifier: PostgreSQL */
/* The files of the page, web/dist, as they were when this was built. */
#ifndef CHIME_WEB_FILES_H
#define CHIME_WEB_FILES_H

#include "web/body.h"

/* As they are embedded; the list ends with one without a name. */
struct file_data {
    const char *name;
    const unsigned char *bytes;
    size_t length;
};
extern const struct file_data files_data[];

struct files;

struct files *files_create(void);
void files_destroy(struct files *files); /* takes NULL */
/* NULL: there is none of that name. */
const struct body *files_find(const struct files *files, const char *name);

#endif

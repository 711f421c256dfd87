/* SPDX-License-Identifier: PostgreSQL */
/* declaration_decode on anything: it must refuse or accept, never read past the bytes, and fill the error exactly when
 * it refuses. What it accepts holds what it promises. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/declaration.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_promises(const struct declaration *declaration)
{
    require(strcmp(declaration->name, "orders") == 0);
    require(declaration->view_count + declaration->job_count + declaration->function_count > 0);
    for (size_t i = 0; i < declaration->view_count; i++) {
        require(declaration->views[i].key.count > 0 && declaration->views[i].key_index != NULL);
    }
    for (size_t i = 0; i < declaration->job_count; i++) {
        const struct declared_job *job = &declaration->jobs[i];
        require((job->refresh.count > 0) != (job->command[0] != '\0'));
        require(job->schedule[0] != '\0' || job->after.count + job->on.count > 0 || job->options.target_lag > 0);
    }
    for (size_t i = 0; i < declaration->setting_count; i++) {
        require(setting_accepts(&declaration->settings[i], declaration->settings[i].value, NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct error err = {.kind = ERROR_NONE};
    struct declaration *declaration = declaration_decode((const char *)bytes, length, "/plugins/orders.so", &err);
    require((declaration == NULL) == (err.kind == ERROR_CONFIG));
    if (declaration == NULL) {
        require(err.message[0] != '\0' && err.hint[0] != '\0');
    } else {
        check_promises(declaration);
    }
    declaration_destroy(declaration);
    return 0;
}

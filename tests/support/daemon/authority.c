/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/authority.h"

#include <stdlib.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/process.h"

#define OPENSSL "/usr/bin/openssl"

bool authority_is_possible(void)
{
    return access(OPENSSL, X_OK) == 0;
}

static void run(const char *folder, const char *words)
{
    char *command = files_path("cd '%s' && umask 077 && " OPENSSL " %s", folder, words);
    char *log = files_path("%s/openssl.log", folder);

    process_must_run((const char *const[]){"/bin/sh", "-c", command, NULL}, log);
    free(command);
    free(log);
}

void authority_make(const char *folder)
{
    run(folder, "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj '/CN=test authority'"
                " -keyout ca.key -out ca.crt");
}

void authority_certify(const char *folder, const char *name, const char *address)
{
    char *extension = files_path("%s/%s.ext", folder, name);
    char *text = address != NULL ? files_path("subjectAltName=IP:%s\n", address)
                                 : files_path("keyUsage=digitalSignature\n");
    char *request = files_path(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=%s' -keyout %s.key"
        " -out %s.csr",
        name, name, name);
    char *sign = files_path(
        "x509 -req -in %s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile %s.ext -out %s.crt", name, name,
        name);

    files_write(extension, text);
    run(folder, request);
    run(folder, sign);
    free(extension);
    free(text);
    free(request);
    free(sign);
}

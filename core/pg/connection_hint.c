/* SPDX-License-Identifier: PostgreSQL */
#include "pg/connection_hint.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

static const struct {
    const char *words;
    const char *hint;
} known[] = {
    {"too many clients", "end sessions that nobody needs, or raise max_connections"},
    {"remaining connection slots", "end sessions that nobody needs, or raise max_connections"},
    {"too many connections for",
     "end sessions that nobody needs, or raise the CONNECTION LIMIT of that role or database"},
    {"password authentication failed",
     "give the role's password in the conninfo, or in its passfile, which is ~/.pgpass where it names none"},
    {"no password supplied",
     "give the role's password in the conninfo, or in its passfile, which is ~/.pgpass where it names none"},
    {"Peer authentication failed",
     "be that user of the system (runuser -u NAME -- pgchime ...), or name another role in the conninfo"},
    {"pg_hba.conf", "allow the role and database in the server's pg_hba.conf, then reload the server"},
    {"not currently accepting connections", "ALTER DATABASE ... ALLOW_CONNECTIONS true"},
    {"is not permitted to log in", "ALTER ROLE ... LOGIN"},
    {"the database system is", "wait for the server to be ready; its log says what it does"},
    {"No space left on device", "make room on the server's disk; its log names the file"},
    {"does not exist", "make it, or write the right name into the conninfo"},
};

const char *connection_hint(const char *message)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strstr(message, known[i].words) != NULL) {
            return known[i].hint;
        }
    }
    return strstr(message, "FATAL:") != NULL ? "the server runs and refuses: mend there what it says"
                                             : "is the server running, and is the conninfo right?";
}

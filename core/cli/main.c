/* SPDX-License-Identifier: PostgreSQL */
/* pgchime: see core/cli/command.h. */
#include <langinfo.h>
#include <locale.h>
#include <string.h>

#include "cli/command.h"

/* Only how characters are encoded: numbers and dates are read and written in the C locale everywhere. What a database
 * holds reaches us in UTF-8, whatever the terminal speaks. */
static void set_locale(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

int main(int argc, char **argv)
{
    set_locale();
    return command_line("/proc/self/exe", argc, argv);
}

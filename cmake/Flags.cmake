# SPDX-License-Identifier: PostgreSQL
# Compiler flags: warnings for our own targets, sanitizers, coverage and hardening for everything.

add_library(pgchime_warnings INTERFACE)
target_compile_options(pgchime_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wswitch-enum
    -Wvla $<$<BOOL:${PGCHIME_WERROR}>:-Werror>)

if(PGCHIME_SANITIZE)
    add_compile_options("-fsanitize=${PGCHIME_SANITIZE}" -fno-omit-frame-pointer -fno-sanitize-recover=all)
    string(REPLACE "fuzzer-no-link," "" sanitize_link "${PGCHIME_SANITIZE}")
    add_link_options("-fsanitize=${sanitize_link}")
endif()

if(PGCHIME_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()

if(PGCHIME_HARDENING)
    add_compile_options(-fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
        -Wformat -Werror=format-security -fcf-protection)
    add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
    include(CheckPIESupported)
    check_pie_supported(LANGUAGES C)
endif()

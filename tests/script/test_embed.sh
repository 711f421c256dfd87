#!/usr/bin/env bash
# cmake/EmbedSql.cmake carries SQL into C byte for byte, and refuses what it does not understand.
set -uo pipefail
# SPDX-License-Identifier: PostgreSQL
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
passed=0
failed=0

check()
{
    local name=$1
    shift
    if "$@" >"$folder/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$name"
        head -20 "$folder/log"
    fi
}

embed() { cmake -D "INPUT=$folder/$1" -D "OUTPUT=$folder/$1.h" -P "$repository/cmake/EmbedSql.cmake"; }

# compiles FILE.h strictly and prints the constant NAME
print_constant()
{
    printf '#include <stdio.h>\n#include "%s.h"\nint main(void)\n{\n    return fputs(sql_%s, stdout) < 0;\n}\n' "$1" "$2" \
        >main.c
    "${CC:-cc}" -std=gnu11 -Wall -Wextra -Wpedantic -Werror -I. -o main main.c && ./main
}

same_constant() { print_constant "$1" "$2" >found && diff "$3" found; }

# refused FILE TEXT: with TEXT in the message, which CMake breaks into lines
refused()
{
    if embed "$1"; then return 1; fi
    tr -s '[:space:]' ' ' <"$folder/log" | grep -qF -- "$2"
}

# What CMake lists, C literals and the preprocessor trip over; unbalanced brackets in every order.
cat >nasty <<'SQL'
SELECT a[1:2], ']', '[', ';', E'\\;', E'\n', '\', "q""q", x ?| y, '??(', '??/', $$;$$, '${PATH}', '@x@', '$<1:2>'
	tab; [[ ]] ] [ ; ;; \; \[ \" \\ /* ünïcödé → 漢字 🐘 */ %d %s #include '
[
SQL
{ printf 'CREATE VIEW v AS\n-- chime:begin first\n'; cat nasty; printf -- '-- chime:end\n;\n'
  printf -- '-- chime:begin empty\n-- chime:end\n-- chime:begin second\n'; cat nasty nasty; printf -- '-- chime:end'; } >part.sql
check "embeds sections" embed part.sql
check "the first section is the same" same_constant part.sql first nasty
cat nasty nasty >twice
check "the last section is the same, without a line end after it" same_constant part.sql second twice
: >nothing
check "an empty section is empty" same_constant part.sql empty nothing

cp nasty whole-file.sql
check "embeds a file without sections" embed whole-file.sql
check "which is the same, by its name" same_constant whole-file.sql whole_file nasty
printf 'SELECT 1;\r\nSELECT 2' >ends.sql
check "embeds odd line ends" embed ends.sql
tr -d "\r" <ends.sql >ends.expected
check "which become LF" same_constant ends.sql ends ends.expected
seq -f "SELECT %.0f; -- a long file, longer than the 4095 bytes that C11 promises" 1 2000 >long.sql
check "embeds a long file" embed long.sql
check "which is the same" same_constant long.sql long long.sql

printf -- '-- chime:begin a\n-- chime:begin b\n-- chime:end\n' >nested.sql
check "refuses nesting" refused nested.sql 'nested.sql:2: expected'
printf -- '-- chime:begin a\nSELECT 1\n' >open.sql
check "refuses an open section" refused open.sql 'section "a" has no'
printf -- '-- chime:begin a\n-- chime:end\n-- chime:begin a\n-- chime:end\n' >double.sql
check "refuses a name twice" refused double.sql 'double.sql:3: section "a" is there twice'
printf -- 'SELECT 1\n-- chime:start a\n' >typo.sql
check "refuses an unknown word" refused typo.sql 'typo.sql:2: expected'

mkdir migrations
cp nasty migrations/0002_second_step.sql
printf 'SELECT 10' >migrations/0010_tenth.sql
cp long.sql migrations/0001_first.sql
cat >migrations.c <<'C'
#include <stdio.h>

#include "ledger/embedded.h"

int main(void)
{
    for (size_t i = 0; i < embedded_migration_count; i++)
        printf("%d %s\n%s", embedded_migrations[i].number, embedded_migrations[i].name, embedded_migrations[i].sql);
    return embedded_migrations[embedded_migration_count].sql != NULL;
}
C
embed_migrations() { cmake -D "MIGRATIONS=$folder/migrations" -D "OUTPUT=$folder/data.c" -P "$repository/cmake/EmbedSql.cmake"; }
build_migrations()
{
    "${CC:-cc}" -std=gnu11 -Wall -Wextra -Wpedantic -Werror -I"$repository/core" -o migrations.run migrations.c data.c &&
        ./migrations.run >found && diff expected found
}
{ echo "1 first"; cat long.sql; echo "2 second_step"; cat nasty; echo "10 tenth"; printf 'SELECT 10'; } >expected
check "embeds migrations" embed_migrations
check "in order, the same" build_migrations
touch migrations/0010_again.sql
not_embedded() { ! embed_migrations; }
check "refuses a number twice" not_embedded
rm migrations/0010_again.sql && touch migrations/11_x.sql
check "refuses another name" not_embedded
rm migrations/*
: >expected
check "embeds no migration at all" embed_migrations
check "as an empty table" build_migrations

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

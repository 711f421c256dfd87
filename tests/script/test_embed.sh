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

mkdir -p sql/schema sql/functions
cp nasty sql/schema/0002_second_step.sql
printf 'SELECT 10' >sql/schema/0010_tenth.sql
cp long.sql sql/schema/0001_first.sql
cp nasty sql/functions/zebra.sql
printf 'SELECT 1' >sql/functions/ape.sql
printf '# in this order\nzebra\nape\n' >sql/functions/order
cat >schema.c <<'C'
#include <stdio.h>

#include "ledger/embedded.h"

static void print(const struct embedded_sql *file)
{
    for (; file->name != NULL; file++)
        printf("%d %s\n%s", file->number, file->name, file->sql);
}

int main(void)
{
    print(embedded_schema);
    print(embedded_functions);
    fprintf(stderr, "%s\n", embedded_checksum);
}
C
embed_schema() { cmake -D "SCHEMA=$folder/sql" -D "OUTPUT=$folder/data.c" -P "$repository/cmake/EmbedSql.cmake" >"$folder/log" 2>&1; }
build_schema()
{
    "${CC:-cc}" -std=gnu11 -Wall -Wextra -Wpedantic -Werror -I"$repository/core" -o schema.run schema.c data.c &&
        ./schema.run >found 2>checksum && diff expected found
}
{ echo "1 first"; cat long.sql; echo "2 second_step"; cat nasty; echo "10 tenth"; printf 'SELECT 10'
  echo "0 zebra"; cat nasty; echo "0 ape"; printf 'SELECT 1'; } >expected
check "embeds schema and functions" embed_schema
check "in order, the same" build_schema
cp checksum checksum.before
changed_checksum() { embed_schema && build_schema && ! cmp -s checksum checksum.before; }
same_checksum() { embed_schema && build_schema && cmp checksum checksum.before; }
not_embedded() # the reason
{
    if embed_schema; then return 1; fi
    tr -s '[:space:]' ' ' <"$folder/log" | grep -qF -- "$1"
}
printf 'SELECT 2' >sql/functions/ape.sql
sed -i 's/^SELECT 1$/SELECT 2/' expected
check "the checksum is another one after a change of a function" changed_checksum
printf 'SELECT 1' >sql/functions/ape.sql
sed -i 's/^SELECT 2$/SELECT 1/' expected
check "and the first one after that was undone" same_checksum
touch sql/schema/0010_again.sql
check "refuses a number twice" not_embedded 'number 0010 is there twice'
rm sql/schema/0010_again.sql && touch sql/schema/11_x.sql
check "refuses another name" not_embedded 'named NNNN_name.sql'
rm sql/schema/11_x.sql && printf 'SELECT 1;\nCREATE OR REPLACE FUNCTION f() x' >sql/schema/0011_x.sql
check "refuses a function in the schema" not_embedded 'CREATE OR REPLACE FUNCTION belongs in sql/functions'
rm sql/schema/0011_x.sql && printf 'CREATE TABLE t ();' >sql/functions/ape.sql
check "refuses a table among functions" not_embedded 'CREATE TABLE belongs in sql/schema'
printf 'SELECT 1' >sql/functions/ape.sql && touch sql/functions/bear.sql
check "refuses a file without its turn" not_embedded 'does not name: bear.sql'
rm sql/functions/bear.sql && echo cat >>sql/functions/order
check "refuses a turn without its file" not_embedded 'cat: there is no cat.sql'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# What every source file keeps to: its licence, the length of its lines, templates with names.
set -uo pipefail
# SPDX-License-Identifier: PostgreSQL
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

mapfile -t files < <(
    find CMakeLists.txt .ci bench cmake core include packaging plugins script sql tests tools web \
        \( -name node_modules -o -path web/dist \) -prune -o -type f \
        \( -name '*.[ch]' -o -name '*.sql' -o -name '*.sh' -o -name '*.py' -o -name '*.cmake' -o -name CMakeLists.txt \
        -o -name '*.ts' -o -name '*.tsx' -o -name '*.mjs' -o -name '*.css' \
        -o ! -name '*.*' -exec grep -q '^#!' {} \; \) -print 2>/dev/null
)
limit=$(sed -n 's/^ColumnLimit: //p' .clang-format)
failed=0

# complain WHAT LINES: unless there are none.
complain()
{
    [ -n "$2" ] || return 0
    printf 'FAILED: %s:\n%s\n' "$1" "$2"
    failed=$((failed + 1))
}

[ ${#files[@]} -ge 500 ] || complain "this test found too few files" "${#files[@]}"
complain 'without "SPDX-License-Identifier: PostgreSQL"' "$(grep -L 'SPDX-License-Identifier: PostgreSQL' "${files[@]}")"
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep -E '\.(c|h|sql|tsx?|mjs|css)$')
complain "lines of more than $limit characters" "$(LC_ALL=C.UTF-8 grep -nE "^.{$limit}." "${sources[@]}" |
    grep -E '^[^:]*(\.([ch]|tsx?|mjs|css):|\.sql:[0-9]+: *--)' | cut -d: -f1,2)"

complain 'files that say at their top not what they are about (script/files)' "$(script/files | grep ': $')"
complain 'format() with more than four positions: chime.fill_template names what is put in' \
    "$(grep -nE '%([5-9]|[1-9][0-9])\$' sql/functions/*.sql | cut -d: -f1,2)"

# Words that were replaced by those of docs/glossary.md (issue 20): part of no name, and in no text between quotes.
old='wish|wishes|passes|orphans?|roster|generation|swap|lanes?|ends|doubts?|duty|duties|seat|former|wipe|dial|refusals?|places|gate|settle|look'
names='(struct|enum|union) [a-z0-9_]+ \{|^[a-z][a-z0-9_ *]*[ *][a-z0-9_]+\([^;]*$|^#define [A-Z0-9_]+|^CREATE [A-Z ]*[a-z0-9_.]+'
mapfile -t ours < <(printf '%s\n' "${files[@]}" | grep -E '^(core|include|sql/(functions|schema)|tools)/')
[ ${#ours[@]} -ge 400 ] || complain "this test found too few files of the program" "${#ours[@]}"
# named PATTERN FILE...: where one of the names that are made in the files has such a part
named()
{
    grep -HnEo "$names" "${@:2}" | sed -E 's/\(.*//; s/ *\{$//' | grep -iE "[ *_.]($1)(_[A-Za-z0-9_]*)?$" || true
}
complain 'old words in names of files' "$(printf '%s\n' "${ours[@]}" | grep -E "[/_]($old|notes|watch)[_.]")"
complain 'old words in names of functions, types and tables' "$(named "$old" "${ours[@]}")"
complain 'old words in texts' "$(grep -nEw "\"[^\"]*\b(wish(es)?|orphans?|roster|swap|lanes?|doubts?|dut(y|ies)|seat|wipe|dial|refusals?)\b[^\"]*\"" \
    "${ours[@]}" | grep -E '^core' | cut -c1-160)"

echo "$((7 - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]

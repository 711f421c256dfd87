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

complain 'format() with more than four positions: chime.fill_template names what is put in' \
    "$(grep -nE '%([5-9]|[1-9][0-9])\$' sql/functions/*.sql | cut -d: -f1,2)"

echo "$((4 - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]

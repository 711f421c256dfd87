#!/usr/bin/env bash
# docs/seeds/*.md are made of tests/oracle/seeds.txt, and name nothing that is not there.
set -uo pipefail
# SPDX-License-Identifier: PostgreSQL
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

# A copy, whose pages the test changes.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/tests"
cp -r script plugins core sql docs bench "$copy"
cp -r tests/oracle tests/integration "$copy/tests"
passed=0
failed=0

# expect NAME TEXT: the check refuses the copy and says TEXT; without TEXT it is content.
expect()
{
    local output status=0
    output=$("$copy/script/seeds" --check 2>&1) || status=$?
    if { [ $# -eq 1 ] && [ "$status" -eq 0 ] && [ -z "$output" ]; } ||
        { [ $# -eq 2 ] && [ "$status" -ne 0 ] && [[ $output == *"$2"* ]]; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s: status %d\n%s\n' "$1" "$status" "$output"
    fi
}

expect "the pages are current and name what is there"
# shellcheck disable=SC2016 # the page's quotes
sed -i 's/`target_lag`/`target_lagg`/' "$copy/docs/seeds/000.md"
expect "a name that is nowhere" '"target_lagg" is nowhere in the sources'
cp docs/seeds/000.md "$copy/docs/seeds/000.md"
# shellcheck disable=SC2016
sed -i 's/`pgchime verify`/`pgchime verifyy`/' "$copy/docs/seeds/003.md"
expect "a command that is nowhere" '"pgchime verifyy" is nowhere in the sources'
cp docs/seeds/003.md "$copy/docs/seeds/003.md"
sed -i '/mv_time_to_first_win/d' "$copy/tests/oracle/seeds.txt"
expect "a row that went" 'docs/seeds/002.md is not current'

printf '%d passed, %d failed\n' "$passed" "$failed"
exit $((failed > 0))

#!/usr/bin/env bash
# The version is the same in all files that name it.
set -uo pipefail
# SPDX-License-Identifier: PostgreSQL
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
failed=0

complain() # WHAT LINES: unless there are none
{
    [ -n "$2" ] || return 0
    printf 'FAILED: %s:\n%s\n' "$1" "$2"
    failed=$((failed + 1))
}

version=$(sed -n 's/^project(pgchime VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
complain "what CHANGELOG.md does not have, in this order" "$(grep -E '^## ' CHANGELOG.md | head -2 | cut -d' ' -f1,2 |
    diff - <(printf '## Unreleased\n## %s\n' "$version"))"
complain "packaging/debian/changelog has another version" "$(sed -n '1s/^pgchime (\([0-9.]*\)-.*/\1/p' packaging/debian/changelog | grep -vxF "$version")"

echo "$((2 - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]

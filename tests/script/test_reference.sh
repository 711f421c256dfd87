#!/usr/bin/env bash
# docs/reference.md says what the comments in the database say, and nothing of schema chime lacks one.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

make_run_directory
build=${PGCHIME_TEST_BUILD:-$ROOT_DIRECTORY/build}
"$ROOT_DIRECTORY/script/reference" --check
# It can fail: a page that is not current.
as_unprivileged cp -r "$ROOT_DIRECTORY/script" "$RUN_DIRECTORY/script"
as_unprivileged mkdir -p "$RUN_DIRECTORY/docs" "$RUN_DIRECTORY/build"
as_unprivileged cp "$build/pgchime" "$RUN_DIRECTORY/build/pgchime"
as_unprivileged sh -c "grep -v refresh_job '$ROOT_DIRECTORY/docs/reference.md' >'$RUN_DIRECTORY/docs/reference.md'"
if env -u PGCHIME_TEST_BUILD "$RUN_DIRECTORY/script/reference" --check >"$RUN_DIRECTORY/out" 2>&1; then
    die "a page that lacks a function passes"
fi
grep -q 'is not current' "$RUN_DIRECTORY/out" || die "it says: $(cat "$RUN_DIRECTORY/out")"
say "2 passed, 0 failed"

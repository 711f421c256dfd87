#!/usr/bin/env bash
# The manual pages name every command, option, key, environment variable and member there is: the program and its sources say which.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
# SPDX-License-Identifier: PostgreSQL

have scdoc || die "scdoc is missing" "script/bootstrap --lint"
pgchime=${PGCHIME_TEST_BUILD:-$ROOT_DIRECTORY/build}/pgchime
pages=$ROOT_DIRECTORY/docs/man
checks=0
missing=()

# documented PAGE WHAT PATTERN: a line of the page's source matches.
documented()
{
    checks=$((checks + 1))
    grep -qE -- "$3" <<<"$1" || missing+=("$2")
}

# --- every page is one ------------------------------------------------------------------------------------------------
for page in "$pages"/*.scd; do
    scdoc <"$page" >/dev/null || die "$page is no page for scdoc"
    checks=$((checks + 1))
done

# --- pgchime(1): commands and options, as help has them -------------------------------------------------------------------
commands_of_help()
{
    "$pgchime" help | sed -n '/^Commands:/,/^$/s/^  \(plugins [a-z]*\|views [a-z]*\|retention [a-z]*\|import [a-z_]*\|[a-z]*\) .*/\1/p' | sed 's/ *$//'
}
options_of() { sed -n "/^$1:/,/^\$/s/^  --\([a-z-]*\).*/\1/p"; }

# What the page says of one command.
section() { awk -v command="$1" '/^\*[a-z]/ || /^# / { inside = index($0, "*" command "*") == 1 } inside' "$pages/pgchime.1.scd"; }

page=$(cat "$pages/pgchime.1.scd")
mapfile -t commands < <(commands_of_help)
[ "${#commands[@]}" -gt 25 ] || die "help lists ${#commands[@]} commands"
for command in "${commands[@]}"; do
    text=$(section "$command")
    documented "$text" "pgchime(1): command $command" "^\\*$command\\*"
    read -ra words <<<"${command/import pg_cron/import}" # where that is an argument
    while read -r option; do
        documented "$text" "pgchime(1): $command --$option" "^[[:space:]]+(\\*-[a-z]\\*, )?\\*--$option\\*"
    done < <("$pgchime" help "${words[@]}" | options_of Options)
done
while read -r option; do
    documented "$page" "pgchime(1): --$option" "^(\\*-[a-zA-Z]\\*, )?\\*--$option\\*"
done < <("$pgchime" help | options_of 'Global options')
while read -r status; do
    documented "$page" "pgchime(1): exit status $status" "^\\*$status\\*\$"
done < <("$pgchime" help | sed -n '/^Exit status/,/^pgchime help/p' | grep -oE '\b[0-9]+\b')

# --- pgchime.conf(5): keys, as the reader and the options' table have them ---------------------------------------------------
page=$(cat "$pages/pgchime.conf.5.scd")
keys_of() # FILE...
{
    grep -hoE '(^ +|= \{)(\{"[a-z_]+", SETTING_[A-Z_]+\}[, ]*)+' "$@" | grep -oE '"[a-z_]+"' | tr -d '"'
}
keys() { find "$ROOT_DIRECTORY/core/config" -name '*.c' -not -name web.c -print0 | while read -rd '' file; do keys_of "$file"; done; }
options() { sed -n '/^static const struct/,/^};/s/^    {\.name = "\([a-z_.]*\)".*/\1/p' "$ROOT_DIRECTORY/core/model/option_table.c"; }
[ "$(keys | wc -l)" -gt 20 ] || die "the configuration's keys were not found in core/config"
[ "$(options | wc -l)" -gt 20 ] || die "the options were not found in core/model/option_table.c"
while read -r key; do
    documented "$page" "pgchime.conf(5): $key" "^\\*$key\\*"
done < <({ keys; options; } | sort -u)

# --- pgchime-web.conf(5) ----------------------------------------------------------------------------------------------------
page=$(cat "$pages/pgchime-web.conf.5.scd")
[ "$(keys_of "$ROOT_DIRECTORY/core/config/web.c" | wc -l)" -gt 10 ] || die "the keys of web.conf were not found"
while read -r key; do
    documented "$page" "pgchime-web.conf(5): $key" "^\\*$key\\*"
done < <(keys_of "$ROOT_DIRECTORY/core/config/web.c" | sort -u)

# --- pgchime-plugin(7): structures and members, as the header has them -------------------------------------------------------
page=$(cat "$pages/pgchime-plugin.7.scd")
members()
{
    sed 's,/\*.*\*/,,' "$ROOT_DIRECTORY/include/pgchime/plugin.h" | awk '
        /^struct chime_/ { structure = $2; next }
        /^};/ { structure = "" }
        structure != "" && match($0, /^    (const char \*|uint[0-9]+_t |struct chime_list )[a-z_]+;/) {
            name = substr($0, RSTART, RLENGTH - 1); sub(/.*[ *]/, "", name); print structure, name }' | grep -v '^chime_list '
}
[ "$(members | wc -l)" -gt 60 ] || die "the members were not found in plugin.h"
while read -r structure member; do
    text=$(awk -v head="*struct $structure*" '/^\*struct/ || /^# / { inside = $0 == head } inside' <<<"$page")
    documented "$text" "pgchime-plugin(7): $structure.$member" "\\*$member\\*"
done < <(members)

# --- a page that lacks something is found ---------------------------------------------------------------------------------
found=${#missing[@]}
documented "$(section serve | grep -v once)" "what is taken away" '^[[:space:]]+\*--once\*'
[ "${#missing[@]}" -eq $((found + 1)) ] || die "this test cannot fail"
unset 'missing[-1]'

[ ${#missing[@]} -eq 0 ] || die "not documented: $(printf '\n  %s' "${missing[@]}")" "docs/man/*.scd"
printf '%d passed, 0 failed\n' "$checks"

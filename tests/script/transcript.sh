# Blocks of a page that show a terminal: what is typed after "$ ", and what that prints. Sourced by tests; script/lib.sh comes first.
# SPDX-License-Identifier: PostgreSQL

query() { cluster_psql "$RUN_DIRECTORY/pg" -XqAt -d app -c "$1" 2>&1; } # SQL

# Until the SQL says t; else the log of the daemon is shown.
await() # WHAT SQL
{
    local tries=600
    until [ "$(query "$2")" = t ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "$1: not in 60 s" "$(tail -5 "$RUN_DIRECTORY/log")"
        read -r -t 0.1 <> <(:) || :
    done
}

# Runs the commands of the block on standard input with this configuration, in database app of the cluster in $RUN_DIRECTORY/pg. After each one the
# function `settle` of the test is called.
transcript_run() # CONFIGURATION
{
    local command
    while IFS= read -r command; do
        [[ $command == '$ '* ]] || continue
        printf '%s\n' "$command"
        command=$(rewrite "${command#$ }")
        case $command in
            'pgchime '*)
                PATH=$ROOT_DIRECTORY/build:$PATH PGCHIME_CONFIG='' bash -c "$command --config '$1'" 2>&1 || :
                ;;
            'journalctl -u pgchime -o cat '*) eval "cat '$RUN_DIRECTORY/log' ${command#journalctl -u pgchime -o cat }" ;;
            'psql '*) eval "cluster_psql '$RUN_DIRECTORY/pg' -X -P pager=off -d app ${command#psql }" 2>&1 ;;
        esac
        settle
    done
}

# A test may have the command say the number that it has this time.
rewrite() { printf '%s' "$1"; }

# A test may have the output name other folders than its own.
places() { cat; }

# Without numbers and widths.
transcript_masked() { sed -E 's/[0-9]+([.:][0-9]+)*(ms|s|min|h)?//g; s/[-+ ]+/ /g; s/ +$//; /^$/d' "$1"; }

# Dies where the block SHOWN, run with the configuration, prints something else than it shows. PGCHIME_SHOW=1 prints it.
transcript_compare() # NAME SHOWN CONFIGURATION
{
    transcript_run "$3" <"$2" | places >"$2.printed"
    [ -z "${PGCHIME_SHOW:-}" ] || cat "$2.printed"
    transcript_masked "$2" >"$2.masked"
    transcript_masked "$2.printed" >"$2.printed.masked"
    diff -u "$2.masked" "$2.printed.masked" >"$2.diff" ||
        die "$1 shows something else than is printed: $(cat "$2.diff")" "PGCHIME_SHOW=1 $0 prints it"
}

# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh and script/package set and use it
# docs/containers.md and packaging/container by Podman, without a registry: debian:bookworm-slim is a Debian 12 by debootstrap. The image is built
# from Containerfile, and what the page, compose.yaml and kubernetes.yaml start is started as they say, beside a PostgreSQL, in a network of their own.
# SPDX-License-Identifier: PostgreSQL
container_files=packaging/container
mkdir "$RUN_DIRECTORY/read"
python3 packaging/test/container_files.py "$container_files" "$RUN_DIRECTORY/read" || die "$container_files is not as it should be"
read_of() { cat "$RUN_DIRECTORY/read/$1"; }

# --- a network with a database ----------------------------------------------------------------------------------------
new_root db
db=$root
install_in_root postgresql iproute2
# With its first process all end. crun takes no cgroups of both versions at once: it sees none of the second.
trap 'pod rm -fa -t 0 >/dev/null 2>&1; kill -KILL "$network" "$holder" 2>/dev/null; sleep 1; umount -R "$db" 2>/dev/null || true' EXIT
unshare -m -n -p --fork --kill-child sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec sleep infinity' &
holder=$!
disown "$holder"
until_it "a network" 10 pgrep -P "$holder"
network=$(pgrep -P "$holder")
in_network() { nsenter -t "$network" -n -p -- chroot "$db" "${clean_environment[@]}" "$@"; }
in_network ip link set lo up
# Podman, where it sees and changes nothing of whoever runs this.
pod()
{
    # shellcheck disable=SC2016 # for the shell in there
    nsenter -t "$network" -m sh -c 'cd "$0" && exec podman "$@"' "$PWD" --root "$RUN_DIRECTORY/podman" --runroot "$RUN_DIRECTORY/podman.run" \
        --storage-driver vfs --cgroup-manager cgroupfs --events-backend none "$@"
}
in_network sh -c "echo 'host all all 127.0.0.1/32 scram-sha-256' >>/etc/postgresql/15/main/pg_hba.conf; mount -t tmpfs tmpfs /dev/shm
    pg_ctlcluster 15 main start"
as_dba() { in_network runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
until_it "PostgreSQL answers" 60 as_dba -c 'SELECT 1'
as_dba -c 'CREATE DATABASE app'

# --- the image ------------------------------------------------------------------------------------------------------
tar -C "$base" --exclude=./.complete --exclude='./var/cache/apt/archives/*.deb' -c . | pod import - docker.io/library/debian:bookworm-slim >"$RUN_DIRECTORY/import.log" 2>&1 ||
    die "$(tail -5 "$RUN_DIRECTORY/import.log")"
limits=(--cgroups disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024) # what a sandbox lets it set
as_everywhere=("${limits[@]}" --network "ns:/proc/$network/ns/net" --add-host db:127.0.0.1 --add-host db.example.net:127.0.0.1 --log-driver k8s-file)
start() # NAME OPTION... IMAGE [COMMAND...]
{
    check "podman run: $1" pod run -d --name "$1" "${as_everywhere[@]}" "${@:2}"
}
# For the commands of the page.
podman()
{
    case $1 in
        build) check "podman build" pod build --pull-never --isolation chroot --network host "${@:2}" ;;
        run) start page "${@:2}" ;;
        *) die "docs/containers.md has another command: podman $*" ;;
    esac
}
page_has() { grep "^podman $1 " docs/containers.md || die "docs/containers.md has no \"podman $1\""; }
eval "$(page_has build)"
health() { pod healthcheck run "$1"; }
exit_code() { pod inspect --format '{{.State.ExitCode}}' "$1"; }
url="DATABASE_URL=$(read_of url)"

# --- compose.yaml -----------------------------------------------------------------------------------------------------
mkdir "$RUN_DIRECTORY/sql"
pod run --rm "${limits[@]}" --network none -v "$RUN_DIRECTORY/sql:/sql" --user root --entrypoint sh pgchime -c "$(read_of sql)" >"$RUN_DIRECTORY/start.log" 2>&1 ||
    die "$(cat "$RUN_DIRECTORY/start.log")"
cp "$RUN_DIRECTORY/sql/pgchime.sql" "$db/tmp/"
as_dba -d postgres -f /tmp/pgchime.sql >/dev/null
as_dba -c "ALTER ROLE pgchime PASSWORD 'secret'"
eval "$(page_has run)"
until_it "what the page starts is well" 60 health page
check "and ends" pod stop -t 60 page
as_dba -c "ALTER ROLE pgchime PASSWORD 'example'"
start first -e "$url" --read-only --tmpfs /tmp -v "$RUN_DIRECTORY/read/jobs.conf:/etc/pgchime/conf.d/jobs.conf:ro" pgchime
until_it "a daemon leads, and its HEALTHCHECK is well" 60 health first
ran() { [ "$(as_dba -d app -c "SELECT count(*) > 0 FROM chime.runs WHERE job = 'hello' AND state = 'succeeded'")" = t ]; }
until_it "a job of a mounted file ran" 60 ran
check "each line of the log is JSON" python3 -c "import json, sys; [json.loads(line)['message'] for line in sys.stdin]" < <(pod logs first 2>&1)
expect "it is the first process, and not root" "$(pod exec first sh -c 'tr "\0" " " </proc/1/cmdline; id -u')" "pgchime serve 10001"
start web -e "$url" --entrypoint sh -v "$RUN_DIRECTORY/read/web.conf:/etc/pgchime-web/web.conf:ro" pgchime -c "$(read_of web)"
web_is_well() { pod exec web sh -c "$(read_of web-health)"; }
until_it "the page is well" 60 web_is_well
token=$(pod logs web 2>&1 | sed -n 's/^token: //p')
expect "it shows the job's runs" "$(pod exec web curl -fsS -H "Authorization: Bearer $token" \
    'http://127.0.0.1:8743/api/v1/d/main/runs?state=succeeded&limit=1' | grep -c '"hello"')" 1

# --- kubernetes.yaml: a second daemon, as a user of no name, its password in files ----------------------------------------------
password=$(sed 's,^postgres://pgchime:\([^@]*\)@.*,\1,' <<<"$(read_of url)")
mkdir "$RUN_DIRECTORY/secret"
printf '[app]\nhost=db\ndbname=app\nuser=pgchime\npassword=%s\n' "$password" >"$RUN_DIRECTORY/secret/pg_service.conf"
chmod 440 "$RUN_DIRECTORY/secret/pg_service.conf" # as those of Kubernetes are, with fsGroup
start second -e PGSERVICEFILE=/secret/pg_service.conf -e PGSERVICE=app -e POD_NAME=pgchime-1 --user 1000650000:0 --read-only --tmpfs /tmp:mode=1777 \
    --cap-drop all --security-opt no-new-privileges -v "$RUN_DIRECTORY/secret:/secret:ro" \
    -v "$RUN_DIRECTORY/read/kubernetes-pgchime.conf:/etc/pgchime/pgchime.conf:ro" -v "$RUN_DIRECTORY/read/jobs.conf:/etc/pgchime/conf.d/jobs.conf:ro" pgchime
follows() { [ "$(as_dba -d app -c "SELECT '$1' = ANY (followers) FROM chime.leader_status")" = t ]; }
until_it "the second one follows" 60 follows pgchime-1
for probe in livenessProbe readinessProbe; do
    check "its $probe" pod exec second sh -c "$(read_of "$probe")"
done
printf 'db:5432:app:pgchime:%s\n' "$password" >"$RUN_DIRECTORY/secret/passfile"
chown 10001 "$RUN_DIRECTORY/secret/passfile"
chmod 400 "$RUN_DIRECTORY/secret/passfile"
pod run --rm "${as_everywhere[@]}" -v "$RUN_DIRECTORY/secret:/secret:ro" \
    -e PGPASSFILE=/secret/passfile -e DATABASE_URL=postgres://pgchime@db/app pgchime status --no-header -o csv >"$RUN_DIRECTORY/said" 2>"$RUN_DIRECTORY/start.log" ||
    die "$(cat "$RUN_DIRECTORY/said" "$RUN_DIRECTORY/start.log")"
expect "status, by a passfile" "$(cut -d, -f1,2 "$RUN_DIRECTORY/said")" main,true

# --- they end -----------------------------------------------------------------------------------------------------------
as_dba -d app -c "SET ROLE pgchime" -c "SELECT chime.schedule('slow', '0 0 29 2 *', 'SELECT pg_sleep(5)')" -c "SELECT chime.run_now('slow')" >/dev/null
slow_is() { [ "$(as_dba -d app -c "SELECT string_agg(state::text, ',') FROM chime.runs WHERE job LIKE '%slow'")" = "$1" ]; }
until_it "a run is in flight" 30 slow_is running
peak=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$(pod inspect --format '{{.State.Pid}}' first)/status")
say "the daemon's memory at its peak: $((peak / 1024)) MB"
[ "$((peak / 1024))" -lt "$(($(read_of memory) / 2))" ] || die "that is more than half of the limit in kubernetes.yaml"
check "podman stop" pod stop -t 60 first
expect "it ended by itself" "$(exit_code first)" 0
expect "the run in flight was waited for" "$(as_dba -d app -c "SELECT state FROM chime.runs WHERE job LIKE '%slow'")" succeeded
leads() { [ "$(as_dba -d app -c "SELECT alive AND instance = '$1' FROM chime.leader_status")" = t ]; }
until_it "the other one leads" 30 leads pgchime-1
check "podman stop, of the page" pod stop -t 20 web
expect "so does it" "$(exit_code web)" 0
in_network runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D /var/lib/postgresql/15/main -m fast stop >/dev/null # pg_ctlcluster asks ps, whose /proc is another
check "its livenessProbe, without a database" pod exec second sh -c "$(read_of livenessProbe)"
if pod exec second sh -c "$(read_of readinessProbe)"; then die "it is ready without a database"; fi
say "ok: its readinessProbe fails then"

# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh and script/package set and use it
# packaging/container, without a registry: each line of Containerfile is done in a Debian 12 made by debootstrap, and what
# compose.yaml and kubernetes.yaml start is started in that root as the image would start it, with PostgreSQL in another one and
# a network of their own.
# SPDX-License-Identifier: PostgreSQL
container_files=packaging/container
python3 - "$container_files" >"$RUN_DIRECTORY/read" <<'END' || die "the YAML of $container_files cannot be read: $(cat "$RUN_DIRECTORY/read")"
import sys, yaml
folder = sys.argv[1]
compose = yaml.safe_load(open(folder + "/compose.yaml"))["services"]
for service in compose.values(): # what is mounted is there
    for config in service.get("configs", []):
        assert config["source"] in yaml.safe_load(open(folder + "/compose.yaml"))["configs"], config
assert set(compose) == {"db", "sql", "setup", "pgchime", "web"}, compose
kinds = {d["kind"]: d for d in yaml.safe_load_all(open(folder + "/kubernetes.yaml"))}
deployment = kinds["Deployment"]["spec"]
pod = deployment["template"]["spec"]
assert deployment["replicas"] == 2
assert deployment["selector"]["matchLabels"].items() <= deployment["template"]["metadata"]["labels"].items()
mounts = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
assert mounts == {v["name"] for v in pod["volumes"]}
maps = {d["metadata"]["name"]: d["data"] for d in yaml.safe_load_all(open(folder + "/kubernetes.yaml")) if d["kind"] == "ConfigMap"}
for mount in pod["containers"][0]["volumeMounts"]:
    if "subPath" in mount: # the file is in the map
        volume = next(v for v in pod["volumes"] if v["name"] == mount["name"])
        assert mount["subPath"] in maps[volume["configMap"]["name"]], mount
print("url", compose["pgchime"]["environment"]["DATABASE_URL"])
print("web", compose["web"]["entrypoint"][2])
print("liveness", pod["containers"][0]["livenessProbe"]["exec"]["command"][2])
open(sys.argv[1] + "/../../build/kubernetes.conf", "w").write(maps["pgchime"]["pgchime.conf"])
END
read_of() { sed -n "s/^$1 //p" "$RUN_DIRECTORY/read"; }

# --- the image ------------------------------------------------------------------------------------------------------
new_root image
image=$root
new_environment=()
while IFS= read -r line; do
    words=${line#* }
    case ${line%% *} in
        FROM) expect "the base" "$words" debian:bookworm-slim ;;
        COPY)
            read -r -a files <<<"$words"
            case ${files[-1]} in */) mkdir -p "$image${files[-1]}" ;; *) mkdir -p "$(dirname "$image${files[-1]}")" ;; esac
            # shellcheck disable=SC2206 # patterns
            sources=(${files[@]:0:${#files[@]}-1})
            install -m 644 "${sources[@]}" "$image${files[-1]}"
            ;;
        RUN) check "RUN $words" in_root sh -c "$words" ;;
        USER) user=$words ;;
        HEALTHCHECK) health=${words#*CMD } ;;
        ENTRYPOINT) entrypoint=$words ;;
        CMD) command=$words ;;
    esac
done < <(grep -v '^#' "$container_files/Containerfile")
expect "what it starts" "$entrypoint $command" '["pgchime"] ["serve"]'

# --- a network with a database ----------------------------------------------------------------------------------------
new_root db
db=$root
install_in_root postgresql iproute2
# With its first process all end.
trap 'kill -KILL "$network" "$holder" 2>/dev/null; sleep 1; umount -R "$db" "$image" 2>/dev/null || true' EXIT
unshare -n -p --fork --kill-child sleep infinity &
holder=$!
disown "$holder"
until_it "a network" 10 pgrep -P "$holder"
network=$(pgrep -P "$holder")
in_network() { nsenter -t "$network" -n -p -- chroot "$1" "${clean_environment[@]}" "${@:2}"; }
in_network "$db" ip link set lo up
in_network "$db" sh -c "echo 'host all all 127.0.0.1/32 scram-sha-256' >>/etc/postgresql/15/main/pg_hba.conf; mount -t tmpfs tmpfs /dev/shm
    pg_ctlcluster 15 main start"
as_dba() { in_network "$db" runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
until_it "PostgreSQL answers" 60 as_dba -c 'SELECT 1'
as_dba -c 'CREATE DATABASE app'
echo '127.0.0.1 db localhost' >"$image/etc/hosts"
in_network "$image" pgchime init --sql app >"$db/tmp/pgchime.sql"
echo "ALTER ROLE pgchime PASSWORD 'example'" >>"$db/tmp/pgchime.sql"
as_dba -d postgres -f /tmp/pgchime.sql >/dev/null

# --- what is started --------------------------------------------------------------------------------------------------
as_image() # VARIABLE=VALUE... COMMAND...: as USER, with the environment of a container
{
    in_network "$image" setpriv --reuid "$user" --regid "$user" --clear-groups env "$@"
}
url="DATABASE_URL=$(read_of url)"
mkdir -p "$image/etc/pgchime/conf.d"
config_of() { python3 -c "import sys, yaml; print(yaml.safe_load(open('$container_files/compose.yaml'))['configs']['$1']['content'])"; }
config_of jobs >"$image/etc/pgchime/conf.d/jobs.conf"
config_of web >"$image/etc/pgchime-web/web.conf"
as_image "$url" pgchime serve >"$RUN_DIRECTORY/serve.log" 2>&1 &
healthy() { as_image "$url" sh -c "$health"; }
until_it "a daemon leads, and its HEALTHCHECK is well" 60 healthy
ran() { [ "$(as_dba -d app -c "SELECT count(*) > 0 FROM chime.runs WHERE job = 'hello' AND state = 'succeeded'")" = t ]; }
until_it "a job of a mounted file ran" 60 ran
check "each line of the log is JSON" python3 -c "import json; [json.loads(line)['message'] for line in open('$RUN_DIRECTORY/serve.log')]"
as_image "$url" sh -c "$(read_of web)" >"$RUN_DIRECTORY/web.log" 2>&1 &
page() { in_network "$image" curl -sf http://127.0.0.1:8743/ || { cat "$RUN_DIRECTORY/web.log"; return 1; }; }
until_it "the page answers" 60 page

# --- the manifest: a second daemon of its configuration ---------------------------------------------------------------------
cp build/kubernetes.conf "$image/etc/pgchime/kubernetes.conf"
rm build/kubernetes.conf
as_image "$url" POD_NAME=pgchime-1 pgchime serve --config /etc/pgchime/kubernetes.conf >"$RUN_DIRECTORY/second.log" 2>&1 &
follows() { [ "$(as_dba -d app -c "SELECT 'pgchime-1' = ANY (followers) FROM chime.leader_status")" = t ]; }
until_it "the second one follows" 60 follows
as_image "$url" POD_NAME=pgchime-1 PGCHIME_CONFIG=/etc/pgchime/kubernetes.conf sh -c "$(read_of liveness)" || die "the liveness probe fails"
say "ok: the liveness probe"

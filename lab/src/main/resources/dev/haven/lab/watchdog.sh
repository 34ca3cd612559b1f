#!/bin/bash
# The watchdog of one lab host, outside of it as a watchdog is: watchdog.sh HOSTDIR SECONDS
# Armed by the first byte that comes through the pipe HOSTDIR/watchdog; once nothing has come for SECONDS after
# that, or an R, it resets the host. The next boot finds HOSTDIR/watchdog.reset, which says that it was the watchdog.
set -u
DIR=$1
. "$DIR/host.env"
exec 3<>"$DIR/watchdog"
until read -r -t 2 -N 1 -u 3 _; do [ -e "$DIR/host.env" ] || exit 0; done
why="nothing came for $2 s"
while read -r -t "$2" -N 1 -u 3 byte; do
  [ "$byte" = R ] && { why="it asked for it"; break; }
done
[ -e "$DIR/host.env" ] || exit 0
printf '%(%FT%T)T %s: host %s is reset\n' -1 "$why" "$HOST"
: >"$DIR/watchdog.fired"
# Out of the group that dies with the host's power.
mkdir -p "${CGROUP%/*}/reset-$HOST" && echo $$ >"${CGROUP%/*}/reset-$HOST/cgroup.procs"
exec "$DIR/../../power.sh" "$DIR" reset

#!/bin/bash
# The power button of one lab host: power.sh HOSTDIR on|off|reset|get|ports
# form.sh beside it has what differs between hosts that are namespaces and whole machines:
#   connect, ports, links_down, sweep  its links          launch PREFIX…  starts it, with PREFIX before the command
# The host's BMC calls it, and so does the lab itself. A host is everything in its cgroup: the kernel's own
# count of it says whether the host is on, so the answer does not depend on a file that a crash left behind.
#   on   boots the host unless it is on; returns once its init runs
#   off  the links drop first, so that no FIN or RST of the dying processes leaves; then everything dies at
#        once; returns when the last process is gone and prints nothing
#   get  prints 1 or 0
#   ports  applies the cuts that are in force to the bridge ports
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DIR=$1
. "$DIR/host.env"
. "$LAB/form.sh"

# Only what the shell has built in: fencing waits for this.
on() {
  local key value
  [ -e "$CGROUP/cgroup.events" ] || return 1
  while read -r key value; do
    [ "$key" = populated ] && { [ "$value" = 1 ]; return; }
  done <"$CGROUP/cgroup.events"
  return 1
}

port() {
  local name="PORT_$1"
  echo "${!name}"
}

cut_off() { [ -e "$DIR/cut-$1" ] || [ -e "$DIR/hung" ]; }

# Hosts do not reach each other, but what is on the bridge itself: BMCs, and the address that stands for a gateway.
split() { [ -e "$LAB/split" ]; }

watchdog_group() { echo "${CGROUP%/*}/watchdog-$HOST"; }

# Armed by the host's agent; it dies with the power, as the board it sits on.
start_watchdog() {
  rm -f "$DIR/watchdog" "$DIR/watchdog.reset"
  [ -e "$DIR/watchdog.fired" ] && mv "$DIR/watchdog.fired" "$DIR/watchdog.reset"
  [ -n "${WATCHDOG:-}" ] || return 0
  mkfifo "$DIR/watchdog" && mkdir -p "$(watchdog_group)" || return 1
  setsid bash -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' watchdog "$(watchdog_group)" \
    bash "$LAB/watchdog.sh" "$DIR" "$WATCHDOG" </dev/null >>"$DIR/log/watchdog.log" 2>&1 9>&- &
}

power_off() {
  links_down
  [ -e "$(watchdog_group)/cgroup.kill" ] && echo 1 >"$(watchdog_group)/cgroup.kill"
  [ -e "$CGROUP/cgroup.kill" ] && echo 1 > "$CGROUP/cgroup.kill"
  local i
  for ((i = 0; i < 2000; i++)); do on || break; sleep 0.005; done
  on && { echo "host $HOST: a process survived SIGKILL for 10 s" >&2; return 1; }
  rm -f "$DIR/hung"
  return 0
}

power_on() {
  on && return 0
  power_off || return 1 # ends what an interrupted boot left
  mkdir -p "$CGROUP"
  echo 0 > "$CGROUP/cgroup.freeze"
  sweep
  connect || return 1
  for network in $NETWORKS; do { split || cut_off "$network"; } && { ports || return 1; break; }; done
  start_watchdog || return 1
  # The shell enters the cgroup before it starts anything, so nothing of the host can run outside it.
  launch setsid bash -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' boot "$CGROUP"
  local i
  for ((i = 0; i < 500; i++)); do on && return 0; sleep 0.01; done
  echo "host $HOST did not start within 5 s; see $DIR/log" >&2
  return 1
}

case "$2" in
  get) if on; then echo 1; else echo 0; fi ;;
  off) exec 9>"$DIR/power.lock"; flock -w 20 9 || exit 1; power_off ;;
  on) exec 9>"$DIR/power.lock"; flock -w 20 9 || exit 1; power_on ;;
  reset) exec 9>"$DIR/power.lock"; flock -w 20 9 || exit 1; power_off && power_on ;;
  ports) if on; then ports; fi ;;
  *) echo "usage: power.sh HOSTDIR on|off|reset|get|ports" >&2; exit 2 ;;
esac

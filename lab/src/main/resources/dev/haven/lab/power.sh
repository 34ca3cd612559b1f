#!/bin/bash
# The power button of one lab host: power.sh HOSTDIR on|off|reset|get|ports
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

# A disabled bridge port (0) forwards nothing in either direction and keeps its carrier: a broken path, not a
# pulled plug. The kernel makes a port forward (3) when it notices the carrier, some time after the link came
# up; a state set before that would not last.
ports() {
  local network state port i
  for network in $NETWORKS; do
    port=$(port "$network")
    if cut_off "$network"; then state=0; else state=3; fi
    if split; then bridge link set dev "$port" isolated on; else bridge link set dev "$port" isolated off; fi
    for ((i = 0; i < 300; i++)); do
      [ "$(cat "/sys/class/net/$port/operstate")" = up ] && bridge link set dev "$port" state $state && break
      sleep 0.01
    done
    ((i < 300)) || { echo "host $HOST: no state $state on $port" >&2; return 1; }
  done
}

links_down() {
  local network name batch=
  for network in $NETWORKS; do
    name="PORT_$network"
    batch+="link set dev ${!name} down"$'\n'
  done
  ip -force -batch - <<<"$batch" 2>/dev/null
}

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

# A new boot gets a new network stack: in the old one sockets of the dead would go on retransmitting. Its links
# are down until then; taking it apart waits for the kernel and would keep whoever ordered the power off waiting.
sweep() {
  local network
  for network in $NETWORKS; do ip link del dev "$(port "$network")" 2>/dev/null; done
  ip netns del "$NAMESPACE" 2>/dev/null
  return 0
}

power_on() {
  on && return 0
  power_off || return 1 # ends what an interrupted boot left
  sweep
  mkdir -p "$CGROUP"
  echo 0 > "$CGROUP/cgroup.freeze"
  cat /proc/sys/kernel/random/uuid > "$DIR/boot-id"
  ip netns add "$NAMESPACE" || return 1
  local network
  {
    for network in $NETWORKS; do
      local mac="MAC_$network"
      # The same hardware address at every boot: the others' neighbour tables stay true.
      echo "link add $(port $network) type veth peer name $network address ${!mac} netns $NAMESPACE"
      echo "link set $(port $network) master $BRIDGE_PREFIX$network up"
    done
  } | ip -batch - || return 1
  {
    echo "link set lo up"
    for network in $NETWORKS; do
      local address="ADDRESS_$network"
      echo "addr add ${!address}/24 dev $network"
      echo "link set $network up"
    done
    # Templates attach guests to br0; nothing of the lab needs it to lead anywhere.
    echo "link add br0 type bridge"
    echo "link set br0 up"
  } | ip -n "$NAMESPACE" -batch - || return 1
  for network in $NETWORKS; do { split || cut_off "$network"; } && { ports || return 1; break; }; done
  start_watchdog || return 1
  # The shell enters the cgroup before it starts anything, so nothing of the host can run outside it.
  setsid bash -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' boot "$CGROUP" \
    ip netns exec "$NAMESPACE" unshare --pid --fork --mount --uts --ipc --mount-proc --kill-child \
    tini -s -- bash "$LAB/boot.sh" "$DIR" </dev/null >"$DIR/log/boot.log" 2>&1 9>&- &
  local i
  for ((i = 0; i < 500; i++)); do on && return 0; sleep 0.01; done
  echo "host $HOST did not start within 5 s; see $DIR/log/boot.log" >&2
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

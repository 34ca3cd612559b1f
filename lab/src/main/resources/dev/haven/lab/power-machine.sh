# A host that is a whole machine: a User Mode Linux process with a tap on each network; read by power.sh.

# A tap that was down once does not come back, and has no carrier before the machine has booted so far. So a cut
# takes it off its bridge.
ports() {
  local network port
  for network in $NETWORKS; do
    port=$(port "$network")
    if cut_off "$network"; then
      ip link set dev "$port" nomaster || return 1
    else
      ip link set dev "$port" master "$BRIDGE_PREFIX$network" || return 1
      if split; then bridge link set dev "$port" isolated on; else bridge link set dev "$port" isolated off; fi
    fi
  done
}

links_down() {
  local network name batch=
  for network in $NETWORKS; do
    name="PORT_$network"
    batch+="link set dev ${!name} nomaster"$'\n'
  done
  ip -force -batch - <<<"$batch" 2>/dev/null
}

sweep() {
  local network
  for network in $NETWORKS; do ip link del dev "$(port "$network")" 2>/dev/null; done
  return 0
}

connect() {
  local network port
  for network in $NETWORKS; do
    port=$(port "$network")
    ip tuntap add dev "$port" mode tap || return 1
    ip link set dev "$port" up master "$BRIDGE_PREFIX$network" || return 1
  done
}

# Its memory is a file without a name, which goes with the last of its processes: in memory where there is room.
memory_folder() {
  local free
  free=$(df --output=avail -m /dev/shm 2>/dev/null | tail -n 1)
  if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && ((${free:-0} > MEMORY)); then
    echo /dev/shm
  else
    mkdir -p "$DIR/memory" && echo "$DIR/memory"
  fi
}

launch() {
  local network mac n=0 links=()
  for network in $NETWORKS; do
    mac="MAC_$network"
    links+=("vec$n:transport=tap,ifname=$(port "$network"),depth=128,gro=1,mac=${!mac}")
    n=$((n + 1))
  done
  mkdir -p "$DIR/uml"
  TMPDIR=$(memory_folder) "$@" "$LAB/machine.sh" "ubd0=$DIR/disk.cow,$DIR/base.img" root=/dev/ubda rw "mem=${MEMORY}M" \
    "umid=$BRIDGE_PREFIX$HOST" "uml_dir=$DIR/uml" con0=null,fd:1 con=null ssl=null quiet net.ifnames=0 \
    "systemd.hostname=$HOST" "haven.lab=$DIR" "${links[@]}" </dev/null >>"$DIR/log/console.log" 2>&1 9>&- &
}

# A host that is namespaces of this machine's kernel; read by power.sh.

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

# A new boot gets a new network stack: in the old one sockets of the dead would go on retransmitting. Its links
# are down until then; taking it apart waits for the kernel and would keep whoever ordered the power off waiting.
sweep() {
  local network
  for network in $NETWORKS; do ip link del dev "$(port "$network")" 2>/dev/null; done
  ip netns del "$NAMESPACE" 2>/dev/null
  return 0
}

# A network stack of its own, with one link to each network.
connect() {
  local network mac address
  cat /proc/sys/kernel/random/uuid > "$DIR/boot-id"
  ip netns add "$NAMESPACE" || return 1
  {
    for network in $NETWORKS; do
      mac="MAC_$network"
      # The same hardware address at every boot: the others' neighbour tables stay true.
      echo "link add $(port $network) type veth peer name $network address ${!mac} netns $NAMESPACE"
      echo "link set $(port $network) master $BRIDGE_PREFIX$network up"
    done
  } | ip -batch - || return 1
  {
    echo "link set lo up"
    for network in $NETWORKS; do
      address="ADDRESS_$network"
      echo "addr add ${!address}/24 dev $network"
      echo "link set $network up"
    done
    # Templates attach guests to br0; nothing of the lab needs it to lead anywhere.
    echo "link add br0 type bridge"
    echo "link set br0 up"
  } | ip -n "$NAMESPACE" -batch - || return 1
}

launch() {
  "$@" ip netns exec "$NAMESPACE" unshare --pid --fork --mount --uts --ipc --mount-proc --kill-child \
    tini -s -- bash "$LAB/boot.sh" "$DIR" </dev/null >"$DIR/log/boot.log" 2>&1 9>&- &
}

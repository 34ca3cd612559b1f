#!/bin/sh
# What a whole machine does early in each boot. The host's folder on the outer machine is mounted at /run/lab.
set -eu
. /run/lab/host.env

n=0
for network in $NETWORKS; do
  eval "address=\$ADDRESS_$network"
  ip link set dev "vec$n" name "$network" || true # named already if this is no boot
  ip addr replace "$address/24" dev "$network"
  ip link set dev "$network" up
  n=$((n + 1))
done
# Templates attach guests to br0; nothing of the lab needs it to lead anywhere.
ip link add br0 type bridge 2>/dev/null || true
ip link set dev br0 up
cp /run/lab/hosts /etc/hosts
cat /proc/sys/kernel/random/boot_id >/run/lab/boot-id
mkdir -p -m 700 /root/.ssh
cp /run/lab/authorized_keys /root/.ssh/authorized_keys
cp /run/lab/ssh_host_ed25519_key /run/lab/ssh_host_ed25519_key.pub /etc/ssh/
chmod 600 /etc/ssh/ssh_host_ed25519_key /root/.ssh/authorized_keys

if [ -e /run/lab/packages.list ]; then
  rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
  cp /run/lab/packages.list /etc/apt/sources.list.d/haven-lab.list
fi
[ -d /run/lab/haven ] || exit 0

# What guests boot and write is the outer machine's, under the same path in every host.
for folder in "$LAB/shared" /var/cache/haven-lab; do
  mkdir -p "$folder"
  mountpoint -q "$folder" || mount -t hostfs none "$folder" -o "$folder"
done
for file in libvirtd.conf qemu.conf; do
  [ -e /etc/libvirt/$file.dist ] || cp /etc/libvirt/$file /etc/libvirt/$file.dist
  cat /etc/libvirt/$file.dist /run/lab/$file >/etc/libvirt/$file
done
# Once: later it is the host's own, as on any disk.
if [ ! -e /etc/haven/orchestrator.yaml ]; then
  mkdir -p /etc/haven
  cp /run/lab/haven/* /etc/haven/
  chown root: /etc/haven/*
  chmod 600 /etc/haven/*.key /etc/haven/bmc-*
  chown haven: /etc/haven/voter-* /etc/haven/secrets.key /etc/haven/bmc-*
  sync
fi

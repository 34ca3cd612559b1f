#!/bin/bash
# What runs inside a lab host below its init: boot.sh HOSTDIR
# The root file system is the machine's own; what a host keeps to itself is mounted over it. /run and /dev/shm
# are lost with the power, everything under HOSTDIR is the host's disk and survives.
set -u
DIR=$1
. "$DIR/host.env"

mount --make-rprivate /
cd "$LAB" || exit 1
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/lock /run/libvirt /run/haven
# A lab directory below /run was hidden just now; the working directory still leads to it.
[ -e "$DIR/host.env" ] || { mkdir -p "$LAB" && mount --bind . "$LAB"; }
cd /
for d in lib log cache; do mount --bind "$DIR/libvirt/$d" /var/$d/libvirt || exit 1; done
mount --bind "$DIR/libvirt/etc" /etc/libvirt || exit 1
mount --bind "$LAB/hosts.txt" /etc/hosts || exit 1
# A disk of its own, if the host was given one, can be filled and slowed without the machine's noticing. It goes with
# the mount namespace: a boot right after a power cut waits until the last one has let go of it.
if [ -e "$DIR/disk.img" ]; then
  for ((i = 0; i < 200; i++)); do [ -z "$(losetup -j "$DIR/disk.img")" ] && break; sleep 0.05; done
  mount -o loop "$DIR/disk.img" "$DIR/data" || exit 1
fi
hostname "$HOST"
cp "$DIR/boot-id" /run/haven-boot-id

# Restarts a daemon one second after it ends, as systemd would; guests are not its children and stay.
supervise() {
  local name=$1 starts=0
  shift
  while :; do
    while [ -e "$DIR/down-$name" ]; do sleep 0.2; done
    "$@" </dev/null >>"$DIR/log/$name.log" 2>&1 &
    echo $! > "/run/haven/$name.pid"
    echo $starts > "/run/haven/$name.restarts"
    starts=$((starts + 1))
    wait $!
    echo "$(date +%FT%T.%3N) $name ended ($?); starting it again in 1 s" >>"$DIR/log/$name.log"
    sleep 1
  done
}

[ -n "${WITNESS:-}" ] || supervise libvirtd libvirtd --listen &
if [ -e "$DIR/daemons.sh" ]; then
  . "$DIR/daemons.sh"
  # A wall clock of the daemons' own that can jump, if the host was given one. How much time goes by is the kernel's to say.
  [ -e "$DIR/clock.so" ] && export LD_PRELOAD="$DIR/clock.so" HAVEN_CLOCK="$DIR/clock"
  supervise orchestrator orchestrator &
  [ -n "${WITNESS:-}" ] || supervise agent agent &
fi
wait

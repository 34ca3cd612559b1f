#!/bin/busybox sh
# Init of a lab guest: says on the serial console when it is up, then counts, so that pauses show, and goes
# down when its power button is pressed. The kernel's command line names it: haven.guest=NAME haven.epoch=N; with
# haven.writes it signs its disk five times a second.
/bin/busybox mount -t proc proc /proc
exec >/dev/ttyS0 2>&1 </dev/null # of the initramfs: each command that is run takes an emulated processor 50 ms

name=guest
epoch=-
writes=
read -r line </proc/cmdline
for word in $line; do
  case "$word" in
    haven.guest=*) name=${word#*=} ;;
    haven.epoch=*) epoch=${word#*=} ;;
    haven.writes) writes=yes ;;
  esac
done
read -r up idle </proc/uptime
echo "GUEST UP $name $epoch $up"

# After the first sign of life: none of this is needed to be up.
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod "/lib/$module.ko"; done </lib/order

# Whatever presses a key is the power button: nobody sits at this machine's keyboard. Opened before the guest
# says that it is ready: the kernel keeps a press only for those who have.
fd=3
for event in /dev/input/event*; do
  [ -c "$event" ] || continue
  eval "exec $fd<$event"
  {
    /bin/busybox dd of=/dev/null bs=24 count=1 <&$fd 2>/dev/null
    echo "GUEST DOWN $name $epoch"
    /bin/busybox sync
    /bin/busybox poweroff -f
  } &
  fd=$((fd + 1))
done
disk=none
[ -b /dev/vda ] && disk=vda
echo "GUEST READY $name $disk"

# Each signature goes past all caches into the next sector of a ring, so that whoever reads the disk from outside sees
# who wrote when, and the last 51 s of it.
if [ "$writes$disk" = yesvda ]; then
  read -r self </proc/sys/kernel/random/boot_id
  {
    count=0
    while :; do
      printf '%-511s\n' "HAVEN $self $count" |
        /bin/busybox dd of=/dev/vda bs=512 count=1 seek=$((count % 256)) conv=notrunc oflag=direct iflag=fullblock 2>/dev/null
      count=$((count + 1))
      /bin/busybox usleep 200000
    done
  } &
fi

# One line each 100 ms: a gap between two of them is a time in which the guest did not run.
count=0
while :; do
  read -r up idle </proc/uptime
  echo "TICK $count $up"
  count=$((count + 1))
  /bin/busybox usleep 100000
done

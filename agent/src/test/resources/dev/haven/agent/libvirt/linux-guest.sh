#!/bin/bash
# Builds the initramfs of LinuxGuest: linux-guest.sh KERNEL-VERSION TARGET
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,dev,proc,sys,lib,tmp}
cp "$(command -v busybox)" "$work/bin/busybox"
ln -s busybox "$work/bin/watchdog"
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_console watchdog i6300esb; do
  file=$(find "/lib/modules/$1/kernel" -name "$module.ko" -o -name "$module.ko.xz" -o -name "$module.ko.zst" | head -1)
  case "$file" in
    '') continue ;; # built in
    *.xz) xz -dc "$file" ;;
    *.zst) zstd -dc "$file" ;;
    *) cat "$file" ;;
  esac >"$work/lib/$module.ko"
  echo "$module" >>"$work/lib/order" # in the order in which they need each other
done
for file in /usr/sbin/qemu-ga $(ldd /usr/sbin/qemu-ga | grep -o '/[^ ]*'); do
  mkdir -p "$work${file%/*}"
  cp -L "$file" "$work$file"
done
cat >"$work/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1 </dev/null
while read -r module; do /bin/busybox insmod "/lib/$module.ko"; done </lib/order
/bin/watchdog -T 4 -t 1 /dev/watchdog
for port in /dev/vport*; do /usr/sbin/qemu-ga -m virtio-serial -p "$port" -t /tmp; done
INIT
chmod 755 "$work/init"
(cd "$work" && find . | cpio --quiet -o -H newc) >"$2"

#!/bin/bash
# Builds what a lab guest boots: guest-image.sh KERNEL MODULES INIT TARGET
# TARGET gets vmlinux, the unpacked kernel, and initrd, busybox with an init script and the few modules that
# Debian's kernel does not have built in. A packed kernel would unpack itself at every start of a guest, which
# takes an emulated processor 2.7 s; QEMU starts an unpacked one directly (PVH).
set -eu
KERNEL=$1
MODULES=$2
INIT=$3
TARGET=$4
WORK=$(mktemp -d "$TARGET.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

# The compressed kernel begins somewhere inside the file, behind a boot sector: found by its magic number.
unpack_kernel() {
  local magic tool at
  while read -r magic tool; do
    command -v "${tool%% *}" >/dev/null || continue
    for at in $(LC_ALL=C grep -abo -P "$magic" "$KERNEL" | cut -d: -f1); do
      tail -c "+$((at + 1))" "$KERNEL" | $tool >"$WORK/vmlinux" 2>/dev/null || true
      [ "$(head -c 4 "$WORK/vmlinux" | tr -d '\0')" = $'\177ELF' ] && return 0
    done
  done <<'MAGIC'
\xFD7zXZ\x00 xz -dc
\x28\xB5\x2F\xFD zstd -dc
\x1F\x8B\x08 gzip -dc
\x02\x21\x4C\x18 lz4 -dc
MAGIC
  cp "$KERNEL" "$WORK/vmlinux" # slower, but it boots
}

add_module() {
  local file
  file=$(find "$MODULES/kernel" -name "$1.ko" -o -name "$1.ko.xz" -o -name "$1.ko.zst" -o -name "$1.ko.gz" | head -1)
  case "$file" in
    '') return 0 ;; # built in
    *.xz) xz -dc "$file" ;;
    *.zst) zstd -dc "$file" ;;
    *.gz) gzip -dc "$file" ;;
    *) cat "$file" ;;
  esac >"$WORK/root/lib/$1.ko"
  # In the order in which they need each other.
  echo "$1" >>"$WORK/root/lib/order"
}

mkdir -p "$WORK"/root/{bin,dev,proc,sys,lib}
mknod -m 600 "$WORK/root/dev/ttyS0" c 4 64
mknod -m 666 "$WORK/root/dev/null" c 1 3
cp "$(command -v busybox)" "$WORK/root/bin/busybox"
cp "$INIT" "$WORK/root/init"
chmod 755 "$WORK/root/init"
: >"$WORK/root/lib/order"
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk button evdev; do
  add_module $module
done
unpack_kernel
(cd "$WORK/root" && find . | cpio --quiet -o -H newc) >"$WORK/initrd"
rm -rf "$WORK/root"
chmod 755 "$WORK"
# Whole or not at all; if another command was faster, its result is as good.
mv -T "$WORK" "$TARGET" 2>/dev/null || [ -e "$TARGET/initrd" ]

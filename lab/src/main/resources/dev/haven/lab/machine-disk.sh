#!/bin/bash
# The disk of whole machines: machine-disk.sh TARGET ROOT [DEB…]
# TARGET/disk.img is Debian's root folder ROOT, settled in the lab, with these packages in it.
# Whole or not at all: TARGET appears in the end.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
target=$1
new=$target.new

# What makes it a machine of the lab, and nobody's in particular.
settle() {
  local root=$1 unit
  mkdir -p "$root/lib/modules" "$root/usr/local/sbin"
  cp -r /usr/lib/uml/modules/. "$root/lib/modules/"
  rm -f -- "$root/etc/hostname" "$root"/etc/ssh/ssh_host_*
  : >"$root/etc/machine-id"
  cat >"$root/usr/local/sbin/haven-lab" <<'END'
#!/bin/sh
for word in $(cat /proc/cmdline); do
  case $word in haven.lab=*) folder=${word#*=} ;; esac
done
mkdir -p /run/lab && mount -t hostfs none /run/lab -o "$folder" && exec sh /run/lab/boot.sh
END
  chmod 755 "$root/usr/local/sbin/haven-lab"
  cat >"$root/etc/systemd/system/haven-lab.service" <<'END'
[Unit]
Description=What the lab gives this machine
DefaultDependencies=no
After=local-fs.target systemd-tmpfiles-setup.service
Before=network-pre.target network.target ssh.service libvirtd.service haven-agent.service haven-orchestrator.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/haven-lab
END
  enable "$root" haven-lab.service /etc/systemd/system multi-user.target
  if [[ -e $root/lib/systemd/system/libvirtd-tcp.socket ]]; then
    enable "$root" libvirtd-tcp.socket /lib/systemd/system sockets.target
    # it ends after two minutes without a client otherwise
    mkdir -p "$root/etc/systemd/system/libvirtd.service.d"
    printf '[Service]\nEnvironment=LIBVIRTD_ARGS=\n' >"$root/etc/systemd/system/libvirtd.service.d/lab.conf"
  fi
  for unit in getty@tty1.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  # the console is the log of the whole machine
  mkdir -p "$root/etc/systemd/journald.conf.d"
  printf '[Journal]\nForwardToConsole=yes\nTTYPath=/dev/console\nMaxLevelConsole=info\n' >"$root/etc/systemd/journald.conf.d/lab.conf"
}

enable() {
  mkdir -p "$1/etc/systemd/system/$4.wants"
  ln -sf "$3/$2" "$1/etc/systemd/system/$4.wants/$2"
}

# In a mount namespace of its own, where the root folder stays as it is beneath what is changed.
make_disk() {
  local root=$1 tree=$new/over/root
  shift
  mkdir "$new/over"
  mount -t tmpfs -o size=2g tmpfs "$new/over"
  mkdir "$new"/over/{changes,work,root}
  mount -t overlay -o "lowerdir=$root,upperdir=$new/over/changes,workdir=$new/over/work" overlay "$tree"
  settle "$tree"
  if (($# > 0)); then
    mount -t proc proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    mkdir -p "$tree/var/tmp/haven"
    cp -- "$@" "$tree/var/tmp/haven/"
    chroot "$tree" sh -c 'dpkg -i /var/tmp/haven/*.deb' </dev/null
    # without it each host makes it for itself, at its first boot
    unshare --net chroot "$tree" /usr/lib/haven/make-caches </dev/null || echo 'no fast start was prepared'
    rm -rf -- "$tree"/tmp/* "$tree"/var/tmp/*
    umount -R "$tree/dev"
    umount "$tree/proc"
  fi
  mke2fs -q -F -t ext4 -L haven -E lazy_itable_init=1,lazy_journal_init=1 -d "$tree" "$new/disk.img" 8G
  umount "$tree"
  umount "$new/over"
  rmdir "$new/over" # a mount that is left would keep it
}

if [[ -n ${OWN_MOUNTS:-} ]]; then
  make_disk "${@:2}"
  exit 0
fi
# another command may be at it, and then is waited for
exec 9>"${target%/*}/machine-image.lock"
flock 9
[[ -e $target ]] && exit 0
rm -rf -- "$new"
mkdir -p "$new"
trap 'rm -rf -- "$new"' EXIT
OWN_MOUNTS=yes unshare --mount --propagation=private bash "$0" "$@"
mv -T -- "$new" "$target"

#!/bin/bash
# Debian's root folder for whole machines: machine-root.sh TARGET SUITE PACKAGES LATER DEBS
# LATER is only fetched; the .debs of both stay in DEBS for the next time.
# Whole or not at all: TARGET appears in the end.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
target=$1
new=$target.new
# another command may be at it, and then is waited for
exec 9>"${target%/*}/machine-image.lock"
flock 9
[[ -e $target ]] && exit 0
rm -rf -- "$new"
mkdir -p "$new"
trap 'rm -rf -- "$new"' EXIT

suite=$2 packages=$3 later=$4 debs=$5
mkdir -p "$debs"
source=()
for file in /etc/apt/sources.list.d/{debian,ubuntu}.sources /etc/apt/sources.list; do
  [[ -s $file ]] && { source=("$file"); break; }
done
mmdebstrap --quiet --variant=minbase --mode=root --aptopt='APT::Install-Recommends "false"' \
  --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io --skip=download/empty --skip=essential/unlink \
  --setup-hook="mkdir -p \"\$1/var/cache/apt/archives\"; cp -n $debs/*.deb \"\$1/var/cache/apt/archives/\" || true" \
  --customize-hook="[ -z '$later' ] || chroot \"\$1\" apt-get -q -y --download-only install $later" \
  --customize-hook="cp -n \"\$1\"/var/cache/apt/archives/*.deb $debs/ || true" \
  --include="$packages" "$suite" "$new/root" "${source[@]}" </dev/null
mv -T -- "$new" "$target"

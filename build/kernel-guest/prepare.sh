#!/bin/bash
# prepare.sh: makes $KG_DIR/<release>/{vmlinux,initrd} from Debian packages. Nothing is installed, no root.
# Needs on the host: apt-get (or KG_DEBS), dpkg-deb, xz, zstd, kmod, od.
set -eu -o pipefail
. "$(dirname "$0")/common.sh"

release=$(kg_release)
[ -n "$release" ] || kg_die "which kernel? $KG_META is not known (apt-get update first?)"
out=$KG_DIR/$release
kg_lock
modules="virtio_pci virtio_console 9pnet_virtio 9p overlay bridge tun veth vhost_net vhost_vdpa vduse ${KG_MODULES:-}"
recipe="$(cat "$0" "$kg_here/init" | cksum) $modules $({ cat "$out"/sim/*.ko 2>/dev/null || true; } | cksum)"
if [ -s "$out/vmlinux" ] && [ "$recipe" = "$(cat "$out/recipe" 2>/dev/null)" ]; then exit 0; fi
mkdir -p "$out/sim"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
trap 'kg_say "prepare.sh, line $LINENO: failed"' ERR

if [ ! -d "$out/image/lib/modules" ]; then
  kg_say "unpacking the Debian package linux-image-$release"
  deb=$(kg_deb "linux-image-$release")
  mkdir -p "$work/image"
  dpkg-deb --fsys-tarfile "$deb" | tar x -C "$work/image" --wildcards ./boot/vmlinuz-\* ./lib/modules
  rm -rf "$out/image"; mv "$work/image" "$out/image"
fi

# A bzImage decompresses itself, slowly under TCG. QEMU enters the ELF file in it directly (PVH).
zimage=$(echo "$out"/image/boot/vmlinuz-*)
number() { od -An "-tu$1" "-j$2" "-N$1" "$zimage" | tr -d ' '; }
setup=$(number 1 497); [ "$setup" -gt 0 ] || setup=4
at=$(((setup + 1) * 512 + $(number 4 584)))
length=$(number 4 588)
case $(od -An -tx4 "-j$at" -N4 "$zimage" | tr -d ' ') in
  fd2fb528) unpack="zstd -dcq"; length=$((length - 4)) ;;
  587a37fd) unpack="xz -dcq --single-stream" ;;
  184c2102) unpack="lz4 -dcq"; length=$((length - 4)) ;;
  *) unpack="gzip -dcq" ;;
esac
{ tail -c "+$((at + 1))" "$zimage" || true; } | head -c "$length" | $unpack > "$work/vmlinux"
od -An -tx4 -N4 "$work/vmlinux" | grep -q 464c457f || kg_die "no ELF file in $zimage"

# Modules in the order in which they can be inserted.
mkdir -p "$work/root/m" "$work/root/bin" "$work/root/h"
declare -A seen
count=0
insert() {
  local name=${1//-/_} file
  [ -z "${seen[$name]:-}" ] || return 0
  seen[$name]=1
  file=$(find "$out/sim" "$out/image/lib/modules" -name "${name//_/[-_]}.ko*" 2>/dev/null | head -n 1)
  [ -n "$file" ] || return 0 # built in
  local needed
  for needed in $(modinfo -F depends "$file" | tr , ' '); do insert "$needed"; done
  count=$((count + 1))
  local to; to=$work/root/m/$(printf '%02d-%s.ko' "$count" "$name")
  case $file in *.xz) xz -dc "$file" > "$to" ;; *.zst) zstd -dcq "$file" > "$to" ;; *) cp "$file" "$to" ;; esac
}
for m in $modules; do insert "$m"; done
for m in vdpa_sim_net vdpa_ctrl_net; do insert "$m"; done # where vdpa-sim.sh has made them

busybox=$(kg_deb busybox-static)
dpkg-deb --fsys-tarfile "$busybox" | tar x -C "$work/root" --strip-components=2 ./bin/busybox
[ -x "$work/root/busybox" ] && mv "$work/root/busybox" "$work/root/bin/busybox"
cp "$kg_here/init" "$work/root/init"; chmod 755 "$work/root/init"
cp "$work/root/bin/busybox" "$out/busybox"
(cd "$work/root" && find . | "$out/busybox" cpio -o -H newc 2>/dev/null) > "$work/initrd"
mv "$work/vmlinux" "$out/vmlinux"
mv "$work/initrd" "$out/initrd"
echo "$recipe" > "$out/recipe"
echo "$release" > "$KG_DIR/release"
kg_say "$release is ready, $count modules"

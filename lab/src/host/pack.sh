#!/bin/sh
# Packs the initramfs, inside the root: busybox and what 9p needs to mount.
# $1 is the kernel's release.
set -e
work=/lab/boot/initramfs.d
rm -rf "$work"
mkdir -p "$work/bin" "$work/lib" "$work/proc" "$work/sys" "$work/dev" "$work/new"
cp /usr/bin/busybox "$work/bin/busybox"
cp /lab/boot/initramfs.sh "$work/init"
# In the order in which they load; what the image has built in needs no file.
for name in virtio_pci 9pnet_virtio 9p; do
    modprobe -S "$1" --show-depends "$name" || echo "$name: no module, so built in" >&2
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r module; do
    file=$(basename "$module")
    case "$file" in
    *.xz) file=${file%.xz}; xz -dc "$module" > "$work/lib/$file" ;;
    *.gz) file=${file%.gz}; gzip -dc "$module" > "$work/lib/$file" ;;
    *.zst) file=${file%.zst}; zstd -qdc "$module" > "$work/lib/$file" ;;
    *) cp "$module" "$work/lib/$file" ;;
    esac
    echo "$file" >> "$work/lib/order"
done
[ -s "$work/lib/order" ] || { echo "the packages hold no modules for 9p"; exit 1; }
for image in "/usr/lib/modules/$1/vmlinuz" "/boot/vmlinuz-$1"; do
    if [ -f "$image" ]; then
        cp "$image" /lab/boot/vmlinuz
        break
    fi
done
[ -f /lab/boot/vmlinuz ] || { echo "no vmlinuz of $1 in the packages"; exit 1; }
(cd "$work" && find . | cpio --quiet -o -H newc | gzip -1) > /lab/boot/initramfs.part
mv /lab/boot/initramfs.part /lab/boot/initramfs
rm -rf "$work"

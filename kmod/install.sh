#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kmod/install.sh TREE: puts Sekisho into a Linux source tree.
#
# Copies kmod/lsm and kmod/core into TREE/security/sekisho/ and applies kmod/patches/VERSION/, where VERSION is the
# VERSION.PATCHLEVEL of the tree's Makefile. Running it again updates the copy and leaves applied patches alone; files that did
# not change keep their time stamp, so that a kernel build rebuilds only what it must.
set -eu
die() { echo "kmod/install.sh: $*" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || die "usage: kmod/install.sh TREE, where TREE is an unpacked Linux source tree"
tree=$1
[ -f "$tree/Makefile" ] && [ -d "$tree/security" ] || die "$tree is not a Linux source tree (no Makefile and security/ in it)"
version=$(sed -n 's/^VERSION = //p' "$tree/Makefile").$(sed -n 's/^PATCHLEVEL = //p' "$tree/Makefile")
[ -d "$here/patches/$version" ] || die "no patches for Linux $version; there are: $(ls "$here/patches" | tr '\n' ' ')"
for patch in "$here/patches/$version"/*.patch; do
    mark="$tree/.sekisho-$(basename "$patch")"
    [ ! -f "$mark" ] || { cmp -s "$mark" "$patch" && continue; die "$tree holds another version of $(basename "$patch"); start from a fresh tree"; }
    patch -p1 -N -s --dry-run -d "$tree" < "$patch" || die "$(basename "$patch") does not apply to $tree (Linux $version)"
    patch -p1 -N -s -d "$tree" < "$patch"
    cp "$patch" "$mark"
done
# copy FROM TO: makes TO the same as FROM without touching equal files.
copy() {
    mkdir -p "$2"
    (cd "$2" && find . -type f) | while read -r f; do
        case $1:$f in "$here/lsm":./core/*) continue ;; esac
        case $f in *.rs | *.c | *.h | ./Kconfig | ./Makefile) [ -f "$1/$f" ] || rm -f "$2/$f" ;; esac
    done
    (cd "$1" && find . -type f) | while read -r f; do
        cmp -s "$1/$f" "$2/$f" || { mkdir -p "$(dirname "$2/$f")"; cp "$1/$f" "$2/$f"; }
    done
}
copy "$here/lsm" "$tree/security/sekisho"
copy "$here/core/src" "$tree/security/sekisho/core"

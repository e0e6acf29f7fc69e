#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# /init of a guest's initial file system (tests/vm/vm.py): modules, then the guest's disk as the root. As Debian's does,
# it leaves the measuring rules to what runs there.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in failover net_failover virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_net \
	virtio_console virtio_blk; do
	insmod "/modules/$module.ko" || echo "GUEST: insmod $module failed"
done
until serial=$(grep -l -x guest-disk /sys/block/vd*/serial 2>/dev/null); do sleep 0.05; done
serial=${serial%/serial}
mount -t ext4 "/dev/${serial##*/}" /disk || echo 'GUEST: no disk'
for folder in proc sys dev; do mount --move /$folder /disk/$folder; done
exec switch_root /disk /sbin/init

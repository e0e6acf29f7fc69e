#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first and only process of a guest that is ours (tests/vm/vm.py puts it into the initial file system as /init):
# mounts, modules, network, the disk that outlives a boot; then does what comes through the virtio port, one
# command at a time: a line of base64 in, a line "STATUS BASE64" out.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /run /tmp
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t securityfs sec /sys/kernel/security
# The kernel reads the rules itself, by their path, as it does when systemd asks: so the reading is measured.
[ ! -e /etc/ima/ima-policy ] || echo /etc/ima/ima-policy >/sys/kernel/security/ima/policy || echo 'GUEST: rules refused'
for module in failover net_failover virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_net \
	virtio_console virtio_blk; do
	insmod "/lib/modules/$module.ko" || echo "GUEST: insmod $module failed"
done
until disk=$(grep -l -x guest-disk /sys/block/vd*/serial) && port=$(grep -l -x control /sys/class/virtio-ports/*/name); do sleep 0.05; done
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
mkdir -p /var
disk=${disk%/serial}
mount -t ext4 "/dev/${disk##*/}" /var || echo 'GUEST: no disk'
port=${port%/name}
echo "GUEST: up after $(cut -d' ' -f1 /proc/uptime) s"
exec 3<>"/dev/${port##*/}"
echo "0 $(base64 -w0 /proc/cmdline)" >&3
while read -r line <&3; do
	echo "$line" | base64 -d >/run/command
	sh /run/command >/run/answer 2>&1 </dev/null
	status=$?
	echo "$status $(base64 -w0 /run/answer)" >&3
done
echo 'GUEST: the port was closed'
poweroff -f

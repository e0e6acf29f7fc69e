#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# /sbin/init of a guest (tests/vm/vm.py): rules, mounts, network; then does what comes through the virtio port, one
# command at a time: a line of base64 in, a line "STATUS BASE64" out.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t securityfs sec /sys/kernel/security
# The kernel reads the rules itself, by their path, as it does when systemd asks: so the reading is measured.
[ ! -e /etc/ima/ima-policy ] || echo /etc/ima/ima-policy >/sys/kernel/security/ima/policy || echo 'GUEST: rules refused'
mkdir -p /dev/shm
for folder in /dev/shm /run /tmp; do mount -t tmpfs tmpfs $folder; done
until port=$(grep -l -x control /sys/class/virtio-ports/*/name 2>/dev/null); do sleep 0.05; done
port=${port%/name}
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
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

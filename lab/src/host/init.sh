#!/bin/sh
# The guest's init: mounts what a Linux needs, does the one thing that the
# kernel command line names, and powers off. `ringfence.mode` is agent, tests,
# command, shell or probe; ttyS1 is the line to the host, ttyS0 the console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for folder in /dev/shm /tmp /var/tmp /run /root; do
    mount -t tmpfs -o mode=1777 tmpfs "$folder"
done
modprobe configfs
mount -t configfs configfs /sys/kernel/config
mount -t debugfs debugfs /sys/kernel/debug
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 out /lab/out
ip link set lo up
cd /root

setting() {
    sed -n "s/.*ringfence\.$1=\([^ ]*\).*/\1/p" /proc/cmdline
}
mode=$(setting mode)
id=$(setting run)

if [ "$(setting count)" = 1 ]; then
    # What is started within a window (agent and shell, with their libraries)
    # lies in memory: whether an answer of the host's has to be waited for
    # would be chance.
    libraries=$(ldd /bin/sh /lab/bin/ringfence | sed -n 's/.*\(\/[^ ]*\) (0x.*/\1/p' | sort -u)
    mkdir /dev/shm/lab
    for file in /bin/sh /lab/bin/ringfence /etc/ld.so.cache $libraries; do
        copy=/dev/shm/lab/${file##*/}
        cp "$file" "$copy" && mount --bind "$copy" "$file"
    done
fi

exec 3<>/dev/ttyS1
case "$mode" in
agent | tests)
    # One process holds the line open from here on, so that nothing that the
    # host sends is lost between two openings.
    stty raw -echo <&3
    echo "ringfence: ready" >&3
    if [ "$mode" = agent ]; then
        pci=$(setting pci)
        /lab/bin/ringfence agent --ring 0 --modules /lab/modules ${pci:+--pci "$pci"} <&3 >&3
    else
        /lab/bin/ringfence guest-tests --modules /lab/modules <&3 >&3
    fi
    status=$?
    ;;
command)
    if [ "$(setting tty)" = 1 ]; then
        export TERM="$(setting term)"
        stty sane rows "$(setting rows)" cols "$(setting cols)" <&3
        setsid -c -w sh "/lab/run/$id/command" <&3 >&3 2>&3
    else
        stty raw -echo <&3
        sh "/lab/run/$id/command" </dev/null >&3 2>&3
    fi
    status=$?
    ;;
shell)
    export TERM="$(setting term)" PS1='lab:\w# '
    stty sane rows "$(setting rows)" cols "$(setting cols)" <&3
    echo "The lab, kernel $(uname -r). What you put in /lab/out stays; exit ends the VM." >&3
    setsid -c -w bash --norc <&3 >&3 2>&3
    status=$?
    ;;
*)
    status=0
    ;;
esac
# Closing it waits until the line has drained.
exec 3>&-
echo "$status" > "/lab/out/.status-$id"
sync
busybox poweroff -f

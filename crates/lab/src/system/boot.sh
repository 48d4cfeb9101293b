#!/bin/sh
# Makes the root of a machine of its own over the real one, and becomes its first process. Started in new mount, pid,
# cgroup, network, uts and ipc namespaces; nothing here reaches the real file system, and all of it ends with them.
#   boot.sh systemd|bus FOLDER PROGRAMS     FOLDER is scratch; FOLDER/files is laid over the root
set -eu
init=$1 disk=$2/disk files=$2/files programs=$3
root=$disk/root

main() {
    mount --make-rprivate /
    mkdir "$disk"
    mount -t tmpfs -o mode=755 tmpfs "$disk"
    mkdir "$disk/upper" "$disk/work" "$root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" "$root"
    kernel_folders
    devices
    mkdir -p "$root/opt/ropeway" "$root/opt/changed"
    mount --bind "$programs" "$root/opt/ropeway"
    mount --bind "$disk/upper" "$root/opt/changed"
    only_our_services
    no_ropeway
    cp -a "$files/." "$root"
    cd "$root"
    mkdir -p oldroot
    pivot_root . oldroot
    umount -l /oldroot
    rmdir /oldroot
    network
    "start_$init"
}

kernel_folders() {
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
}

devices() {
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for name in null zero full random urandom tty; do
        mknod -m 666 "$root/dev/$name" c $(stat -c '0x%t 0x%T' "/dev/$name")
    done
    mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/net"
    mknod -m 666 "$root/dev/net/tun" c 10 200 # as systemd-tmpfiles makes it
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
}

# Of the real machine's services only what the system bus needs; another machine may have anything.
only_our_services() {
    units=$root/etc/systemd/system
    mkdir -p "$units"
    rm -rf "$units"/*.wants "$units"/*.requires
    ln -sf /lib/systemd/system/multi-user.target "$units/default.target"
    : >"$root/etc/machine-id"
    cd /lib/systemd/system
    for unit in systemd-udev* systemd-resolved.service systemd-networkd* systemd-timesyncd.service getty.target \
        systemd-logind.service systemd-modules-load.service systemd-remount-fs.service systemd-update-* \
        systemd-firstboot.service systemd-hwdb-update.service systemd-pcr* systemd-boot-* systemd-binfmt.service \
        systemd-sysctl.service systemd-random-seed.service systemd-ask-password-* systemd-user-sessions.service \
        sys-kernel-*.mount sys-fs-*.mount dev-*.mount proc-sys-fs-binfmt_misc.automount ssh.service cron.service \
        *.timer; do
        ln -sf /dev/null "$units/$unit"
    done
    cd /
}

# The real machine may have it.
no_ropeway() {
    for folder in etc/systemd/system etc/systemd/system/sysinit.target.wants etc/dbus-1/system.d var/lib \
        usr/libexec usr/lib/systemd/system usr/share/dbus-1/system-services usr/share/dbus-1/system.d \
        usr/share/polkit-1/actions usr/local/libexec usr/local/share/dbus-1/system-services; do
        folder=$root/$folder
        rm -rf "$folder"/ropeway "$folder"/ropeway-helper* "$folder"/ropeway-undo* "$folder"/org.ropeway.*
    done
}

# A cable, and a neighbour at its other end.
network() {
    ip netns add far
    ip link set lo up
    ip link add near type veth peer name far netns far
    ip address add 10.20.0.1/16 dev near
    ip address add fd20::1/48 dev near nodad
    ip link set near up
    ip -n far address add 10.20.0.2/16 dev far
    ip -n far address add fd20::2/48 dev far nodad
    ip -n far link set far up
}

start_systemd() {
    exec env -i container=ropeway-lab PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=linux \
        /lib/systemd/systemd --system --show-status=no --log-target=journal
}

# Until the shell is killed; it also buries orphans, as a first process must.
start_bus() {
    mkdir -p /run/dbus
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin dbus-daemon --system --nofork --nopidfile --syslog-only &
    while :; do wait; done
}

main

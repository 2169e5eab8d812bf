#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
port=$(free_port)
ssh-keygen -q -t ed25519 -N '' -f host_key
ssh-keygen -q -t ed25519 -N '' -f user_key
cp user_key.pub authorized_keys
chmod 600 authorized_keys
cat >sshd_config <<C
Port $port
ListenAddress 127.0.0.1
HostKey $PWD/host_key
AuthorizedKeysFile $PWD/authorized_keys
PidFile $PWD/pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
C
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
/usr/sbin/sshd -D -f "$PWD/sshd_config" -E "$PWD/log" &
ends_with_script $!
wait_for_port "$port"
options=(-F none -i user_key -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
ssh "${options[@]}" -p "$port" "$(id -un)@127.0.0.1" 'echo remote; seq 3 | tail -1'
seq 50000 >numbers
scp -q "${options[@]}" -P "$port" numbers "$(id -un)@127.0.0.1:$PWD/copied"
cmp numbers copied && echo copied

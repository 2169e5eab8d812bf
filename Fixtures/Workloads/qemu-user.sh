#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
# The machine's own programs, translated by QEMU: every instruction of theirs runs as code that is made at run time.
cat >work.pl <<'PL'
use strict; use warnings; use IO::Socket::INET; use Socket;
my $sum = 0;
$sum = ($sum * 31 + $_) & 0xffff for 1 .. 300000;
print "sum $sum\n";
socket(my $udp, PF_INET, SOCK_DGRAM, 0) or die; bind($udp, sockaddr_in(0, INADDR_LOOPBACK)) or die;
my $length = 0;
for (1 .. 500) {
    send($udp, "datagram", 0, getsockname($udp)) or die;
    recv($udp, my $text, 100, 0);
    $length += length $text;
}
print "datagrams $length\n";
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $child = fork() // die "fork: $!";
if ($child == 0) {
    for my $n (1 .. 100) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $listener->sockport) or die "connect: $!";
        print $socket "line $n\n";
        close $socket;
    }
    exec '/bin/true';
}
my $lines = 0;
for (1 .. 100) { my $peer = $listener->accept; $lines++ if defined <$peer>; }
waitpid $child, 0;
print "lines $lines, child ended with $?\n", `echo shell`;
PL
qemu-x86_64 "$(command -v perl)" work.pl
qemu-x86_64 /bin/bash -c 'seq 1000 | sort -rn | sed -n 1,3p; echo pipeline'

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.pl <<'PL'
use strict; use warnings; use IO::Socket::INET; use Socket;
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $child = fork() // die "fork: $!";
if ($child == 0) {
    for my $n (1 .. 10) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $listener->sockport) or die "connect: $!";
        print $socket "line $n\n";
        close $socket;
    }
    exec 'true';
}
my $sum = 0;
for (1 .. 10) { my $peer = $listener->accept; my $line = <$peer>; $sum += ($line =~ /(\d+)/)[0]; }
waitpid $child, 0;
print "sum $sum, child ended with $?\n";
print join(',', map { chomp; $_ } sort { $a <=> $b } `seq 5`), "\n";
socket(my $udp, PF_INET, SOCK_DGRAM, 0) or die; bind($udp, sockaddr_in(0, INADDR_LOOPBACK)) or die;
send($udp, "datagram", 0, getsockname($udp)) or die; recv($udp, my $text, 100, 0); print "$text\n";
PL
perl work.pl

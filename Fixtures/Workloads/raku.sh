#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.raku <<'RAKU'
use NativeCall;
sub socket(int32, int32, int32) returns int32 is native {*}
sub connect(int32, CArray[uint8], int32) returns int32 is native {*}
sub close(int32) returns int32 is native {*}
my $address = CArray[uint8].new(2, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
my $opened = 0;
for ^2000 {
    my $descriptor = socket(2, 2, 0);
    $opened++ if connect($descriptor, $address, 16) == 0;
    close($descriptor);
}
say "connected $opened";
my $listener = IO::Socket::INET.new(:localhost<127.0.0.1>, :localport(0), :listen);
my $client = IO::Socket::INET.new(:host<127.0.0.1>, :port($listener.localport));
my $server = $listener.accept;
$client.print("line\n");
say $server.get;
print run('echo', 'child', :out).out.slurp;
RAKU
raku work.raku

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.php <<'PHP'
<?php
// Warm enough for the tracing compiler, with the calls in the traced loops.
function mix(int $sum, int $n): int { return ($sum * 31 + $n) & 0xffffffff; }
function sums(int $count): int {
    $sum = 0;
    for ($n = 0; $n < $count; $n++) $sum = mix($sum, $n);
    return $sum;
}
function datagrams(int $count): int {
    $socket = socket_create(AF_INET, SOCK_DGRAM, 0);
    socket_bind($socket, '127.0.0.1', 0);
    socket_getsockname($socket, $address, $port);
    $length = 0;
    for ($n = 0; $n < $count; $n++) {
        socket_sendto($socket, "d$n", strlen("d$n"), 0, $address, $port);
        $length += socket_recvfrom($socket, $text, 100, 0, $from, $fromPort);
    }
    return $length;
}
function lines(int $count): int {
    $server = stream_socket_server('tcp://127.0.0.1:0');
    $name = stream_socket_get_name($server, false);
    $lines = 0;
    for ($n = 0; $n < $count; $n++) {
        $client = stream_socket_client("tcp://$name");
        $peer = stream_socket_accept($server);
        fwrite($client, "line $n\n");
        if (fgets($peer) === "line $n\n") $lines++;
        fclose($client); fclose($peer);
    }
    return $lines;
}
echo 'sum ', sums(5000000), "\ndatagrams ", datagrams(2000), "\nlines ", lines(500), "\n";

$libc = FFI::cdef('int system(const char *); ssize_t sendto(int, const void *, size_t, int, const void *, unsigned);
    void qsort(int *, size_t, size_t, int (*)(int *, int *));', 'libc.so.6');
$numbers = $libc->new('int[5]');
foreach ([5, 3, 1, 4, 2] as $place => $value) $numbers[$place] = $value;
$libc->qsort(FFI::addr($numbers[0]), 5, 4, fn($x, $y) => $x[0] - $y[0]);
foreach ($numbers as $value) echo $value, ' ';
for ($n = 0; $n < 20; $n++) $libc->sendto(-1, 'x', 1, 0, null, 0);
echo $libc->system('true'), ' ', shell_exec('echo shell');
$jit = opcache_get_status()['jit'];
var_dump($jit['buffer_size'] - $jit['buffer_free'] > 4000);
PHP
# A file that was just written is not compiled by default.
php -d opcache.enable_cli=1 -d opcache.file_update_protection=0 -d opcache.jit=tracing -d opcache.jit_buffer_size=32M -d ffi.enable=1 work.php

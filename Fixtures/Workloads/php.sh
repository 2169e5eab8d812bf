#!/bin/bash
. "$(dirname "$0")/common.sh"
cat >work.php <<'PHP'
<?php
// Warm enough for the tracing compiler, with the calls in the traced loops.
function mix(int $sum, int $n): int { return ($sum * 31 + $n) & 0xffffffff; }
$sum = 0;
for ($n = 0; $n < 5000000; $n++) $sum = mix($sum, $n);
echo "sum $sum\n";

$socket = socket_create(AF_INET, SOCK_DGRAM, 0);
socket_bind($socket, '127.0.0.1', 0);
socket_getsockname($socket, $address, $port);
$length = 0;
for ($n = 0; $n < 2000; $n++) {
    socket_sendto($socket, "d$n", strlen("d$n"), 0, $address, $port);
    $length += socket_recvfrom($socket, $text, 100, 0, $from, $fromPort);
}
echo "datagrams $length\n";

$server = stream_socket_server('tcp://127.0.0.1:0');
$name = stream_socket_get_name($server, false);
$lines = 0;
for ($n = 0; $n < 500; $n++) {
    $client = stream_socket_client("tcp://$name");
    $peer = stream_socket_accept($server);
    fwrite($client, "line $n\n");
    if (fgets($peer) === "line $n\n") $lines++;
    fclose($client); fclose($peer);
}
echo "lines $lines\n";

$libc = FFI::cdef('int system(const char *); ssize_t sendto(int, const void *, size_t, int, const void *, unsigned);
    void qsort(int *, size_t, size_t, int (*)(int *, int *));', 'libc.so.6');
$numbers = $libc->new('int[5]');
foreach ([5, 3, 1, 4, 2] as $place => $value) $numbers[$place] = $value;
$libc->qsort(FFI::addr($numbers[0]), 5, 4, fn($x, $y) => $x[0] - $y[0]);
foreach ($numbers as $value) echo $value, ' ';
for ($n = 0; $n < 20; $n++) $libc->sendto(-1, 'x', 1, 0, null, 0);
echo $libc->system('true'), ' ', shell_exec('echo shell');
var_dump(opcache_get_status()['jit']['buffer_free'] < opcache_get_status()['jit']['buffer_size']);
PHP
php -d opcache.enable_cli=1 -d opcache.jit=tracing -d opcache.jit_buffer_size=32M -d ffi.enable=1 work.php

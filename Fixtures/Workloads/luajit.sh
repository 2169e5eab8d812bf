#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.lua <<'LUA'
local ffi = require 'ffi'
ffi.cdef [[
    typedef struct { uint16_t family, port; uint32_t address; uint8_t zero[8]; } address_t;
    int socket(int, int, int);
    int bind(int, const address_t *, unsigned);
    int listen(int, int);
    int accept(int, address_t *, unsigned *);
    int connect(int, const address_t *, unsigned);
    int getsockname(int, address_t *, unsigned *);
    ssize_t sendto(int, const void *, size_t, int, const address_t *, unsigned);
    ssize_t recv(int, void *, size_t, int);
    int close(int);
    int fork(void);
    int execv(const char *, const char *const *);
    int waitpid(int, int *, int);
    void _exit(int);
    void qsort(void *, size_t, size_t, int (*)(const int *, const int *));
]]
local C = ffi.C
local function loopback(kind)
    local fd = C.socket(2, kind, 0)
    local address = ffi.new('address_t', { family = 2, address = 0x0100007f })
    assert(C.bind(fd, address, 16) == 0)
    local size = ffi.new('unsigned[1]', 16)
    assert(C.getsockname(fd, address, size) == 0)
    return fd, address
end

-- Enough rounds that the loop is compiled: the calls are then made by machine code of LuaJIT's.
local fd, address = loopback(2)
local buffer, got = ffi.new('char[100]'), 0
for n = 1, 2000 do
    assert(C.sendto(fd, 'datagram', 8, 0, address, 16) == 8)
    got = got + tonumber(C.recv(fd, buffer, 100, 0))
end
print('datagrams', got)

local listener, place = loopback(1)
assert(C.listen(listener, 5) == 0)
local opened = 0
for n = 1, 300 do
    local client = C.socket(2, 1, 0)
    if C.connect(client, place, 16) == 0 then opened = opened + 1 end
    C.close(C.accept(listener, nil, nil))
    C.close(client)
end
print('connections', opened)

local compare = ffi.cast('int (*)(const int *, const int *)', function(x, y) return x[0] - y[0] end)
local numbers = ffi.new('int[5]', 5, 3, 1, 4, 2)
C.qsort(numbers, 5, 4, compare)
print(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])

local words = ffi.new('const char *[2]')
words[0] = '/bin/true'
for n = 1, 100 do
    local child = C.fork()
    if child == 0 then C.execv('/bin/true', words); C._exit(1) end
    local status = ffi.new('int[1]')
    assert(C.waitpid(child, status, 0) == child and status[0] == 0)
end
print('children 100', os.execute('echo shell') == 0)
LUA
luajit work.lua

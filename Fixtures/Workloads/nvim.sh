#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An editor whose scripts LuaJIT compiles.
. "$(dirname "$0")/common.sh"
cat >work.lua <<'LUA'
local ffi = require 'ffi'
ffi.cdef 'int socket(int, int, int); int connect(int, const void *, unsigned); int close(int);'
local address, opened = ffi.new('uint8_t[16]', 2, 0, 0, 9, 127, 0, 0, 1), 0
for n = 1, 1000 do
    local fd = ffi.C.socket(2, 2, 0)
    if ffi.C.connect(fd, address, 16) == 0 then opened = opened + 1 end
    ffi.C.close(fd)
end
io.stdout:write('connected ', opened, '\n', vim.fn.system('echo child'))
LUA
nvim --headless -u NONE -i NONE -c 'luafile work.lua' -c 'quit'

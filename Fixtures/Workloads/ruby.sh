#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.rb <<'RUBY'
require 'socket'
require 'fiddle/import'

module C
  extend Fiddle::Importer
  dlload Fiddle::Handle::DEFAULT
  extern 'int system(const char *)'
  extern 'void qsort(void *, size_t, size_t, void *)'
end

def sent(server, n)
  client = TCPSocket.new('127.0.0.1', server.addr[1])
  peer = server.accept
  client.puts "line #{n}"
  client.close
  peer.gets.length
ensure
  peer&.close
end

sum = 0
1_000_000.times { |n| sum = (sum * 31 + n) & 0xffffffff }
puts "sum #{sum}"
server = TCPServer.new('127.0.0.1', 0)
length = 0
500.times { |n| length += sent(server, n) }
puts "lines #{length}"
udp = UDPSocket.new
udp.bind('127.0.0.1', 0)
500.times { |n| udp.send("d#{n}", 0, '127.0.0.1', udp.addr[1]); udp.recv(100) }
puts 'datagrams 500'

# A closure in memory made at run time, called by C, which makes critical calls of its own.
calls = 0
compare = Fiddle::Closure::BlockCaller.new(Fiddle::TYPE_INT, [Fiddle::TYPE_VOIDP, Fiddle::TYPE_VOIDP]) do |x, y|
  calls += 1
  udp.send('closure', 0, '127.0.0.1', udp.addr[1])
  x[0, 4].unpack1('l') - y[0, 4].unpack1('l')
end
numbers = Fiddle::Pointer[[5, 3, 1, 4, 2].pack('l*')]
C.qsort(numbers, 5, 4, compare)
puts numbers[0, 20].unpack('l*').join(' '), calls > 4
puts C.system('true'), `echo child`, system('true')
puts RubyVM::YJIT.enabled? if defined?(RubyVM::YJIT)
RUBY
jit=; ruby --yjit -e '' 2>/dev/null && jit=--yjit
ruby $jit work.rb

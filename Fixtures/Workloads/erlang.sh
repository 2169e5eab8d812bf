#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.erl <<'ERL'
-module(work).
-export([main/0]).

main() ->
    {ok, Udp} = gen_udp:open(0, [binary, {ip, {127, 0, 0, 1}}, {active, false}]),
    {ok, Port} = inet:port(Udp),
    io:format("datagrams ~p~n", [datagrams(Udp, Port, 2000, 0)]),
    {ok, Listener} = gen_tcp:listen(0, [binary, {ip, {127, 0, 0, 1}}, {packet, line}, {active, false}]),
    {ok, Tcp} = inet:port(Listener),
    io:format("lines ~p~n", [lines(Listener, Tcp, 500, 0)]),
    %% The sockets of the newer interface, whose calls are made by the scheduler's own thread.
    {ok, Socket} = socket:open(inet, dgram, udp),
    ok = socket:bind(Socket, #{family => inet, addr => {127, 0, 0, 1}, port => 0}),
    {ok, Own} = socket:sockname(Socket),
    io:format("sockets ~p~n", [sockets(Socket, Own, 1000, 0)]),
    io:format("~s~p~n", [os:cmd("echo child"), erlang:system_info(emu_flavor)]),
    Self = self(),
    [spawn(fun() -> Self ! {sum, lists:sum(lists:seq(1, 100000))} end) || _ <- lists:seq(1, 20)],
    io:format("sum ~p~n", [lists:sum([receive {sum, Sum} -> Sum end || _ <- lists:seq(1, 20)])]),
    halt().

datagrams(_, _, 0, Length) -> Length;
datagrams(Udp, Port, N, Length) ->
    ok = gen_udp:send(Udp, {127, 0, 0, 1}, Port, <<"datagram">>),
    {ok, {_, _, Text}} = gen_udp:recv(Udp, 0),
    datagrams(Udp, Port, N - 1, Length + byte_size(Text)).

lines(_, _, 0, Length) -> Length;
lines(Listener, Port, N, Length) ->
    {ok, Client} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary]),
    {ok, Peer} = gen_tcp:accept(Listener),
    ok = gen_tcp:send(Client, <<"line\n">>),
    {ok, Line} = gen_tcp:recv(Peer, 0),
    gen_tcp:close(Client),
    gen_tcp:close(Peer),
    lines(Listener, Port, N - 1, Length + byte_size(Line)).

sockets(_, _, 0, Length) -> Length;
sockets(Socket, Own, N, Length) ->
    ok = socket:sendto(Socket, <<"socket">>, Own),
    {ok, {_, Text}} = socket:recvfrom(Socket),
    sockets(Socket, Own, N - 1, Length + byte_size(Text)).
ERL
erlc work.erl
erl -noshell -noinput -s work main

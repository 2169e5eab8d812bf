#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
export GOCACHE="${EPITOPE_GO_CACHE:-$PWD/cache}" GOPATH="$PWD/path" GOFLAGS=-mod=mod GO111MODULE=off GOTOOLCHAIN=local
cat >work.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"sync"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	var group sync.WaitGroup
	var lock sync.Mutex
	length := 0
	for n := 0; n < 50; n++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			answer, err := http.Get(fmt.Sprintf("http://%s/%d", listener.Addr(), n))
			if err != nil {
				panic(err)
			}
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			lock.Lock()
			length += len(body)
			lock.Unlock()
		}(n)
	}
	group.Wait()
	fmt.Println("http", length)
	out, err := exec.Command("echo", "child").Output()
	fmt.Print(string(out), err, "\n")
	a, _ := net.ListenPacket("udp", "127.0.0.1:0")
	a.WriteTo([]byte("datagram"), a.LocalAddr())
	buffer := make([]byte, 100)
	n, _, _ := a.ReadFrom(buffer)
	fmt.Println(string(buffer[:n]))
}
GO
go build -o work work.go
./work

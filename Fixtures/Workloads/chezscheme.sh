#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.ss <<'SS'
(load-shared-object "libc.so.6")
(define make-socket (foreign-procedure "socket" (int int int) int))
(define connect (foreign-procedure "connect" (int u8* int) int))
(define close-socket (foreign-procedure "close" (int) int))
(define address #vu8(2 0 0 9 127 0 0 1 0 0 0 0 0 0 0 0))
(let loop ([n 0] [opened 0])
  (if (< n 100)
      (let* ([descriptor (make-socket 2 2 0)] [result (connect descriptor address 16)])
        (close-socket descriptor)
        (loop (+ n 1) (if (zero? result) (+ opened 1) opened)))
      (begin (display "connected ") (display opened) (newline))))
(flush-output-port)
(system "echo child")
SS
chezscheme --script work.ss

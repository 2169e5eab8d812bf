#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.rkt <<'RKT'
#lang racket/base
(require ffi/unsafe racket/tcp)
;; The C library's own functions, called by compiled code.
(define make-socket (get-ffi-obj "socket" #f (_fun _int _int _int -> _int)))
(define connect (get-ffi-obj "connect" #f (_fun _int _bytes _int -> _int)))
(define address (bytes 2 0 0 9 127 0 0 1 0 0 0 0 0 0 0 0))
(printf "connected ~a\n"
  (for/sum ([n 100]) (if (zero? (connect (make-socket 2 2 0) address 16)) 1 0)))
(define listener (tcp-listen 0 4 #f "127.0.0.1"))
(define-values (own port other other-port) (tcp-addresses listener #t))
(printf "lines ~a\n"
  (for/sum ([n 50])
    (define-values (in out) (tcp-connect "127.0.0.1" port))
    (define-values (peer-in peer-out) (tcp-accept listener))
    (write-string "line\n" out)
    (close-output-port out)
    (begin0 (string-length (read-line peer-in)) (close-input-port in) (close-input-port peer-in) (close-output-port peer-out))))
RKT
racket work.rkt

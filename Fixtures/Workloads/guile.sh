#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >work.scm <<'SCM'
(use-modules (system foreign))
(define make-socket (pointer->procedure int (dynamic-func "socket" (dynamic-link)) (list int int int)))
(define connect-to (pointer->procedure int (dynamic-func "connect" (dynamic-link)) (list int '* int)))
(define address (bytevector->pointer #vu8(2 0 0 9 127 0 0 1 0 0 0 0 0 0 0 0)))
;; Enough rounds that the loop is compiled.
(define (work n opened)
  (if (zero? n) opened (work (- n 1) (if (zero? (connect-to (make-socket 2 2 0) address 16)) (+ opened 1) opened))))
(format #t "connected ~a\n" (work 900 0))
(format #t "child ~a\n" (system* "true"))
SCM
GUILE_AUTO_COMPILE=0 guile work.scm

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LLVM's just-in-time compiler on a program of its intermediate language.
. "$(dirname "$0")/common.sh"
lli=$(ls /usr/lib/llvm-*/bin/lli 2>/dev/null | head -n 1) || true
[ -n "$lli" ] || leave_out "needs LLVM's lli"
cat >work.ll <<'LL'
declare i32 @socket(i32, i32, i32)
declare i32 @connect(i32, i8*, i32)
declare i32 @printf(i8*, ...)
@text = constant [14 x i8] c"connected %d\0A\00"
@address = constant [16 x i8] c"\02\00\00\09\7F\00\00\01\00\00\00\00\00\00\00\00"
define i32 @main() {
entry:
  br label %loop
loop:
  %n = phi i32 [ 0, %entry ], [ %next, %loop ]
  %opened = phi i32 [ 0, %entry ], [ %more, %loop ]
  %descriptor = call i32 @socket(i32 2, i32 2, i32 0)
  %result = call i32 @connect(i32 %descriptor, i8* getelementptr ([16 x i8], [16 x i8]* @address, i64 0, i64 0), i32 16)
  %good = icmp eq i32 %result, 0
  %one = zext i1 %good to i32
  %more = add i32 %opened, %one
  %next = add i32 %n, 1
  %again = icmp ult i32 %next, 100
  br i1 %again, label %loop, label %end
end:
  %printed = call i32 (i8*, ...) @printf(i8* getelementptr ([14 x i8], [14 x i8]* @text, i64 0, i64 0), i32 %more)
  ret i32 0
}
LL
"$lli" work.ll

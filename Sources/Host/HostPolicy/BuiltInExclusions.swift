// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import EpitopeModel

/// Exclusions for just-in-time compilers and similar programs of Debian's packages, whose normal behaviour no general rule
/// distinguishes from injected code. They have no end: a later version of Epitope may drop one.
///
/// `"builtInExclusions": false` in the policy file turns them off.
public enum BuiltInExclusions {
    /// In the order in which `epitope policy show` lists them.
    public static let all: [Exclusion] = (entries + numba).map { subject, evidence, reason in
        Exclusion(subject: subject, evidence: evidence, reason: reason, until: nil)
    }

    /// Debian's numba, in each release's Python.
    private static let numba: [(Exclusion.Subject, EvidenceKind, String)] = ["3.11", "3.13"].map { version in
        (
            .library(path: "/usr/lib/python3/dist-packages/llvmlite/binding/libllvmlite.so", executable: "/usr/bin/python\(version)"),
            .libraryCall, "numba: functions that it compiled call those of the C library that a program declares"
        )
    }

    private static let entries: [(Exclusion.Subject, EvidenceKind, String)] = [
        (.package("luajit"), .libraryCall, "LuaJIT's FFI: compiled code calls functions of the C library itself"),
        (.package("sbcl"), .libraryCall, "SBCL compiles functions into its heap; alien routines call the C library from there"),
        (.package("sbcl"), .writtenImagePage, "SBCL's collector writes to the pages of its core's file that its code lies in"),
        (.package("mono-runtime-sgen"), .libraryCall, "Mono's just-in-time compiler: wrappers of P/Invoke call the C library"),
        (.package("openjdk-17-jre-headless"), .libraryCall, "Java's foreign functions: compiled code calls the C library itself"),
        (.package("openjdk-21-jre-headless"), .libraryCall, "Java's foreign functions: compiled code calls the C library itself"),
        (.package("openjdk-25-jre-headless"), .libraryCall, "Java's foreign functions: compiled code calls the C library itself"),
        (.package("firefox-esr"), .uncheckedReturn, "Firefox: its network library calls the C library through tables of functions"),
        (.package("ghc"), .uncheckedReturn, "GHC runs code that it compiles (Template Haskell), which calls by pointers"),
        (.package("pypy3"), .libraryCall, "PyPy's cffi: compiled code calls functions of the C library itself"),
        (.package("tcc"), .libraryCall, "tcc -run compiles a program into memory and runs it there"),
        (.package("llvm-14-runtime"), .libraryCall, "lli compiles a program into memory and runs it there"),
        (.package("llvm-19-runtime"), .libraryCall, "lli compiles a program into memory and runs it there"),
        (.package("racket"), .libraryCall, "Racket's foreign functions: compiled code calls the C library itself"),
        (.package("chezscheme"), .libraryCall, "Chez Scheme's foreign procedures: compiled code calls the C library itself"),
        (.package("rakudo"), .libraryCall, "Raku's NativeCall: compiled code calls functions of the C library itself"),
        (.package("neovim"), .libraryCall, "Neovim's Lua is LuaJIT, with its FFI: compiled code calls the C library itself"),
        (.package("valgrind"), .libraryCall, "Valgrind's tools have executable heaps, and pointers into them on their stacks"),
        (.package("pgloader"), .libraryCall, "pgloader is SBCL's heap: all its code calls the C library from there"),
        (.package("pgloader"), .writtenImagePage, "SBCL's collector writes to the pages of the program's file that its code lies in"),
    ]
}

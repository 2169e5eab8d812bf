// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Compiles the eBPF program and writes the object file into a Swift source file as one base64 text:
///
///     embed-program CLANG SOURCE SWIFT
///
/// Atomics with results need the third instruction set (Linux 5.12); -g brings the types for CO-RE. Without the trap, what is
/// unreachable would be a call of a kernel function that older kernels lack: to learn that, libbpf asks for the types of the
/// kernel's modules, which takes CAP_SYS_ADMIN.
@main enum EmbedProgram {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4 else { fail("usage: embed-program CLANG SOURCE SWIFT", 64) }
        let object = arguments[3] + ".o"
        let clang = Process()
        clang.executableURL = URL(fileURLWithPath: arguments[1])
        clang.arguments = [
            "-target", "bpf", "-mcpu=v3", "-g", "-O2", "-mllvm", "-bpf-disable-trap-unreachable", "-Wall", "-Werror", "-D__TARGET_ARCH_x86",
            "-I/usr/include/x86_64-linux-gnu", "-c", arguments[2], "-o", object,
        ]
        try clang.run()
        clang.waitUntilExit()
        guard clang.terminationStatus == 0 else { fail("\(arguments[2]) could not be compiled", 1) }
        let encoded = try Data(contentsOf: URL(fileURLWithPath: object)).base64EncodedString()
        let text = """
            // Made by the KernelProgram plugin.
            enum KernelProgramObject {
                /// The object file, in base64.
                static let base64: StaticString = "\(encoded)"
            }

            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: arguments[3]), options: .atomic)
    }

    private static func fail(_ message: String, _ status: Int32) -> Never {
        FileHandle.standardError.write(Data("\(message)\n".utf8))
        exit(status)
    }
}

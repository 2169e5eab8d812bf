// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import Glibc
import GoodwareFiles
import GoodwareReading
import GoodwareIndex

/// Trees and files that whoever can write to a folder of goodware can make.
extension WorstCases {
    /// In bytes unpacked for a byte of a file of 256 KiB and more: 256, and what any file may unpack to.
    private static let maxUnpacked = 256.0 + Double(64 << 20) / Double(256 << 10) + 32

    static let goodware: [WorstCase] = [
        goodwareCase("goodware-fill", "a file of zeros: GoodwareBuilder", maxSteps: 1) { size, corpus in
            try write(zeros(size), to: "\(corpus)/fill")
        },
        goodwareCase("goodware-members", "a plain tar archive of empty members: GoodwareBuilder", maxSteps: 2) { size, corpus in
            try write((0..<size / 512).flatMap { header("\($0)") } + zeros(1024), to: "\(corpus)/a.tar")
        },
        goodwareCase("goodware-zeros", "zeros, compressed a thousandfold: GoodwareBuilder", maxSteps: maxUnpacked) { size, corpus in
            try shell("head -c \(size << 10) /dev/zero | gzip -1 > '\(corpus)/a.gz'")
        },
        goodwareCase(
            "goodware-headers", "headers of empty members, compressed twice: GoodwareBuilder", maxSteps: maxUnpacked
        ) { size, corpus in
            try write(header("a"), to: "\(corpus)/h")
            // A gigabyte for each 16 KiB.
            try shell(
                """
                cd '\(corpus)'; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do cat h h > g; mv g h; done
                gzip -9 h; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cat h.gz h.gz > g; mv g h.gz; done
                head -c \(size << 7) h.gz > h; gzip -9f h; head -c \(size) /dev/urandom >> h.gz
                """)
        },
        goodwareCase("goodware-layers", "layer in layer: GoodwareBuilder", maxSteps: 64) { size, corpus in
            try shell("cd '\(corpus)'; head -c \(size) /dev/urandom > a; for i in $(seq 40); do gzip -1 a; mv a.gz a; done")
        },
        WorstCase(
            name: "goodware-deep", what: "a chain of folders, each with a file: FileTree", sizes: [2000, 7000], maxMemory: 20_000,
            maxNanoseconds: 2_000_000,
            make: { size, scratch in
                let root = try scratch.folder("deep").path
                makeChain(size, in: root)
                return WorstCase.Input(bytes: size) {
                    let files = FileTree.files(below: [root]) { path, reason in broken("\(path) was not listed: \(reason)") }
                    if files.count != size { broken("\(files.count) of \(size) files") }
                    return nil
                }
            }),
        goodwareCase("goodware-files", "many files of a few bytes: GoodwareBuilder", maxSteps: 1) { size, corpus in
            for number in 0..<size / 64 { try write(Array("a few bytes\(number)".utf8), to: "\(corpus)/\(number)") }
        },
    ]

    /// Builds an index of a folder. The steps are the bytes that were read, of all layers.
    private static func goodwareCase(
        _ name: String, _ what: String, maxSteps: Double, fill: @escaping @Sendable (_ size: Int, _ corpus: String) throws -> Void
    ) -> WorstCase {
        // The builder's own buffers: chunks for each layer on each core, and the keys.
        WorstCase(name: name, what: what, maxSteps: maxSteps, maxMemory: 64, fixedMemory: 256 << 20) { size, scratch in
            let corpus = try scratch.folder("corpus").path
            try fill(size, corpus)
            let names = try FileManager.default.contentsOfDirectory(atPath: corpus)
            let bytes = try names.reduce(0) { try $0 + Int(FileStatus(path: "\(corpus)/\($1)").identity.size) }
            return WorstCase.Input(bytes: bytes) {
                Int(try GoodwareBuilder.build(sources: [corpus], output: scratch.file("index")).bytes)
            }
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// Runs what makes an input.
    static func shell(_ command: String) throws {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-ec", command]
        try shell.run()
        shell.waitUntilExit()
        if shell.terminationStatus != 0 { broken("'\(command)' ended with \(shell.terminationStatus)") }
    }

    /// The header of an empty member of a tar archive.
    private static func header(_ name: String) -> [UInt8] {
        var header = Array(name.utf8) + zeros(512 - name.utf8.count)
        header.replaceSubrange(100..<107, with: Array("0000644".utf8))
        header.replaceSubrange(124..<135, with: Array("00000000000".utf8))
        header[156] = UInt8(ascii: "0")
        header.replaceSubrange(257..<263, with: Array("ustar".utf8) + [0])
        header.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
        let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
        header.replaceSubrange(148..<155, with: Array((String(repeating: "0", count: 6 - sum.count) + sum).utf8) + [0])
        return header
    }

    private static func makeChain(_ count: Int, in root: String) {
        guard var place = try? PathHandle(root) else { broken("no folder \(root)") }
        for _ in 0..<count {
            let file = openat(place.descriptor, "f", O_WRONLY | O_CREAT, 0o600)
            _ = Glibc.write(file, "x", 1)
            close(file)
            guard mkdirat(place.descriptor, "d", 0o700) == 0, let next = try? PathHandle(RawPath("d"), in: place) else {
                broken("no deeper folder")
            }
            place = next
        }
    }
}

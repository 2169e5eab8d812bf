// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import TestSupport

@testable import PacketCoding

/// Packets with every field drawn at random within the schema's bounds.
enum RandomPackets {
    static func packet(_ random: inout SeededGenerator) -> ExtractedPacket {
        let count = Int.random(in: 1...ExtractedPacket.maxCodeBytes, using: &random)
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        let base = UInt64.random(in: 0...(UInt64.max - 8193), using: &random)
        let sendsCode = Bool.random(using: &random)
        return ExtractedPacket(
            id: hex(32, &random), architecture: Architecture.allCases.randomElement(using: &random)!,
            callersAddress: base + UInt64.random(in: 1...UInt64(count), using: &random),
            content: sendsCode
                ? .code(ExtractedCode(base: base, bytes: bytes, isWholeRegion: Bool.random(using: &random)))
                : .signature(Array(bytes.prefix(Int.random(in: 1...256, using: &random)))),
            evidence: evidence(&random),
            action: ProtectiveAction.allCases.randomElement(using: &random)!,
            applications: BlockingApplication.allCases.filter { _ in Bool.random(using: &random) }, parameters: parameters(&random))
    }

    /// Kinds that came after the first version stand last, as they do on the wire.
    static func evidence(_ random: inout SeededGenerator) -> [Evidence] {
        let all = list(0...16, &random) { Evidence(kind: EvidenceKind.allCases.randomElement(using: &$0)!, detail: text(512, &$0)) }
        return all.filter { !$0.kind.isFurther } + all.filter(\.kind.isFurther)
    }

    static func parameters(_ random: inout SeededGenerator) -> Parameters {
        let start = UInt64.random(in: 0...(UInt64.max - 1), using: &random)
        let backing: MemoryBacking = [
            .image(path: text(4096, &random)), .kernel, .anonymous, .stack, .heap, .memoryFile(name: text(4096, &random)),
            .writtenImagePage(path: text(4096, &random)), .writtenFile(path: text(4096, &random)),
        ].randomElement(using: &random)!
        return Parameters(
            call: CriticalCall.allCases.randomElement(using: &random)!,
            arguments: CallArguments(
                peer: maybe(&random, endpoint), local: maybe(&random, endpoint), transport: maybe(&random, transport),
                path: maybe(&random) { text(4096, &$0) }, arguments: maybe(&random) { list(0...32, &$0) { text(256, &$0) } },
                payloadLength: maybe(&random) { UInt64.random(in: 0...UInt64.max, using: &$0) }),
            region: MemoryRegion(
                start: start, end: UInt64.random(in: (start + 1)...UInt64.max, using: &random),
                protection: MemoryProtection(rawValue: UInt8.random(in: 0..<16, using: &random)), backing: backing),
            process: process(&random),
            system: SystemParameters(
                hostName: name(&random), hostID: maybe(&random) { hex(40, &$0) }, kernelRelease: name(&random),
                distribution: name(&random), distributionVersion: name(&random), libcVersion: name(&random),
                libcPackageVersion: name(&random), kernelPackageVersion: name(&random), kernelBuild: name(&random),
                lastUpdateMilliseconds: maybe(&random) { Int64.random(in: 0...253_402_300_799_999, using: &$0) },
                microcodeRevision: name(&random), bootParameters: maybe(&random) { list(0...12, &$0) { text(80, &$0) } }),
            timeMilliseconds: Int64.random(in: 0...253_402_300_799_999, using: &random))
    }

    static func process(_ random: inout SeededGenerator) -> ProcessParameters {
        ProcessParameters(
            processID: Int32.random(in: Int32.min...Int32.max, using: &random),
            threadID: Int32.random(in: Int32.min...Int32.max, using: &random), name: name(&random),
            executable: maybe(&random) {
                Executable(path: text(4096, &$0), sha256: maybe(&$0) { hex(64, &$0) }, package: name(&$0), packageVersion: name(&$0))
            },
            parents: list(0...16, &random) { random in
                .init(
                    processID: Int32.random(in: 0...Int32.max, using: &random), name: name(&random),
                    executablePath: maybe(&random) { text(512, &$0) })
            },
            userID: maybe(&random) { UInt32.random(in: 0...UInt32.max, using: &$0) }, userName: name(&random),
            containerID: maybe(&random) { hex(64, &$0) }, container: maybe(&random, container),
            listening: list(0...32, &random) { .init(transport: transport(&$0), local: endpoint(&$0)) },
            connected: list(0...32, &random) { .init(transport: transport(&$0), local: endpoint(&$0), peer: endpoint(&$0)) })
    }

    static func container(_ random: inout SeededGenerator) -> ContainerParameters {
        ContainerParameters(
            name: maybe(&random) { text(256, &$0) }, image: maybe(&random) { text(512, &$0) },
            pod: maybe(&random) {
                .init(uid: maybe(&$0) { text(256, &$0) }, name: maybe(&$0) { text(256, &$0) }, namespace: maybe(&$0) { text(256, &$0) })
            })
    }

    static func transport(_ random: inout SeededGenerator) -> TransportProtocol {
        TransportProtocol.allCases.randomElement(using: &random)!
    }

    static func endpoint(_ random: inout SeededGenerator) -> SocketEndpoint {
        SocketEndpoint(address: text(108, &random), port: UInt16.random(in: 0...UInt16.max, using: &random))
    }

    static func name(_ random: inout SeededGenerator) -> String? {
        maybe(&random) { text(128, &$0) }
    }

    /// Texts with characters of one to four bytes, quotes, controls and NUL; short ones more often than long ones.
    static func text(_ maxBytes: Int, _ random: inout SeededGenerator) -> String {
        let alphabet: [Unicode.Scalar] = [
            "a", "Z", "/", "\"", "\\", "\n", "\u{0}", "\u{7f}", "ä", "€", "𝄞", "\u{301}", "\u{feff}", "\u{2028}",
        ]
        let length = Int.random(in: 0...(Bool.random(using: &random) ? 8 : maxBytes), using: &random)
        var text = String.UnicodeScalarView()
        var bytes = 0
        while bytes < length {
            let scalar = alphabet.randomElement(using: &random)!
            bytes += scalar.utf8.count
            if bytes > maxBytes { break }
            text.append(scalar)
        }
        return String(text)
    }

    static func hex(_ digits: Int, _ random: inout SeededGenerator) -> String {
        String((0..<digits).map { _ in Array("0123456789abcdef").randomElement(using: &random)! })
    }

    static func maybe<T>(_ random: inout SeededGenerator, _ make: (inout SeededGenerator) -> T) -> T? {
        Bool.random(using: &random) ? make(&random) : nil
    }

    static func list<T>(_ count: ClosedRange<Int>, _ random: inout SeededGenerator, _ make: (inout SeededGenerator) -> T) -> [T] {
        (0..<Int.random(in: count, using: &random)).map { _ in make(&random) }
    }
}

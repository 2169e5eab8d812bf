// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import GoodwareIndex
import SignatureMaking
import Signatures
import TestSupport
import TokenSequences

extension FuzzParser {
    /// Code of unknown origin. An input has a byte for the architecture, one for the meaning of the addresses, the base and the
    /// caller's address in eight bytes each, then the code.
    static let machineCode = FuzzParser(
        name: "code", what: "machine code: disassembled, made to signatures",
        dictionary: [
            [0x0f, 5], [0xcd, 0x80], [0xff, 0xd0], [0xe8, 0, 0, 0, 0], [0x48, 0xb8], [0x66, 0x66, 0x66], [0xc4, 0xe2], [0x62, 0xf1],
            [1, 0, 0, 0xd4], [0, 0, 0, 0x94], [0, 0, 0, 0x90], [0xf0, 0xf2, 0xf3],
        ],
        hotPlaces: { [0..<min(18, $0.count), 0..<$0.count, 0..<$0.count] },
        seeds: { _ in seeds },
        run: { input, _ in
            guard input.count > 18 else { throw Refusal("too-short") }
            let architecture: Architecture = [.x86_32, .x86_64, .arm64][Int(input[0]) % 3]
            func number(at place: Int) -> UInt64 { input[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
            let bytes = Array(input[18...].prefix(ExtractedPacket.maxCodeBytes))
            let base = number(at: 2)
            // Otherwise the address would hardly ever be in the code.
            let caller = input[1] & 1 == 1 ? base &+ number(at: 10) % UInt64(bytes.count + 2) : number(at: 10)
            let code = ExtractedCode(base: base, bytes: bytes, isWholeRegion: input[1] & 2 == 2)
            let instructions = Disassembly.instructions(of: code, callersAddress: caller, architecture: architecture)
            guard instructions.map(\.range.count).reduce(0, +) == bytes.count else { broken("the instructions are not the code") }
            let half = bytes.count / 2..<bytes.count
            _ = Disassembly.instructions(of: code, callersAddress: caller, architecture: architecture, part: half, withText: false)
            var samples = [Sample(code: code, callersAddress: caller, architecture: architecture, context: .any)]
            if input[1] & 4 == 4 {
                let moved = ExtractedCode(base: base &+ 4096, bytes: bytes.map { $0 == 0 ? 1 : $0 }, isWholeRegion: true)
                samples.append(Sample(code: moved, callersAddress: caller &+ 4096, architecture: architecture, context: .any))
            }
            let benign = BenignPool(streams: [[UInt8](0...255)])
            let made = SignatureCandidates.signatures(for: samples, goodware: goodware, benign: benign, limit: 4)
            if made.isEmpty { throw Refusal("no-candidate") }
            for signature in made where signature.tokens.isEmpty || signature.tokens.contains(where: { $0.bytes.isEmpty }) {
                broken("a candidate has no bytes")
            }
        })

    private static var seeds: [[UInt8]] {
        let bodies = [Samples.code.bytes, Array(ElfSeeds.all[0].prefix(600)), [UInt8](repeating: 0xc3, count: 8), arm64]
        let bases: [UInt64] = [0, 0x142, 0x7fff_f7a0_0000, .max - 20]
        var seeds: [[UInt8]] = []
        for architecture in UInt8(0)..<3 {
            for body in bodies {
                for base in bases {
                    let caller = UInt64(body.count) - 2
                    let addresses: [UInt8] = ByteOrder.little(base, 8) + ByteOrder.little(caller, 8)
                    seeds.append([architecture, 1] + addresses + body)
                }
            }
        }
        return seeds
    }

    private static let goodware = GoodwareIndex(of: [ElfSeeds.all[0], Samples.code.bytes])

    /// mov, adrp, add, movk, svc, bl, ret; then a literal.
    private static let arm64: [UInt8] = [
        0xe0, 0x03, 0x01, 0xaa, 0x00, 0x00, 0x00, 0x90, 0x00, 0x40, 0x00, 0x91, 0x08, 0x1b, 0x80, 0xd2, 0x48, 0x24, 0xa8, 0xf2,
        0x01, 0x00, 0x00, 0xd4, 0xf9, 0xff, 0xff, 0x97, 0xc0, 0x03, 0x5f, 0xd6, 0x40, 0x00, 0x00, 0x58, 0x10, 0x20, 0x30, 0x40,
    ]
}

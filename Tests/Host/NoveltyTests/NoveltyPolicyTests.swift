// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Novelty
import TestSupport
import Testing

@Suite struct NoveltyPolicyTests {
    private static func fingerprint(_ change: (inout ExtractedPacket) -> Void = { _ in }) -> PacketFingerprint {
        var packet = Samples.packet()
        change(&packet)
        return PacketFingerprint(packet)
    }

    private let first = fingerprint()
    private let otherCode = fingerprint {
        $0.content = .code(ExtractedCode(base: 0x142, bytes: (0..<54).map { UInt8($0 * 37 & 0xff) }, isWholeRegion: true))
    }
    private let otherParameters = fingerprint {
        $0.parameters.process.name = "another"
        $0.parameters.call = .connect
    }
    private let otherBoth = fingerprint {
        $0.content = .code(ExtractedCode(base: 0x142, bytes: (0..<54).map { UInt8($0 * 91 & 0xff) }, isWholeRegion: true))
        $0.parameters.process.name = "another"
        $0.parameters.call = .connect
    }

    @Test(arguments: NoveltyPolicy.Matching.allCases) func `Each criterion looks at what it names`(matching: NoveltyPolicy.Matching) {
        func duplicates(_ criteria: NoveltyPolicy.Criteria) -> [Bool] {
            let policy = NoveltyPolicy(criteria: criteria, matching: matching)
            return [first, otherCode, otherParameters, otherBoth].map { policy.isDuplicate($0, of: first) }
        }
        #expect(duplicates(.both) == [true, false, false, false])
        #expect(duplicates(.code) == [true, false, true, false])
        #expect(duplicates(.parameters) == [true, true, false, false])
        #expect(duplicates(.either) == [true, true, true, false])
    }

    @Test func `What changes from run to run does not make a packet new`() {
        let again = Self.fingerprint { packet in
            packet.id = String(repeating: "f", count: 32)
            packet.callersAddress += 0x7f00_0000
            if case .code(var code) = packet.content {
                code.base += 0x7f00_0000
                packet.content = .code(code)
            }
            packet.parameters.region.start += 0x7f00_0000
            packet.parameters.region.end += 0x7f00_0000
            packet.parameters.timeMilliseconds += 5000
            packet.parameters.process.processID += 1
            packet.parameters.process.threadID += 1
            packet.parameters.process.parents = []
            packet.parameters.arguments.peer?.address = "198.51.100.9"
            packet.parameters.process.listening.append(.init(transport: .udp, local: SocketEndpoint(address: "0.0.0.0", port: 50123)))
            packet.parameters.process.connected = [
                .init(
                    transport: .tcp, local: SocketEndpoint(address: "10.0.0.1", port: 40000),
                    peer: SocketEndpoint(address: "10.0.0.2", port: 443))
            ]
        }
        #expect(again == first)
    }

    @Test func `Exact code tells one byte apart, near code does not`() {
        var bytes = (0..<800).map { UInt8(truncatingIfNeeded: $0 * $0 / 7) }
        let one = Self.fingerprint { $0.content = .code(ExtractedCode(base: 0, bytes: bytes, isWholeRegion: true)) }
        bytes[400] ^= 0xff
        let two = Self.fingerprint { $0.content = .code(ExtractedCode(base: 0, bytes: bytes, isWholeRegion: true)) }
        #expect(!NoveltyPolicy(matching: .exact).isDuplicate(two, of: one))
        #expect(NoveltyPolicy(matching: .near).isDuplicate(two, of: one))
        #expect(!NoveltyPolicy(matching: .near, codeDistance: 0.25).isDuplicate(otherCode, of: one))
    }

    @Test func `Near parameters allow so many fields to differ`() {
        let one = Self.fingerprint { $0.parameters.process.name = "another" }
        #expect(one.differingFields(from: first) == 1)
        #expect(!NoveltyPolicy(criteria: .parameters, matching: .exact).isDuplicate(one, of: first))
        #expect(NoveltyPolicy(criteria: .parameters, matching: .near).isDuplicate(one, of: first))
        #expect(!NoveltyPolicy(criteria: .parameters, matching: .near, parameterDistance: 0).isDuplicate(one, of: first))
        #expect(otherParameters.differingFields(from: first) == 2)
        #expect(NoveltyPolicy(criteria: .parameters, matching: .near, parameterDistance: 2).isDuplicate(otherParameters, of: first))
    }

    @Test func `A signature is never alike code`() {
        let signature = Self.fingerprint { $0.content = .signature(Samples.code.bytes) }
        #expect(!NoveltyPolicy(criteria: .code, matching: .near, codeDistance: 0.9).isDuplicate(signature, of: first))
    }

    @Test func `A fingerprint comes back from its stored parts`() {
        let stored = PacketFingerprint(
            isSignature: first.isSignature, codeKey: first.codeKey, sketch: first.codeSketch.stored,
            parametersKey: first.parametersKey, fields: first.storedFields)
        #expect(stored == first)
        #expect(PacketFingerprint(isSignature: false, codeKey: [], sketch: [], parametersKey: [], fields: []) == nil)
        #expect(first.fieldKeys.count == PacketFingerprint.parameterFields)
    }

    @Test func `Distances beyond their bounds are brought within them`() {
        #expect(NoveltyPolicy(codeDistance: .nan).codeDistance == 0)
        #expect(NoveltyPolicy(codeDistance: 7).codeDistance == 1)
        #expect(NoveltyPolicy(parameterDistance: -1).parameterDistance == 0)
        #expect(NoveltyPolicy(parameterDistance: 99).parameterDistance == PacketFingerprint.parameterFields)
    }

    @Test(arguments: 0...6) func `Code of any length has a sketch, and is at no distance from itself`(length: Int) {
        let bytes = (0..<length).map(UInt8.init)
        let sketch = CodeSketch(bytes)
        #expect(sketch.minima.count == CodeSketch.bins)
        #expect(sketch.distance(to: CodeSketch(bytes)) == 0)
        #expect(sketch.distance(to: CodeSketch(bytes + [99])) > 0)
    }

    @Test func `The estimated distance is close to the true one`() {
        // 2000 distinct shingles of which half are shared: Jaccard similarity 1/3.
        func block(_ third: UInt8, _ fourth: UInt8) -> [UInt8] {
            var bytes: [UInt8] = []
            for number in 0..<1000 { bytes += [UInt8(number >> 8), UInt8(number & 0xff), third, fourth] }
            return bytes
        }
        let shared = block(7, 9)
        let one = CodeSketch(shared + block(101, 55))
        let two = CodeSketch(shared + block(201, 66))
        #expect(abs(one.distance(to: two) - 2.0 / 3.0) < 0.2)
    }
}

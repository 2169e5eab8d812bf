// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Signatures
import TestSupport
import Testing

@testable import PacketCoding

/// What a center gets when a packet is bad: a stable code, the field named, never a crash.
@Suite struct BadPacketTests {
    private func code(of bytes: [UInt8]) -> EpitopeError.Code? {
        do throws(EpitopeError) {
            _ = try ExtractedPacket(encoded: bytes)
            return nil
        } catch {
            return error.code
        }
    }

    /// The error that a packet gives after its wire form was changed.
    private func error(_ change: (inout Epitope_V1_ExtractedPacket) -> Void) -> EpitopeError? {
        var wire = Samples.packet().wire
        change(&wire)
        do throws(EpitopeError) {
            _ = try ExtractedPacket(encoded: Wire.encode(wire))
            return nil
        } catch {
            return error
        }
    }

    @Test func `A packet beyond the largest encoding is refused before it is decoded`() {
        #expect(code(of: Array(repeating: 0xff, count: ExtractedPacket.maxEncodedBytes + 1)) == .packetTooLarge)
        #expect(code(of: Array(repeating: 0xff, count: ExtractedPacket.maxEncodedBytes)) == .packetMalformed)
    }

    @Test func `A packet of an unknown version is refused as such`() {
        #expect(error { $0.version = 0 }?.code == .packetVersionUnknown)
        #expect(error { $0.version = ExtractedPacket.currentVersion + 1 }?.code == .packetVersionUnknown)
        #expect(code(of: []) == .packetVersionUnknown)
    }

    @Test(arguments: [0, Samples.code.base - 1, Samples.code.base, Samples.code.base + 55, .max])
    func `A caller's address outside the code is refused`(address: UInt64) {
        #expect(error { $0.callersAddress = address }?.code == .callerOutsideCode)
    }

    @Test func `Empty and too much code are refused`() {
        #expect(error { $0.code.bytes = Data() }?.code == .packetMalformed)
        #expect(error { $0.code.bytes = Data(count: ExtractedPacket.maxCodeBytes + 1) }?.code == .packetMalformed)
        #expect(error { $0.code.base = .max - 1 }?.code == .packetMalformed)
        #expect(error { $0.signature = Data() }?.code == .packetMalformed)
        #expect(error { $0.signature = Data(count: 257) }?.code == .packetMalformed)
        #expect(error { $0.signature = Data(count: 256) } == nil)
        #expect(error { $0.applications = Array(repeating: .send, count: 17) }?.code == .packetMalformed)
        // One of a later version is passed over.
        #expect(error { $0.applications = [.send, .UNRECOGNIZED(99)] } == nil)
        #expect(error { $0.content = nil }?.code == .packetMalformed)
    }

    @Test func `A field out of its bounds is refused, and named`() {
        let long = String(repeating: "x", count: 5000)
        let cases: [(String, (inout Epitope_V1_ExtractedPacket) -> Void)] = [
            ("id", { $0.id = "ABCDEF" }), ("id", { $0.id = String(repeating: "G", count: 32) }),
            ("architecture", { $0.architecture = .UNRECOGNIZED(99) }), ("architecture", { $0.architecture = .unspecified }),
            ("action", { $0.action = .UNRECOGNIZED(5) }), ("evidence.kind", { $0.evidence[0].kind = .unspecified }),
            ("evidence.detail", { $0.evidence[0].detail = long }),
            ("evidence", { $0.evidence = Array(repeating: $0.evidence[0], count: 17) }),
            ("parameters", { $0.clearParameters() }), ("parameters.call", { $0.parameters.call = .unspecified }),
            ("region", { $0.parameters.region.end = $0.parameters.region.start }), ("region", { $0.parameters.clearRegion() }),
            ("region.protection", { $0.parameters.region.protection = 16 }),
            ("region.backing", { $0.parameters.region.backing = .unspecified }),
            ("region.backing_name", { $0.parameters.region.backingName = long }),
            ("arguments.peer.port", { $0.parameters.arguments.peer.port = 65536 }),
            ("arguments.peer.address", { $0.parameters.arguments.peer.address = long }),
            ("arguments.transport", { $0.parameters.arguments.transport = .UNRECOGNIZED(4) }),
            ("arguments.path", { $0.parameters.arguments.path = long }),
            ("arguments.arguments", { $0.parameters.arguments.arguments.texts = Array(repeating: "", count: 33) }),
            ("arguments.arguments", { $0.parameters.arguments.arguments.texts = [long] }),
            ("process.name", { $0.parameters.process.name = long }),
            ("process.container_id", { $0.parameters.process.containerID = "abc" }),
            ("process.container.name", { $0.parameters.process.container.name = String(repeating: "x", count: 257) }),
            ("process.container.image", { $0.parameters.process.container.image = String(repeating: "x", count: 513) }),
            ("process.container.pod.uid", { $0.parameters.process.container.pod.uid = String(repeating: "x", count: 257) }),
            ("process.executable.sha256", { $0.parameters.process.executable.sha256 = "abc" }),
            ("process.parents", { $0.parameters.process.parents = Array(repeating: .init(), count: 17) }),
            ("process.listening", { $0.parameters.process.listening = Array(repeating: .init(), count: 33) }),
            ("process.listening.transport", { $0.parameters.process.listening[0].transport = .unspecified }),
            ("process.connected", { $0.parameters.process.connected = Array(repeating: .init(), count: 33) }),
            ("system.host_id", { $0.parameters.system.hostID = "a/b" }), ("system.host_name", { $0.parameters.system.hostName = long }),
            ("parameters.time_milliseconds", { $0.parameters.timeMilliseconds = -1 }),
        ]
        for (field, change) in cases {
            let found = error(change)
            #expect(found?.code == .packetMalformed, "\(field)")
            #expect(found?.message.hasPrefix(field + " ") == true, "\(field): \(found?.message ?? "accepted")")
        }
    }

    @Test func `A packet cut short at any length is refused, never read as another`() {
        let whole = Samples.packet().encoded()
        for length in 0..<whole.count {
            let found = code(of: Array(whole[..<length]))
            #expect(found != nil, "accepted at \(length) of \(whole.count) bytes")
        }
    }

    @Test func `A flipped bit never crashes, and what is still accepted keeps to the bounds`() throws {
        let whole = Samples.packet().encoded()
        for bit in 0..<whole.count * 8 {
            var damaged = whole
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            guard let packet = try? ExtractedPacket(encoded: damaged) else { continue }
            #expect(packet == packet.withinBounds, "bit \(bit)")
        }
    }

    @Test(arguments: UInt64(0)..<100) func `Noise never crashes`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let noise = (0..<Int.random(in: 1...2000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(code(of: noise) != nil)
        #expect((try? ForwardedPacket(encoded: noise)) == nil)
        #expect((try? SignatureUpdate(encoded: noise)) == nil)
    }

    @Test func `Fields of a later minor addition are ignored`() throws {
        let packet = Samples.packet()
        // Field 200, a text of two bytes.
        let extended = packet.encoded() + [0xc2, 0x0c, 0x02, 0x68, 0x69]
        #expect(try ExtractedPacket(encoded: extended) == packet)
    }

    @Test func `Bad updates, signatures and answers are refused`() {
        func refused(_ body: () throws -> Void) -> Bool {
            do {
                try body()
                return false
            } catch let error as EpitopeError {
                return error.code == .packetMalformed
            } catch {
                return false
            }
        }
        func signature(_ change: (inout Epitope_V1_Signature) -> Void) -> [UInt8] {
            var wire = Signature(tokens: [.init(bytes: [1, 2, 3], gap: 1...2)], context: .any).wire
            change(&wire)
            return Wire.encode(wire)
        }
        #expect(refused { _ = try Signature(encoded: signature { $0.tokens = [] }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.tokens[0].bytes = Data() }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.tokens[0].bytes = Data(count: 8193) }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.tokens[0].gap.most = 0 }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.tokens[0].masked = [3] }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.tokens[0].masked = [1, 1] }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.tokens[0].masked = [0, 1, 2] }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.arrangement = .UNRECOGNIZED(9) }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.provenance.strategy = .unspecified }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.context.ports = [2, 1] }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.context.ports = [70000] }) })
        #expect(refused { _ = try Signature(encoded: signature { $0.context.direction = .unspecified }) })
        #expect(refused { _ = try Receipt(encoded: []) })
        #expect(refused { _ = try EpitopeError(encoded: []) })
        #expect(refused { _ = try EpitopeError(encoded: Array("<html>502</html>".utf8)) })
        #expect(throws: EpitopeError.self) { try Receipt(encoded: Array(repeating: 0, count: 2000)) }
    }

    @Test func `Bad JSON is refused`() {
        let json = Samples.packet().json(pretty: false)
        func found(_ text: String) -> EpitopeError.Code? {
            do throws(EpitopeError) {
                _ = try ExtractedPacket(json: text)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(found("") == .packetMalformed)
        #expect(found("[]") == .packetMalformed)
        #expect(found(String(json.dropLast(3))) == .packetMalformed)
        #expect(found(json.replacing("\"0x176\"", with: "\"0x\"")) == .packetMalformed)
        #expect(found(json.replacing("\"0x176\"", with: "\"0x+176\"")) == .packetMalformed)
        #expect(found(json.replacing("\"0x176\"", with: "\"0x1\"")) == .callerOutsideCode)
        #expect(found(json.replacing("\"version\":1", with: "\"version\":9")) == .packetVersionUnknown)
        #expect(found(json.replacing("rwxp", with: "rwx?")) == .packetMalformed)
        #expect(found(String(repeating: " ", count: 4 * 65536 + 1)) == .packetTooLarge)
    }
}

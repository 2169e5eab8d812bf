// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import Signatures
import TestSupport
import Testing

@testable import PacketCoding

@Suite struct PacketCodingTests {
    @Test func `A packet reads back as it was`() throws {
        let packet = Samples.packet()
        #expect(try ExtractedPacket(encoded: packet.encoded()) == packet)
        #expect(packet.encoded() == packet.encoded())
    }

    @Test func `A packet that carries only the signature reads back as it was`() throws {
        var packet = Samples.packet()
        packet.content = .signature(Samples.callerWindow)
        #expect(try ExtractedPacket(encoded: packet.encoded()) == packet)
    }

    @Test(arguments: UInt64(0)..<100) func `Any packet within the bounds reads back as it was`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let packet = RandomPackets.packet(&random)
        let encoded = packet.encoded()
        try #require(encoded.count <= ExtractedPacket.maxEncodedBytes)
        #expect(try ExtractedPacket(encoded: encoded) == packet, "seed \(seed)")
        #expect(try ExtractedPacket(json: packet.json()) == packet, "seed \(seed)")
    }

    @Test func `A packet with every field full fits in the largest encoding, and longer texts are clipped`() throws {
        let long = String(repeating: "€", count: 3000)
        var packet = Samples.packet()
        packet.callersAddress = 4097
        packet.content = .code(ExtractedCode(base: 1, bytes: Array(repeating: 0x90, count: 8192), isWholeRegion: true))
        packet.evidence = Array(repeating: Evidence(kind: .directCall, detail: long), count: 20)
        let endpoint = SocketEndpoint(address: long, port: 65535)
        packet.parameters.arguments = CallArguments(
            peer: endpoint, local: endpoint, transport: .udp, path: long, arguments: Array(repeating: long, count: 40),
            payloadLength: .max)
        packet.parameters.region.backing = .image(path: long)
        packet.parameters.process = ProcessParameters(
            processID: -1, threadID: -1, name: long,
            executable: Executable(path: long, sha256: String(repeating: "f", count: 64), package: long, packageVersion: long),
            parents: Array(repeating: .init(processID: -1, name: long, executablePath: long), count: 20), userID: .max,
            userName: long, containerID: "not a container's id",
            container: .init(name: long, image: long, pod: .init(uid: long, name: long, namespace: long)),
            listening: Array(repeating: .init(transport: .tcp, local: endpoint), count: 100),
            connected: Array(repeating: .init(transport: .tcp, local: endpoint, peer: endpoint), count: 100))
        packet.parameters.system = SystemParameters(
            hostName: long, hostID: "no valid id", kernelRelease: long, distribution: long, distributionVersion: long, libcVersion: long,
            libcPackageVersion: long, kernelPackageVersion: long, kernelBuild: long, lastUpdateMilliseconds: .max, microcodeRevision: long,
            bootParameters: Array(repeating: long, count: 40))
        (packet.extraction, packet.signatureAddress) = (ExtractionRequest(signature: .unique, signatureBytes: 256), 4096)
        let encoded = packet.encoded()
        #expect(encoded.count <= ExtractedPacket.maxEncodedBytes)
        let decoded = try ExtractedPacket(encoded: encoded)
        #expect(decoded.parameters.process.parents.count == 16)
        #expect(decoded.parameters.process.containerID == nil)
        #expect(decoded.parameters.system.hostID == nil)
        #expect(decoded.parameters.system.bootParameters?.count == 12)
        let clipped = try #require(decoded.parameters.arguments.path)
        #expect(clipped == String(repeating: "€", count: 1365), "clipped at a whole character")
    }

    @Test func `What is left to the center reads back, and is gone once it was extracted`() throws {
        var packet = Samples.packet()
        for request in [
            ExtractionRequest(signature: nil, signatureBytes: CallerWindow.length),
            ExtractionRequest(signature: .caller, signatureBytes: 8),
            ExtractionRequest(signature: .unique, signatureBytes: 256),
        ] {
            packet.extraction = request
            #expect(try ExtractedPacket(encoded: packet.encoded()) == packet)
            #expect(try ExtractedPacket(json: packet.json()) == packet)
            // A field of a later version: number 200, the text "later".
            let later: [UInt8] = [0xC2, 0x0C, 5] + Array("later".utf8)
            let received = try ReceivedPacket(encoded: packet.encoded() + later)
            #expect(received.value == packet)
            let extracted = try received.extracted(.signature(Samples.callerWindow), signatureAddress: 0x160)
            var expected = packet
            (expected.content, expected.extraction, expected.signatureAddress) = (.signature(Samples.callerWindow), nil, 0x160)
            #expect(extracted.value == expected && extracted.source == received.source)
            #expect(String(decoding: extracted.bytes, as: UTF8.self).contains("later"))
        }
    }

    @Test func `A center that doesn't know how a signature is to be chosen makes one, and refuses sizes that none has`() throws {
        var wire = Samples.packet().wire
        wire.extraction.signature = .UNRECOGNIZED(9)
        wire.extraction.signatureBytes = 32
        #expect(try ExtractedPacket(encoded: Wire.encode(wire)).extraction == ExtractionRequest(signature: .caller, signatureBytes: 32))
        for bytes: UInt32 in [0, 7, 257, .max] {
            wire.extraction.signatureBytes = bytes
            let error = #expect(throws: EpitopeError.self) { try ExtractedPacket(encoded: Wire.encode(wire)) }
            #expect(error?.code == .packetMalformed && error?.message.contains("extraction.signature_bytes") == true)
        }
        wire.extraction.signatureBytes = 32
        wire.signature = .init(Samples.callerWindow)
        let error = #expect(throws: EpitopeError.self) { try ExtractedPacket(encoded: Wire.encode(wire)) }
        #expect(error?.code == .packetMalformed && error?.message.contains("no code to extract from") == true)
    }

    @Test func `Empty and absent texts and lists are distinguished`() throws {
        var packet = Samples.packet()
        packet.parameters.process.name = ""
        packet.parameters.process.userName = nil
        packet.parameters.arguments.arguments = []
        packet.parameters.arguments.payloadLength = 0
        let decoded = try ExtractedPacket(encoded: packet.encoded())
        #expect(decoded.parameters.process.name == "")
        #expect(decoded.parameters.process.userName == nil)
        #expect(decoded.parameters.arguments.arguments == [])
        #expect(decoded.parameters.arguments.payloadLength == 0)
        packet.parameters.arguments.arguments = nil
        #expect(try ExtractedPacket(encoded: packet.encoded()).parameters.arguments.arguments == nil)
    }

    @Test func `A packet's JSON is readable`() {
        let json = Samples.packet().json()
        #expect(json.contains("\"callersAddress\" : \"0x176\""))
        #expect(json.contains("\"protection\" : \"rwxp\""))
        #expect(json.contains("\"time\" : \"2023-11-14T22:13:20.000Z\""))
        #expect(json.contains("\"timeMilliseconds\" : 1700000000000"))
        #expect(json.contains(Hex.encode(Samples.code.bytes)))
        #expect(json.contains("\"/usr/sbin/sample-service\""))
        #expect(!Samples.packet().json(pretty: false).contains("\n"))
    }

    @Test func `Receipts, signatures, forwards, updates and errors read back as they were`() throws {
        let receipt = Receipt(id: Samples.packet().id, storedMilliseconds: 1_700_000_000_123, wasKnown: true)
        #expect(try Receipt(encoded: receipt.encoded()) == receipt)
        let signature = Signature(
            tokens: [.init(bytes: Samples.callerWindow), .init(bytes: [1, 2], gap: 0...0), .init(bytes: [3], gap: 4...900)],
            context: SignatureContext(transport: .udp, ports: [53, 1434], direction: .toService))
        #expect(try Signature(encoded: signature.encoded()) == signature)
        let conjunction = Signature(
            tokens: [.init(bytes: Samples.callerWindow, masked: [3, 4, 9]), .init(bytes: [1, 2])], arrangement: .conjunction,
            context: .any,
            provenance: Provenance(strategy: .conjunction, samples: 7, reasons: ["every sample has them", "in no stable order"]))
        #expect(try Signature(encoded: conjunction.encoded()) == conjunction)
        var several = signature
        several.context = SignatureContext(uniting: [
            signature.context, SignatureContext(transport: .tcp, ports: [53], direction: .toService),
            SignatureContext(transport: .tcp, ports: [5432], direction: .fromPeer),
            SignatureContext(transport: .tcp, ports: [80], direction: .toService, buffer: .httpRequestBody),
        ])
        #expect(several.context.parts.count == 4)
        #expect(try Signature(encoded: several.encoded()) == several)
        for length in [1, 8, 33, 256] {
            var packet = Samples.packet()
            packet.content = .signature((0..<length).map { UInt8(truncatingIfNeeded: $0) })
            #expect(try ExtractedPacket(encoded: packet.encoded()) == packet, "a host chooses how long its signature is")
        }
        let forward = ForwardedPacket(packet: Samples.packet(), reporter: "host-1", signature: signature)
        #expect(try ForwardedPacket(encoded: forward.encoded()) == forward)
        var concluded = forward
        concluded.conclusion = SiteConclusion(points: 120, hosts: 3, grade: .corroborated)
        #expect(try ForwardedPacket(encoded: concluded.encoded()) == concluded)
        // As a version reads it that does not know the field: the rest of the message is the same, and comes first.
        #expect(concluded.encoded().starts(with: forward.encoded()))
        // More than the wire takes is clipped to it.
        concluded.conclusion = SiteConclusion(points: .max, hosts: 0, grade: .confirmed)
        let read = try ForwardedPacket(encoded: concluded.encoded()).conclusion
        #expect(read == SiteConclusion(points: Int(UInt32.max), hosts: 1, grade: .confirmed))
        let own = SignatureUpdate(
            signature: signature, revision: 1, origin: .site, createdMilliseconds: 1_700_000_000_000, lifetimeDays: 90,
            proof: Proof(checks: [
                .init(.init(rawValue: "matches-samples"), passed: true, "1 of 1 packets of the cluster matched"),
                .init(.init(rawValue: "on-the-wire"), .notChecked, "no capture is at hand"),
                .init(.init(rawValue: "cost"), passed: false, "fast pattern of 2 bytes"),
            ]))
        var published = own
        published.origin = .global(sequence: 7)
        published.revision = 2
        published.signature.context = .any
        #expect(try SignatureUpdate(encoded: own.encoded()) == own)
        #expect(try SignatureUpdate(encoded: published.encoded()) == published)
        let numbered = FeedEntry(
            position: FeedPosition(sequence: 7, mark: .max), change: .update(published), revises: [2, 3], ruleNumber: 3_950_001)
        let withdrawal = FeedEntry.Withdrawal(signatureID: signature.id, reason: "a false alarm")
        for isFromStart in [false, true] {
            let list = SequencedUpdates(
                FeedPage(
                    entries: [
                        FeedEntry(sequence: 3, update: own), numbered,
                        FeedEntry(position: FeedPosition(sequence: 9, mark: 1), change: .withdrawal(withdrawal)),
                    ], isFromStart: isFromStart))
            #expect(try SequencedUpdates(encoded: list.encoded()) == list)
        }
        #expect(try SequencedUpdates(encoded: []).page == FeedPage())
        /// Whether an entry is passed over, and the one behind it read.
        func isPassedOver(_ entry: FeedEntry) throws -> Bool {
            let behind = FeedEntry(sequence: entry.sequence + 1, update: own)
            let read = try SequencedUpdates(encoded: SequencedUpdates(FeedPage(entries: [entry, behind])).encoded()).page.entries
            guard read.count == 2, read[0].position == entry.position, read[1] == behind, case .unreadable(let why) = read[0].change
            else { return false }
            return !why.isEmpty
        }
        for id in ["", "00", signature.id.uppercased() + "0", String(repeating: "g", count: 32)] {
            let entry = FeedEntry(
                position: FeedPosition(sequence: 1, mark: 5), change: .withdrawal(.init(signatureID: id, reason: "")))
            #expect(try isPassedOver(entry))
        }
        for revises in [[3, 2], [2, 2], [0, 1], [7], [8], Array(1...33)] as [[Int64]] {
            let entry = FeedEntry(sequence: revises.count > 32 ? 40 : 7, update: published, revises: revises)
            let list = SequencedUpdates(FeedPage(entries: [entry]))
            // No more than a list may hold are written.
            guard revises.count <= FeedEntry.maxRevised else {
                #expect(try SequencedUpdates(encoded: list.encoded()).page.entries[0].revises == Array(revises.prefix(32)))
                continue
            }
            #expect(try isPassedOver(entry))
        }
        for sequences in [[0], [-1], [2, 2], [2, 1]] as [[Int64]] {
            let list = SequencedUpdates(FeedPage(entries: sequences.map { FeedEntry(sequence: $0, update: own) }))
            #expect(throws: EpitopeError.self) { try SequencedUpdates(encoded: list.encoded()) }
        }
        let error = EpitopeError(.packetTooLarge, "it is too large", remedy: "make it smaller")
        #expect(try EpitopeError(encoded: error.encoded()) == error)
    }

    @Test(arguments: [true, false, nil]) func `Which end of a connection is the service reads back as it was`(wasAccepted: Bool?) throws {
        var packet = Samples.packet()
        packet.parameters.process.connected = [
            .init(
                transport: .tcp, local: SocketEndpoint(address: "192.0.2.2", port: 22),
                peer: SocketEndpoint(address: "192.0.2.1", port: 40_000), wasAccepted: wasAccepted)
        ]
        #expect(try ExtractedPacket(encoded: packet.encoded()) == packet)
        #expect(try ExtractedPacket(json: packet.json(pretty: true)) == packet)
    }
}

@Suite struct FurtherEvidenceTests {
    @Test func `Evidence of later kinds is where readers of the first version don't look, and theirs is passed over here`() throws {
        var packet = Samples.packet()
        packet.evidence = [Evidence(kind: .directCall, detail: "a"), Evidence(kind: .deletedFile, detail: "b")]
        var wire = packet.wire
        #expect(wire.evidence.map(\.detail) == ["a"] && wire.furtherEvidence.map(\.detail) == ["b"])
        #expect(try ExtractedPacket(encoded: packet.encoded()) == packet)
        #expect(try ExtractedPacket(json: packet.json()) == packet)
        var later = Epitope_V1_Evidence()
        (later.kind, later.detail) = (.UNRECOGNIZED(99), "c")
        wire.furtherEvidence.append(later)
        #expect(try ExtractedPacket(wire) == packet)
        wire.furtherEvidence = Array(repeating: later, count: 17)
        #expect(throws: EpitopeError.self) { try ExtractedPacket(wire) }
    }
}

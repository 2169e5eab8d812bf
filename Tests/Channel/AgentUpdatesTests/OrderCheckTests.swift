// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import AgentUpdates
@testable import SecureChannel

/// Which orders of a version a host follows, and by which code the others are refused.
@Suite struct OrderCheckTests {
    private let folder: TemporaryFolder
    private let site: Signer
    private let stranger: Signer

    init() throws {
        folder = try TemporaryFolder()
        site = try Signer(in: folder.path)
        stranger = try Signer(in: folder.path, site: "site-2")
    }

    private func refusal(_ signed: SignedManifest, running: String = "1.0.0", highest: Int64 = 10) async -> String? {
        await code {
            // As it comes over the network.
            try OrderCheck.require(
                SignedManifest(text: signed.text), trusted: [site.authority.certificate], running: AgentVersion(running), highest: highest)
        }
    }

    @Test func `an order that the authority signed is followed`() async throws {
        #expect(await refusal(try site.sign(MadeVersion("1.0.1", number: 11).manifest)) == nil)
        #expect(await refusal(try site.sign(MadeVersion("1.0.0", number: 11).manifest)) == nil)
    }

    @Test func `an unsigned one is refused`() async throws {
        #expect(await refusal(SignedManifest(try MadeVersion("1.0.1", number: 11).manifest, signatures: [])) == "agent-unsigned")
    }

    @Test func `one of another authority is refused, also under this one's name`() async throws {
        let manifest = try MadeVersion("1.0.1", number: 11).manifest
        let foreign = try stranger.sign(manifest)
        #expect(await refusal(foreign) == "agent-foreign")
        let posing = foreign.signatures.map {
            ManifestSignature(authority: Hex.encode(site.authority.fingerprint), signature: $0.signature)
        }
        #expect(await refusal(SignedManifest(manifest, signatures: posing)) == "agent-signature-wrong")
    }

    @Test func `what was changed since it was signed is refused`() async throws {
        let signed = try site.sign(MadeVersion("1.0.1", number: 11).manifest)
        var other = signed.manifest
        other.files[1].sha256 = String(repeating: "0", count: 64)
        #expect(await refusal(SignedManifest(other, signatures: signed.signatures)) == "agent-signature-wrong")
        other = signed.manifest
        other.number += 1
        #expect(await refusal(SignedManifest(other, signatures: signed.signatures)) == "agent-signature-wrong")
    }

    @Test func `an earlier order is refused when it comes again`() async throws {
        let signed = try site.sign(MadeVersion("1.0.1", number: 11).manifest)
        #expect(await refusal(signed, highest: 11) == "agent-replayed")
        #expect(await refusal(signed, highest: 12) == "agent-replayed")
        // A way back is no way around that.
        #expect(await refusal(try site.sign(MadeVersion("0.9.0", number: 9, kind: .back).manifest)) == "agent-replayed")
    }

    @Test func `an earlier version is run only where an operator signed the way back`() async throws {
        #expect(await refusal(try site.sign(MadeVersion("0.9.0", number: 11).manifest)) == "agent-downgrade")
        #expect(await refusal(try site.sign(MadeVersion("1.0.0-beta.2", number: 11).manifest)) == "agent-downgrade")
        #expect(await refusal(try site.sign(MadeVersion("0.9.0", number: 11, kind: .back).manifest)) == nil)
    }

    @Test func `one for another architecture is refused`() async throws {
        let other = AgentArchitecture.allCases.first { $0 != .current }
        let signed = try site.sign(MadeVersion("1.0.1", number: 11, architecture: try #require(other)).manifest)
        #expect(await refusal(signed) == "agent-of-another-architecture")
    }

    @Test func `an authority that follows another counts from when a host trusts it`() async throws {
        let manifest = try MadeVersion("1.0.1", number: 11).manifest
        let both = SignedManifest(manifest, signatures: try site.sign(manifest).signatures + stranger.sign(manifest).signatures)
        for trusted in [[site], [stranger], [stranger, site]] {
            #expect(try both.verify(by: trusted.map(\.authority.certificate)) == trusted[0].authority.certificate)
        }
    }

    @Test func `a manifest has one text`() async throws {
        let text = try MadeVersion("1.0.1", number: 11).manifest.text
        #expect(try AgentManifest(text: text).text == text)
        let changes = [
            text + "extra line\n", String(text.dropLast()), text.replacing("number 11", with: "number 011"),
            text.replacing("number 11", with: "number +11"), text.replacing("kind update", with: "kind Update"),
            text.replacing("epitope-agent-manifest 1", with: "epitope-agent-manifest 2"),
            text.replacing("file epitope ", with: "file ../epitope "),
            text.replacing("\n", with: "\r\n"), text.replacing("version 1.0.1", with: "version 1.0"), "", "\n",
        ]
        for change in changes {
            #expect(await code { _ = try AgentManifest(text: change) } == "agent-manifest-malformed", "\(change)")
        }
        for change in ["signature x y\n", "signature \(String(repeating: "a", count: 64))\n", "anything\n"] {
            #expect(await code { _ = try SignedManifest(text: text + change) } == "agent-manifest-malformed", "\(change)")
        }
    }

    @Test func `versions are in order`() {
        let ordered = [
            "0.9.9", "0.10.0-alpha", "0.10.0-alpha.1", "0.10.0-alpha.2", "0.10.0-alpha.10", "0.10.0-beta", "0.10.0", "0.10.1", "1.0.0",
        ]
        let versions = ordered.compactMap { AgentVersion($0) }
        #expect(versions.map(\.description) == ordered)
        #expect(versions.sorted() == versions)
        for text in ["", "1", "1.0", "01.0.0", "1.0.0.0", "1.0.-1", "1.0.0-", "1.0.0-a..b", "1.0.0 ", "1.0.0-ä", "1.0.4294967296"] {
            #expect(AgentVersion(text) == nil, "\(text)")
        }
    }
}

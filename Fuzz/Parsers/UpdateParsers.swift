// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PacketCoding
import Rendering
import Signatures
import TestSupport

extension FuzzParser {
    /// The messages of centers. Every decoder parses every input.
    static let updates = FuzzParser(
        name: "updates", what: "updates, lists of them, forwards, receipts, error bodies on the wire",
        seeds: { _ in
            let updates = SignatureSeeds.updates
            let withdrawal = FeedEntry(
                position: FeedPosition(sequence: 1000, mark: 7),
                change: .withdrawal(.init(signatureID: SignatureSeeds.signatures[0].id, reason: "a false alarm")))
            let list = SequencedUpdates(
                FeedPage(entries: updates.enumerated().map { FeedEntry(sequence: Int64($0) + 1, update: $1) } + [withdrawal]))
            let forward = ForwardedPacket(packet: Samples.packet(), reporter: "host-1", signature: SignatureSeeds.signatures[0])
            let receipt = Receipt(id: Samples.packet().id, storedMilliseconds: 1_700_000_000_000, wasKnown: true)
            let error = EpitopeError(.packetMalformed, "the packet is malformed", remedy: "send another")
            return updates.map { $0.encoded() } + [list.encoded(), forward.encoded(), receipt.encoded(), error.encoded()]
        },
        run: { input, _ in
            var refusal: EpitopeError?
            var accepted = false
            func take(_ read: () throws(EpitopeError) -> Void) {
                do {
                    try read()
                    accepted = true
                } catch { refusal = refusal ?? error }
            }
            take { () throws(EpitopeError) in try use(try SignatureUpdate(encoded: input)) }
            take { () throws(EpitopeError) in
                let list = try SequencedUpdates(encoded: input)
                let isReadable = list.page.entries.allSatisfy { if case .unreadable = $0.change { false } else { true } }
                guard try SequencedUpdates(encoded: list.encoded()) == list || !isReadable else {
                    broken("a list is another after the wire")
                }
                for entry in list.page.entries {
                    if case .update(let update) = entry.change { try use(update) }
                }
            }
            take { () throws(EpitopeError) in
                let forward = try ForwardedPacket(encoded: input)
                guard try ForwardedPacket(encoded: forward.encoded()) == forward else { broken("a forward is another after the wire") }
            }
            take { () throws(EpitopeError) in
                let receipt = try Receipt(encoded: input)
                guard try Receipt(encoded: receipt.encoded()) == receipt else { broken("a receipt is another after the wire") }
            }
            take { () throws(EpitopeError) in
                let error = try EpitopeError(encoded: input)
                guard try EpitopeError(encoded: error.encoded()) == error else { broken("an error is another after the wire") }
            }
            if !accepted, let refusal { throw refusal }
        })

    /// Updates as JSON, from feeds and files.
    static let updatesJSON = FuzzParser(
        name: "updates-json", what: "updates and numbered updates as JSON, rendered", dictionary: JSONWords.all,
        seeds: { _ in
            try SignatureSeeds.updates.map { try SignatureSeeds.json($0) }
                + SignatureSeeds.updates.map { try SignatureSeeds.json(FeedEntry(sequence: 3, update: $0)) }
        },
        run: { input, _ in
            let decoder = JSONDecoder()
            if let numbered = try? decoder.decode(FeedEntry.self, from: Data(input)) {
                if let update = numbered.update { render(update) }
            } else {
                render(try decoder.decode(SignatureUpdate.self, from: Data(input)))
            }
        })

    private static func use(_ update: SignatureUpdate) throws(EpitopeError) {
        guard try SignatureUpdate(encoded: update.encoded()) == update else { broken("an update is another after the wire") }
        render(update)
    }

    /// Renders with the update's revision, times and origin. A rejection is as good as a rule.
    private static func render(_ update: SignatureUpdate) {
        let numbered = RuleAssignment(sid: SIDRange.all.lowerBound, update: update)
        _ = try? SuricataRule(RuleInput(numbered), action: .drop)
        for language in RuleLanguage.allCases { _ = try? language.rendering.render(RuleInput(numbered)) }
    }
}

// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd
import PacketCoding
import Signatures

/// `show`: one packet, or one signature.
struct CenterShowCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "show", abstract: "Show a packet in the center's store, or a signature with its proof.",
            discussion: """
                An id may be cut short: its first digits, at least four, are enough where nothing else begins with them. With --json a \
                packet is what `epitope packet show` and `epitope extract` read.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Argument(help: "The id of a packet or signature, as in `events` and `status`, or its first digits.")
    var id: String

    @Flag(help: "Of a packet, show the signatures of its cluster instead, each with its proof.")
    var proof = false

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let store = try stateOptions.openStore()
        switch try await store.identifier(id, in: Kind.name) {
        case .packet(let id) where proof:
            let updates = try await store.updates(ofPacket: id)
            if updates.isEmpty, !json { Console.print("no signature was made of the packet's cluster yet") }
            try show(updates)
            if let reason = try await store.waitingReason(ofPacket: id) { Console.log("note: it is not published, for it \(reason)") }
        case .packet(let id):
            let packet = try await store.packet(id: id)
            Console.print(json ? Console.printable(json: packet.json(pretty: true)) : try PacketText(packet).text)
        case .signature(let id): try show(try await store.updates(ofSignature: id))
        }
    }

    private func show(_ updates: [SignatureUpdate]) throws {
        guard !json else { return Console.print(try Console.json(updates)) }
        for (number, update) in updates.enumerated() {
            if number > 0 { Console.print("") }
            Console.print(Self.text(of: update))
        }
    }

    private static func text(of update: SignatureUpdate) -> String {
        let signature = update.signature
        let rows =
            [
                ["signature", signature.id], ["revision", "\(update.revision)"],
                ["made at", Console.time(Double(update.createdMilliseconds))],
            ]
            + signature.tokens.enumerated().map { ["token \($0 + 1)", $1.pattern] } + [["rests on", update.support?.summary ?? "-"]]
        let checks = update.proof.checks.map { [$0.name.rawValue, $0.outcome.rawValue, $0.detail] }
        return Console.table(rows) + "\n" + Console.table([["check", "outcome", "detail"]] + checks)
    }
}

extension CenterStore {
    /// What an id, or the beginning of one, names.
    ///
    /// - Throws: `packet-not-found`, `id-ambiguous`.
    func identifier(_ text: String, in kind: String) async throws(EpitopeError) -> KnownIdentifier {
        let typed = text.lowercased()
        let most = 5
        let found = typed.count < 4 ? [] : try await identifiers(beginningWith: typed, limit: most)
        if let whole = found.first(where: { $0.id == typed }) ?? (found.count == 1 ? found.first : nil) { return whole }
        guard found.isEmpty else {
            throw EpitopeError(
                .idAmbiguous,
                "'\(text)' is the beginning of \(found.count >= most ? "\(most) ids or more" : "\(found.count) ids"): \(found.map(\.id).joined(separator: ", "))",
                remedy: "give more digits")
        }
        throw EpitopeError(
            .packetNotFound, "this center has no packet and no signature \(text)",
            remedy: "give an id, or at least its first four digits, as `epitope \(kind) events` and `status` show them; packets older than "
                + "the setting keepDays are removed")
    }
}

extension EpitopeError.Code {
    /// What was given as the beginning of an id is that of several.
    static let idAmbiguous = EpitopeError.Code("id-ambiguous")
}

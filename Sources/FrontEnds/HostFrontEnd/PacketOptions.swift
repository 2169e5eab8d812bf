// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import BehaviourBlocking
package import EpitopeModel
package import HostStore
public import Novelty
import Signatures

/// Options of the packets that are made of detections, and where they are sent.
package struct PacketOptions: ParsableArguments {
    /// Which centers a host sends to.
    package enum SendTo: String, CaseIterable, ExpressibleByArgument {
        case local
        case global
        case both

        package var destinations: [Destination] {
            switch self {
            case .local: [.local]
            case .global: [.global]
            case .both: [.local, .global]
            }
        }
    }

    @Option(help: "Where to send packets: to the local center, the global center or both.")
    package var sendTo: SendTo = .local

    @Flag(help: "Send the bytes that end at the caller's address (--signature-bytes) instead of the code.")
    package var signatureOnHost = false

    @Option(
        parsing: .unconditional,
        help: "The size of the signature that this host makes, in bytes (8 to 256): with --signature-on-host, or beyond the link's budget.")
    package var signatureBytes = CallerWindow.length

    @Option(
        help: """
            How the signature of --signature-on-host is chosen: caller (the bytes that end at the caller's address), or unique (those nearest \
            to it that no image of the process holds, and no file of --goodware).
            """)
    package var hostSignature: HostSignature = .caller

    @Option(
        help: """
            Where code is taken out of what was read, and the signature of --signature-on-host is chosen: host; auto (what this host can't find \
            out is left to the center, with the code); or center (--max-code and --snippet-side don't apply).
            """)
    package var extractAt: ExtractionPlace = .auto

    @Option(help: ArgumentHelp("With unique: a small goodware index, as `epitope goodware build` makes it.", valueName: "file"))
    package var goodware: String?

    @Option(parsing: .unconditional, help: "How many packets this host sends in 24 hours.")
    package var packetsPerDay = DailyQuota.defaultLimit

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How many bytes of packets go to the centers within a second; beyond it a snippet of the code goes, or the signature alone.",
            valueName: "bytes"))
    package var linkPerSecond: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("The same within a day (UTC).", valueName: "bytes"))
    package var linkPerDay: Int?

    @Option(help: "What must match an earlier packet for a duplicate: both (code and parameters), parameters, code or either.")
    package var duplicateWhen: NoveltyPolicy.Criteria = .both

    @Option(help: "How it must match: exact or near.")
    package var matching: NoveltyPolicy.Matching = .exact

    @Option(parsing: .unconditional, help: "With near: the maximum distance of code, from 0 (the same) to 1.")
    package var codeDistance = NoveltyPolicy.defaultCodeDistance

    @Option(parsing: .unconditional, help: "With near: how many parameters may differ.")
    package var parameterDistance = NoveltyPolicy.defaultParameterDistance

    package init() {}

    package func validate() throws {
        guard goodware == nil || hostSignature == .unique else { throw ValidationError("--goodware needs --host-signature unique") }
        guard goodware == nil || extractAt != .center else {
            throw ValidationError("--goodware is this host's: with --extract-at center the center asks its own")
        }
        guard packetsPerDay >= 0 else { throw ValidationError("--packets-per-day takes 0 or more") }
        guard CallerWindow.lengths.contains(signatureBytes) else {
            throw ValidationError("--signature-bytes takes \(CallerWindow.lengths.lowerBound) to \(CallerWindow.lengths.upperBound)")
        }
        for (name, bytes) in [("--link-per-second", linkPerSecond), ("--link-per-day", linkPerDay)] where bytes.map({ $0 < 0 }) == true {
            throw ValidationError("\(name) takes 0 or more")
        }
        guard (0...1).contains(codeDistance) else { throw ValidationError("--code-distance takes 0 to 1") }
        guard parameterDistance >= 0 else { throw ValidationError("--parameter-distance takes 0 or more") }
    }

    package var storeSettings: HostStoreSettings {
        HostStoreSettings(
            novelty: NoveltyPolicy(
                criteria: duplicateWhen, matching: matching, codeDistance: codeDistance,
                parameterDistance: parameterDistance),
            quota: DailyQuota(limit: packetsPerDay), link: LinkBudget(bytesPerSecond: linkPerSecond, bytesPerDay: linkPerDay),
            signatureBytes: signatureBytes)
    }
}

extension HostSignature: ExpressibleByArgument {}
extension ExtractionPlace: ExpressibleByArgument {}
extension NoveltyPolicy.Criteria: ExpressibleByArgument {}
extension NoveltyPolicy.Matching: ExpressibleByArgument {}
extension Policy.Action: ExpressibleByArgument {}
extension Policy.Uninspectable: ExpressibleByArgument {}
extension Policy.OtherProcesses: ExpressibleByArgument {}
extension ExtractionMode: ExpressibleByArgument {}

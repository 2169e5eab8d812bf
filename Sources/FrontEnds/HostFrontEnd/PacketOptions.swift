// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import BehaviourBlocking
package import HostStore
public import Novelty

/// Options of what is made of a stalled call, and where it goes.
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

    @Option(help: "Which center packets go to: local, global or both.")
    package var sendTo: SendTo = .local

    @Flag(help: "Send the 32 bytes that end at the caller's address instead of the code.")
    package var signatureOnHost = false

    @Option(help: "Packets that this host sends in 24 hours.")
    package var packetsPerDay = DailyQuota.defaultLimit

    @Option(help: "A packet is a duplicate when these match an earlier one's: both, parameters, code or either.")
    package var duplicateWhen: NoveltyPolicy.Criteria = .both

    @Option(help: "How they match: exact or near.")
    package var matching: NoveltyPolicy.Matching = .exact

    @Option(help: "With near: the largest distance of code, 0 (the same) to 1.")
    package var codeDistance = NoveltyPolicy.defaultCodeDistance

    @Option(help: "With near: the most parameters that differ.")
    package var parameterDistance = NoveltyPolicy.defaultParameterDistance

    package init() {}

    package func validate() throws {
        guard packetsPerDay >= 0 else { throw ValidationError("--packets-per-day takes 0 or more") }
        guard (0...1).contains(codeDistance) else { throw ValidationError("--code-distance takes 0 to 1") }
        guard parameterDistance >= 0 else { throw ValidationError("--parameter-distance takes 0 or more") }
    }

    package var storeSettings: HostStoreSettings {
        HostStoreSettings(
            novelty: NoveltyPolicy(
                criteria: duplicateWhen, matching: matching, codeDistance: codeDistance,
                parameterDistance: parameterDistance),
            quota: DailyQuota(limit: packetsPerDay))
    }
}

extension NoveltyPolicy.Criteria: ExpressibleByArgument {}
extension NoveltyPolicy.Matching: ExpressibleByArgument {}
extension Policy.Action: ExpressibleByArgument {}
extension Policy.Uninspectable: ExpressibleByArgument {}
extension ExtractionMode: ExpressibleByArgument {}

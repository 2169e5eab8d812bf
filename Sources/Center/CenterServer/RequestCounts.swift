// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import EpitopeModel
import SecureChannel

/// Counts what becomes of requests.
struct RequestCounts: Sendable {
    let counters: CenterCounters

    /// Paths that are told apart: a sender can ask for any.
    private static let paths: Set<String> = [
        ChannelPath.packets, ChannelPath.offers, ChannelPath.withheld, ChannelPath.forwards, ChannelPath.forwardOffers, ChannelPath.updates,
        ChannelPath.enroll, ChannelPath.renew, ChannelPath.health, ChannelPath.agents, ChannelPath.agentManifest,
    ]

    func received(_ kind: MessageKind?, bytes: Int) {
        guard let kind else { return }
        counters.received.add(kind)
        counters.receivedBytes.add(Int64(bytes))
    }

    /// - Returns: the receipt.
    func acknowledged(_ kind: MessageKind, _ receipt: Receipt) -> Receipt {
        counters.acknowledged.add(kind)
        if receipt.wasKnown { counters.known.add(kind) }
        return receipt
    }

    func refused(_ path: String, _ error: EpitopeError) {
        let path = Self.paths.contains(path) ? path : "other"
        if error.code == .codeWanted { return counters.codeWanted.add() }
        if HTTPResponses.isDeferral(error.code) {
            counters.deferred.add(path, error.code.rawValue)
        } else {
            counters.refused.add(path, error.code.rawValue)
        }
    }
}

extension CenterEndpoint {
    /// What is sent to it; `nil`: nothing that is stored.
    var messageKind: MessageKind? {
        switch self {
        case .packets: .packet
        case .forwards: .forward
        case .publishing: .update
        case .subscriptions, .agents: nil
        }
    }
}

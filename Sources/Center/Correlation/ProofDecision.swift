// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Whether the signatures of a cluster that reached the threshold are to be made and proven now.
public enum ProofDecision: Hashable, Sendable {
    case notDue
    case due(Reason)

    /// How far the cluster's proof has come.
    public enum Progress: Hashable, Sendable {
        /// None was requested yet.
        case never
        /// Requested, and not made yet.
        case pending
        /// Made, when the cluster held that many packets.
        case made(packets: Int)
    }

    /// Why a proof is due.
    public enum Reason: Hashable, Sendable, CaseIterable {
        case first
        /// An update is due for its next revision.
        case renewal
        /// No signature in force matches the newest packet.
        case missedPacket
        /// No signature is in force, and the cluster has grown since the last attempt.
        case growth
    }

    /// - Parameters:
    ///   - latest: the latest update of each of the cluster's signatures.
    ///   - context: the context that the cluster's packets share now.
    ///   - newest: the code of the packet that came in now; `nil`: the evidence came without one.
    ///   - packets: counts the cluster's packets. It is called only where the decision depends on it, since it costs
    ///     a pass over them.
    public init(
        progress: Progress, latest: [UpdateDecision.Latest], context: SignatureContext, newest: [UInt8]?, nowMilliseconds: Int64,
        packets: () throws -> Int
    ) rethrows {
        let provenWith: Int
        switch progress {
        case .never:
            self = .due(.first)
            return
        case .pending:
            self = .notDue
            return
        case .made(let packets): provenWith = packets
        }
        let standing = latest.filter { $0.state == .standing }
        // An update that ended is made again only when no other signature of the cluster is in force.
        let renewable = latest.filter { $0.state == .standing || standing.isEmpty }
        if renewable.contains(where: { UpdateDecision.isDue(after: $0, context: context, nowMilliseconds: nowMilliseconds) }) {
            self = .due(.renewal)
        } else if !standing.isEmpty {
            let isMissed = newest.map { code in !standing.contains { $0.update.signature.matches(code) } } ?? false
            self = isMissed ? .due(.missedPacket) : .notDue
        } else {
            self = Self.growthStep(try packets()) > Self.growthStep(provenWith) ? .due(.growth) : .notDue
        }
    }

    /// How many of the sizes 1, 2, 5, 10, 20, 50, ... a cluster has reached. A cluster for which nothing could be
    /// proven is tried again at each of them, so that the attempts grow with the logarithm of its packets.
    static func growthStep(_ packets: Int) -> Int {
        var (step, size) = (0, 1)
        while size <= packets {
            step += 1
            // 1, 2, 5, 10: the middle one of three is followed by two and a half times as many.
            size = step % 3 == 2 ? size / 2 * 5 : size * 2
        }
        return step
    }
}

extension UpdateDecision {
    fileprivate static func isDue(after latest: Latest, context: SignatureContext, nowMilliseconds: Int64) -> Bool {
        // Where within its traffic a signature is searched, the next proof finds out.
        var latest = latest
        latest.update.signature.context = latest.update.signature.context.withoutBuffers
        return if case .make = UpdateDecision(latest: latest, context: context, nowMilliseconds: nowMilliseconds) { true } else { false }
    }
}

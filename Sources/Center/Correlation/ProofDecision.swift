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
        /// No signature is in force, and the cluster has grown since the last attempt: in packets, in reporters, or in packets of one of
        /// few reporters, whatever the others send.
        case growth
    }

    /// - Parameters:
    ///   - latest: the latest update of each of the cluster's signatures.
    ///   - context: the context that the cluster's packets share now.
    ///   - newest: the code of the packet that came in now; `nil`: the evidence came without one.
    ///   - newReporter: the number among the cluster's reporters of the one that joined them now; `nil`: that one was known.
    ///   - ownPackets: counts the packets of who reported now among the cluster's newest; 0 where the cluster has so many reporters that
    ///     they are no longer told apart. As `packets` it is called only where the decision depends on it.
    ///   - packets: counts the cluster's packets. It is called only where the decision depends on it, since it costs
    ///     a pass over them.
    public init(
        progress: Progress, latest: [UpdateDecision.Latest], context: SignatureContext, newest: [UInt8]?, nowMilliseconds: Int64,
        newReporter: Int? = nil, ownPackets: () throws -> Int = { 0 }, packets: () throws -> Int
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
        } else if try Self.growthStep(packets()) > Self.growthStep(provenWith) || newReporter.map(Self.isStep) ?? false {
            self = .due(.growth)
        } else {
            let own = newest == nil ? 0 : try ownPackets()
            self = Self.growthStep(own) > Self.growthStep(own - 1) ? .due(.growth) : .notDue
        }
    }

    /// Of a cluster's reporters so many are told apart: each has the cluster proven when it joins, and at each size that its own packets
    /// reach. Of more it is their number, so that the attempts grow with its logarithm.
    public static let maxVoices = 16

    private static func isStep(ofReporters number: Int) -> Bool {
        number <= maxVoices || growthStep(number) > growthStep(number - 1)
    }

    /// Whether a cluster for which nothing was proven has grown while that was tried, so that it is to be tried again.
    ///
    /// - Parameters:
    ///   - before: what the attempt began with.
    ///   - now: what there is.
    public static func isGrown(from before: Size, to now: Size) -> Bool {
        if growthStep(now.packets) > growthStep(before.packets) { return true }
        if now.reporters > before.reporters, (before.reporters + 1...now.reporters).contains(where: isStep) { return true }
        guard now.reporters <= maxVoices else { return false }
        return now.ofReporter.contains { growthStep($0.value) > growthStep(before.ofReporter[$0.key] ?? 0) }
    }

    /// How much a cluster holds.
    public struct Size: Hashable, Sendable {
        public var packets: Int
        public var reporters: Int
        /// The newest packets, by who sent them.
        public var ofReporter: [String: Int]

        public init(packets: Int, reporters: Int, ofReporter: [String: Int]) {
            self.packets = packets
            self.reporters = reporters
            self.ofReporter = ofReporter
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

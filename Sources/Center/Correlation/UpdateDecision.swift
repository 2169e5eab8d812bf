// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import Signatures

/// Whether a cluster that reached the threshold needs a new update.
public enum UpdateDecision: Hashable, Sendable {
    /// No update is needed; the reason, for a person.
    case none(String)
    case make(revision: Int)

    /// The state of the latest update of a signature.
    public enum LatestState: String, Hashable, Sendable, CaseIterable {
        case standing
        case unproven
        case refused
        case withdrawn
        case expired
    }

    /// The latest update of a signature, as far as the decision needs it.
    public struct Latest: Hashable, Sendable {
        public var update: SignatureUpdate
        public var state: LatestState

        public init(update: SignatureUpdate, state: LatestState) {
            self.update = update
            self.state = state
        }
    }

    /// - Parameters:
    ///   - latest: the latest update of the signature; `nil`: there is none.
    ///   - context: the context that the cluster's packets share now.
    public init(latest: Latest?, context: SignatureContext, nowMilliseconds: Int64) {
        guard let latest else {
            self = .make(revision: 1)
            return
        }
        let next = UpdateDecision.make(revision: latest.update.revision + 1)
        let isSameContext = latest.update.signature.context.covers(context)
        switch latest.state {
        case .withdrawn: self = .none("withdrawn by a person")
        // It would fail again: length and filler are the signature's own, and samples only grow.
        case .unproven: self = .none("unproven")
        case .refused: self = isSameContext ? .none("refused as it stands") : next
        case .expired: self = next
        case .standing:
            // An attack that continues renews its rule, at most once in half a lifetime.
            let created = latest.update.createdMilliseconds
            let isHalfAged = nowMilliseconds > created + (latest.update.expiresMilliseconds - created) / 2
            self = isSameContext && !isHalfAged ? .none("stands as revision \(latest.update.revision)") : next
        }
    }
}

extension SignatureUpdate {
    /// When the update ends, in milliseconds since 1970-01-01T00:00:00Z.
    public var expiresMilliseconds: Int64 {
        createdMilliseconds + Duration.days(max(0, min(lifetimeDays, Self.maxLifetimeDays))).inMilliseconds
    }

    /// The maximum lifetime that a center honours, in days: ten years.
    public static let maxLifetimeDays = 3650
}

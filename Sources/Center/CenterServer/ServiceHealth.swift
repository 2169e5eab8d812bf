// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import SecureChannel
import Synchronization

/// Which parts of a center's work fail now. A center serves whatever fails: what it has acknowledged is done later.
///
/// Anybody may ask a center for it, so it holds codes and no texts.
public final class ServiceHealth: Sendable {
    /// A part of a center's work.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable {
        /// Storing what comes in.
        case store
        /// Analysing it.
        case analysis
        /// The rules in the IDS.
        case ids
        /// What goes to the global center.
        case forwarding
        /// What comes from it.
        case subscription
        /// Signing the certificates of hosts that enrol or renew theirs.
        case key
    }

    private let failures = Mutex<[Part: EpitopeError.Code]>([:])

    public init() {}

    /// Says that a part failed.
    public func failed(_ part: Part, _ error: any Error) {
        let code = (error as? EpitopeError)?.code ?? .internalFailure
        failures.withLock { $0[part] = code }
    }

    /// Says that a part works.
    public func works(_ part: Part) {
        failures.withLock { _ = $0.removeValue(forKey: part) }
    }

    /// The code of the latest failure of each part that fails.
    public var problems: [Part: EpitopeError.Code] { failures.withLock { $0 } }

    /// Does something, and notes whether that worked. What a sender did wrong is no failure of the part.
    public func noting<Value: Sendable>(_ part: Part, _ work: () async throws -> Value) async throws -> Value {
        do {
            let value = try await work()
            works(part)
            return value
        } catch let error as EpitopeError where !Self.ownFailures.contains(error.code.rawValue) {
            throw error
        } catch {
            failed(part, error)
            throw error
        }
    }

    /// The codes of what is no sender's fault.
    static let ownFailures: Set<String> = [
        "store-failed", "store-refused", "store-unusable", "disk-full", "key-unavailable", "signing-rationed", "signing-refused",
    ]
}

/// The answer to a question for a center's health.
struct HealthAnswer: Encodable {
    /// `serving`, or `degraded`: it serves, and something of its work fails.
    var status: String
    /// The code of the failure by the part that fails.
    var problems: [String: String]

    init(_ health: ServiceHealth?) {
        problems = Dictionary(uniqueKeysWithValues: (health?.problems ?? [:]).map { ($0.rawValue, $1.rawValue) })
        status = problems.isEmpty ? "serving" : "degraded"
    }
}

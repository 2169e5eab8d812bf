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
        /// The authorities whose certificates count: those of this machine were retired on another one.
        case authority
        /// The settings: those in the files are refused, and the previous ones are in force.
        case settings
    }

    private struct Failure {
        var code: EpitopeError.Code
        var time: ContinuousClock.Instant
    }

    private let failures = Mutex<[Part: Failure]>([:])

    public init() {}

    /// Says that a part failed. In a task that was cancelled, as by a peer that left or by the center's end, nothing has: what was cut
    /// short comes as an error of whatever was under way.
    ///
    /// - Returns: whether it failed.
    @discardableResult
    public func failed(_ part: Part, _ error: any Error) -> Bool {
        guard !Task.isCancelled else { return false }
        let code = (error as? EpitopeError)?.code ?? .internalFailure
        failures.withLock { $0[part] = Failure(code: code, time: .now) }
        return true
    }

    /// Says that a part works.
    public func works(_ part: Part) {
        failures.withLock { _ = $0.removeValue(forKey: part) }
    }

    /// The code of the latest failure of each part that fails.
    public var problems: [Part: EpitopeError.Code] { failures.withLock { $0.mapValues(\.code) } }

    /// How long ago a part that fails failed last; `nil`: it doesn't fail.
    public func timeSinceFailure(of part: Part) -> Duration? { failures.withLock { $0[part].map { .now - $0.time } } }

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
        "authority-elsewhere",
    ]
}

/// The answer to a question for a center's health.
struct HealthAnswer: Encodable {
    /// `serving`, or `degraded`: it serves, and something of its work fails.
    var status: String
    /// The code of the failure by the part that fails.
    var problems: [String: String]
    /// For a peer that showed a certificate.
    var keepAlive: KeepAliveAdvice?
    /// The site's centers, for a peer that showed a certificate.
    var centers: [String]?
    /// Likewise.
    var authority: AuthorityNews?

    init(
        _ health: ServiceHealth?, keepAlive: KeepAliveAdvice? = nil, centers: [String]? = nil, authority: AuthorityNews? = nil
    ) {
        self.keepAlive = keepAlive
        self.centers = centers
        self.authority = authority
        problems = Dictionary(uniqueKeysWithValues: (health?.problems ?? [:]).map { ($0.rawValue, $1.rawValue) })
        status = problems.isEmpty ? "serving" : "degraded"
    }
}

// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What a person can have a center do about its updates. A command makes one of what was typed; whatever else people act by makes the same.
/// Each is carried out by ``CenterStore/perform(_:)``, in one transaction with its entries in the audit log.
public enum CenterAction: Hashable, Sendable {
    /// Takes updates out of force; no update of their signatures is made or taken again by itself.
    case withdraw(WithdrawalScope, reason: String)
    /// Lifts a signature's withdrawal.
    case reinstate(signatureID: String)
    /// Lets go out what waits for a person.
    case approve(signatureID: String)
    /// Withdraws what waits for a person.
    case reject(signatureID: String, reason: String)
    /// Keeps a signature's rule in force: it doesn't expire, is not demoted, and no other signature takes its place.
    case pin(signatureID: String, reason: String)
    case unpin(signatureID: String)
    /// Has a signature's update end in so many days from now.
    case setLifetime(signatureID: String, days: Int)
    /// Has nothing made a rule of something, and withdraws the rules that were made of it.
    case allow(Allowed, reason: String)
    case disallow(Allowed)
}

/// Which updates are withdrawn.
public enum WithdrawalScope: Hashable, Sendable {
    case signature(String)
    /// All of a cluster, by its number.
    case cluster(Int64)
    /// All that rest on a reporter's word alone; or also those that others speak for, too.
    case reporter(Identity, isWithShared: Bool)
}

/// Something that is no attack, whatever it looks like.
public enum Allowed: Hashable, Sendable {
    /// Code, by its SHA-256 in hexadecimal digits.
    case code(String)
    /// What the program at that path does, on any host.
    case executable(String)
    /// What that host reports.
    case host(String)
    case signature(String)

    /// Code as it is.
    public static func code(of bytes: [UInt8]) -> Allowed { .code(Allowances.hash(bytes)) }

    /// - Returns: `nil` for a kind that only a later version knows.
    init?(kind: String, value: String) {
        switch kind {
        case "code": self = .code(value)
        case "executable": self = .executable(value)
        case "host": self = .host(value)
        case "signature": self = .signature(value)
        default: return nil
        }
    }

    /// `code`, `executable`, `host` or `signature`.
    public var kind: String {
        switch self {
        case .code: "code"
        case .executable: "executable"
        case .host: "host"
        case .signature: "signature"
        }
    }

    /// The hash, path, name or id.
    public var value: String {
        switch self {
        case .code(let value), .executable(let value), .host(let value), .signature(let value): value
        }
    }
}

/// What an action did.
public struct ActionOutcome: Hashable, Sendable {
    /// The signatures whose updates it took out of force, or keeps from being made.
    public var withdrawn: [String] = []
    /// The signatures whose updates go out now, or are in force again.
    public var released: [String] = []
    /// Of a reporter's those that others speak for, too, and which stay.
    public var shared: [String] = []
    /// What the center learned, and what it did not, each in a sentence.
    public var learned: [String] = []

    init() {}
}

extension CenterStore {
    /// Carries out what a person asks for, in whose name the store acts (``acting(as:)``).
    ///
    /// - Throws: `signature-unknown`, `update-not-waiting`, `update-not-in-force`, `update-pinned`, `not-pinned`, `nothing-to-withdraw`,
    ///   `allowance-unknown`, `allowances-full`.
    public func perform(_ action: CenterAction) async throws(EpitopeError) -> ActionOutcome {
        try await transaction { try $0.perform(action) }
    }
}

extension StoreTransaction {
    fileprivate func perform(_ action: CenterAction) throws -> ActionOutcome {
        switch action {
        case .withdraw(let scope, let reason): try withdraw(scope, reason: reason)
        case .reinstate(let id): try reinstate(id)
        case .approve(let id): try approve(id)
        case .reject(let id, let reason): try reject(id, reason: reason)
        case .pin(let id, let reason): try pin(id, reason: reason)
        case .unpin(let id): try unpin(id)
        case .setLifetime(let id, let days): try setLifetime(of: id, days: days)
        case .allow(let allowed, let reason): try allow(allowed, reason: reason)
        case .disallow(let allowed): try disallow(allowed)
        }
    }
}

extension EpitopeError.Code {
    /// No update of that signature waits for a person.
    public static let updateNotWaiting = EpitopeError.Code("update-not-waiting")
    /// No rule of that signature is in force, or on its way.
    public static let updateNotInForce = EpitopeError.Code("update-not-in-force")
    /// The signature is pinned: it doesn't expire.
    public static let updatePinned = EpitopeError.Code("update-pinned")
    /// The signature is not pinned.
    public static let notPinned = EpitopeError.Code("not-pinned")
    /// There is nothing of that to be withdrawn.
    public static let nothingToWithdraw = EpitopeError.Code("nothing-to-withdraw")
    /// That is not allowed here.
    public static let allowanceUnknown = EpitopeError.Code("allowance-unknown")
    /// As much is allowed as may be.
    public static let allowancesFull = EpitopeError.Code("allowances-full")
}

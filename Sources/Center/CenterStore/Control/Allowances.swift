// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import GRDB
public import Signatures

/// Something that is allowed, as it stands in the store.
public struct Allowance: Hashable, Sendable, Codable {
    /// `code`, `executable`, `host` or `signature`.
    public var kind: String
    public var value: String
    public var reason: String
    /// Who allowed it.
    public var actor: String
    public var timeMilliseconds: Int64
}

/// What is allowed, as reports and signatures are compared with it.
public struct Allowances: Sendable {
    /// How much may be allowed.
    static let max = 4096

    private var reasons: [Allowed: String] = [:]
    private var code: [(hash: String, bytes: [UInt8])] = []
    private var unknownCode: Set<String> = []

    /// Whether nothing is.
    public var isEmpty: Bool { reasons.isEmpty }

    fileprivate init(_ rows: [Row]) {
        for row in rows {
            guard let allowed = Allowed(kind: row["kind"], value: row["value"]) else { continue }
            reasons[allowed] = row["reason"]
            guard case .code(let hash) = allowed else { continue }
            if let bytes = row["bytes"] as Data? { code.append((hash, Array(bytes))) } else { unknownCode.insert(hash) }
        }
    }

    /// What covers a packet, for a person; `nil`: nothing does.
    ///
    /// - Parameter reporter: who sent it, as evidence knows it.
    public func reason(for packet: ExtractedPacket, of reporter: String) -> String? {
        guard !isEmpty else { return nil }
        var asked: [Allowed] = []
        if !code.isEmpty || !unknownCode.isEmpty, case .code(let own) = packet.content { asked.append(.code(Self.hash(own.bytes))) }
        if let path = packet.parameters.process.executable?.path { asked.append(.executable(path)) }
        if reporter.hasPrefix("host:") { asked.append(.host(String(reporter.dropFirst(5)))) }
        return asked.lazy.compactMap { allowed in reasons[allowed].map { Self.text(allowed, $0) } }.first
    }

    /// The allowed code that a signature matches, for a person; `nil`: none, as far as the code is known.
    public func reason(for signature: Signature) -> String? {
        guard !code.isEmpty else { return nil }
        let matcher = SignatureMatcher(signature)
        return code.first { matcher.matches($0.bytes) }.map { Self.text(.code($0.hash), reasons[.code($0.hash)] ?? "") }
    }

    /// The hash of a packet's code, where it is allowed and what it is wasn't known yet.
    fileprivate func unknown(in packet: ExtractedPacket) -> String? {
        guard !unknownCode.isEmpty, case .code(let own) = packet.content else { return nil }
        let hash = Self.hash(own.bytes)
        return unknownCode.contains(hash) ? hash : nil
    }

    fileprivate func knows(_ allowed: Allowed) -> Bool {
        if case .code(let hash) = allowed { !unknownCode.contains(hash) } else { true }
    }

    static func hash(_ bytes: [UInt8]) -> String { Hex.encode(SHA256.hash(data: bytes)) }

    private static func text(_ allowed: Allowed, _ reason: String) -> String {
        "it is allowed, by the \(allowed.kind) \(allowed.value): \(reason)"
    }
}

extension CenterStore {
    /// What is allowed, the latest last.
    public func allowances() async throws(EpitopeError) -> [Allowance] {
        try await snapshot { transaction in
            try Row.fetchAll(
                transaction.db, sql: "SELECT kind, value, reason, actor, time_ms FROM allowances ORDER BY time_ms, kind, value"
            )
            .map {
                Allowance(
                    kind: $0["kind"], value: $0["value"], reason: $0["reason"], actor: $0["actor"], timeMilliseconds: $0["time_ms"])
            }
        }
    }
}

extension StoreTransaction {
    /// So many of a cluster's newest packets say what it is made of.
    private static let packetsAsked = 64

    /// What is allowed.
    public func allowances() throws -> Allowances {
        Allowances(try Row.fetchAll(db, sql: "SELECT kind, value, reason, bytes FROM allowances"))
    }

    /// Why no rule is to be made of a signature; `nil`: it may be.
    ///
    /// - Parameter cluster: whose packets it was made of; `nil`: of none that is known here.
    public func allowance(forbidding signature: Signature, of cluster: Int64?) throws -> String? {
        let allowances = try allowances()
        guard !allowances.isEmpty else { return nil }
        if let reason = allowances.reason(for: signature) { return reason }
        return try cluster.flatMap { try reason(for: $0, in: allowances) }
    }

    /// What covers all of a cluster's packets.
    private func reason(for cluster: Int64, in allowances: Allowances) throws -> String? {
        var found: String?
        for packet in try newestPacketsWithReporters(of: cluster, limit: Self.packetsAsked) {
            guard let body = try? self.packet(sequence: packet.sequence), let reason = allowances.reason(for: body, of: packet.reporter)
            else {
                return nil
            }
            found = found ?? reason
        }
        return found
    }

    /// Keeps the code of a report that is allowed, if it wasn't known yet: signatures that match it are no rules.
    public func learnAllowedCode(of packet: ExtractedPacket, in allowances: Allowances) throws {
        guard let hash = allowances.unknown(in: packet), case .code(let code) = packet.content else { return }
        try db.execute(
            sql: "UPDATE allowances SET bytes = ? WHERE kind = 'code' AND value = ? AND bytes IS NULL", arguments: [Data(code.bytes), hash])
    }

    func allow(_ allowed: Allowed, reason: String) throws -> ActionOutcome {
        let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM allowances") ?? 0
        guard count < Allowances.max else {
            throw EpitopeError(
                .allowancesFull, "\(count) things are allowed already, as many as may be",
                remedy: "remove what is not needed any more: `allowed --remove`")
        }
        try db.execute(
            sql: """
                INSERT INTO allowances (kind, value, reason, actor, time_ms, bytes) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (kind, value) DO UPDATE SET reason = excluded.reason, actor = excluded.actor, time_ms = excluded.time_ms
                """,
            arguments: [
                allowed.kind, allowed.value, reason, actor.text, nowMilliseconds, try knownCode(of: allowed).map { Data($0) },
            ])
        try record(.allowed, allowed.value, "\(allowed.kind): \(reason)")
        let allowances = try allowances()
        var covered = try signaturesInForce(coveredBy: allowances)
        if case .signature(let id) = allowed, !covered.contains(id), try withdrawalReason(of: id) == nil { covered.append(id) }
        var outcome = try withdrawForPerson(covered, reason: "allowed, by the \(allowed.kind) \(allowed.value): \(reason)")
        outcome.learned.insert(Self.lesson(allowed, isCodeKnown: allowances.knows(allowed)), at: 0)
        return outcome
    }

    private static func lesson(_ allowed: Allowed, isCodeKnown: Bool) -> String {
        switch allowed {
        case .code:
            "reports of that code count for nothing, and no signature that matches it becomes a rule"
                + (isCodeKnown ? "" : "; the center doesn't have the code yet: signatures that match it are held back once it has come")
        case .executable(let path): "reports of processes of \(path) count for nothing, whichever host they are of"
        case .host(let name): "what the host \(name) reports counts for nothing; it is stored as before"
        case .signature: "no update of that signature is made or taken"
        }
    }

    /// The code of a hash, where the center has it.
    private func knownCode(of allowed: Allowed) throws -> [UInt8]? {
        guard case .code(let hash) = allowed, let digest = Hex.decode(hash) else { return nil }
        if let bytes = try Data.fetchOne(db, sql: "SELECT bytes FROM bodies WHERE hash = ?", arguments: [Data(digest)]) {
            return Array(bytes)
        }
        let clusters = try Int64.fetchAll(
            db, sql: "SELECT DISTINCT cluster_id FROM updates WHERE state = \(UpdateState.proven.sql) AND cluster_id IS NOT NULL")
        for cluster in clusters {
            for packet in try newestPacketsWithReporters(of: cluster, limit: Self.packetsAsked) {
                guard case .code(let code)? = try? self.packet(sequence: packet.sequence).content, Allowances.hash(code.bytes) == hash
                else {
                    continue
                }
                return code.bytes
            }
        }
        return nil
    }

    /// The signatures in force, or on their way, that may not be rules any more.
    private func signaturesInForce(coveredBy allowances: Allowances) throws -> [String] {
        var clusters: [Int64: Bool] = [:]
        let rows = try Row.fetchAll(
            db, sql: "SELECT signature_id, cluster_id, body FROM updates WHERE state = \(UpdateState.proven.sql) ORDER BY id")
        var found: [String] = []
        for row in rows {
            let (id, cluster): (String, Int64?) = (row["signature_id"], row["cluster_id"])
            guard !found.contains(id), let update = try? RowCoding.value(SignatureUpdate.self, row["body"]) else { continue }
            var isCovered = allowances.reason(for: update.signature) != nil
            if !isCovered, let cluster {
                isCovered = try clusters[cluster] ?? (reason(for: cluster, in: allowances) != nil)
                clusters[cluster] = isCovered
            }
            if isCovered { found.append(id) }
        }
        return found
    }

    func disallow(_ allowed: Allowed) throws -> ActionOutcome {
        try db.execute(sql: "DELETE FROM allowances WHERE kind = ? AND value = ?", arguments: [allowed.kind, allowed.value])
        guard db.changesCount > 0 else {
            throw EpitopeError(
                .allowanceUnknown, "the \(allowed.kind) \(allowed.value) is not allowed here", remedy: "look up what is in `allowed`")
        }
        try record(.disallowed, allowed.value, allowed.kind)
        var outcome = ActionOutcome()
        outcome.learned = ["reports of it count again from now on; rules that were withdrawn for it stay so: `reinstate` puts one back"]
        return outcome
    }
}

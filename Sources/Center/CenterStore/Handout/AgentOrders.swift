// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import GRDB
public import SecureChannel

/// An order of a version, and how far it has spread.
public struct AgentOrder: Hashable, Sendable {
    public var signed: SignedManifest
    public var rollout: Rollout
    /// Why it is stopped.
    public var reason: String?
    public var madeMilliseconds: Int64

    /// Of the order: later ones have greater numbers.
    public var number: Int64 { signed.manifest.number }
    /// That hosts are to run.
    public var version: AgentVersion { signed.manifest.version }
}

/// What a host runs, as it last said.
public struct AgentHost: Hashable, Sendable {
    /// How the order fares that it was given last: as a host reports it, or that it has reported nothing.
    public enum State: String, Hashable, Sendable, StoredWord {
        /// It runs what it ran before.
        case waiting
        case given
        case well
        case returned
        case refused
    }

    public var name: String
    public var architecture: AgentArchitecture
    public var version: String
    /// The number of the order.
    public var about: Int64
    public var state: State
    public var seenMilliseconds: Int64
    public var detail: String
}

extension CenterStore {
    /// Orders kept of an architecture.
    static let maxAgentOrders = 16
    /// A host that has not asked for so long is not counted among those that an order is for.
    static let knownFor = Duration.days(1)
    /// That a host asks is noted so often.
    static let notedEach = Duration.seconds(600)
    /// One that has not asked for so long is forgotten.
    private static let keptFor = Duration.days(90)

    /// The number of the next order: later than all that the store knows of. It goes by the clock, so that a store that was put back from a
    /// backup doesn't use a number again that hosts have seen.
    public func nextAgentOrder(nowMilliseconds: Int64) async throws(EpitopeError) -> Int64 {
        let last = try await snapshot { try Int64.fetchOne($0.db, sql: "SELECT max(number) FROM agent_orders") }
        return max((last ?? 0) + 1, nowMilliseconds)
    }

    /// Orders a version. The order before ends.
    ///
    /// - Throws: `agent-unknown` where the version is not there, with these files.
    public func order(_ signed: SignedManifest, terms: Rollout.Terms, by person: String) async throws(EpitopeError) {
        let manifest = signed.manifest
        try await transaction { transaction in
            guard try transaction.agentVersion(manifest.version, manifest.architecture)?.files == manifest.files else {
                throw HandoutErrors.unknown("version \(manifest.version) for \(manifest.architecture.rawValue)")
            }
            guard try manifest.files.allSatisfy({ try transaction.missingParts(of: $0).isEmpty }) else {
                throw HandoutErrors.incomplete(manifest.version)
            }
            let db = transaction.db
            for (before, after) in [(Rollout.State.first, Rollout.State.replaced), (.rest, .former)] {
                try db.execute(
                    sql: "UPDATE agent_orders SET state = ? WHERE architecture = ? AND state = ?",
                    arguments: [after.rawValue, manifest.architecture.rawValue, before.rawValue])
            }
            try db.execute(
                sql: """
                    INSERT INTO agent_orders (number, architecture, version, signed, share, tolerated, well_seconds, report_seconds, state, made_ms)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    manifest.number, manifest.architecture.rawValue, manifest.version.description, signed.text, terms.share,
                    terms.tolerated,
                    terms.wellSeconds, terms.reportSeconds, Rollout.State.first.rawValue, transaction.nowMilliseconds,
                ])
            try db.execute(
                sql: """
                    DELETE FROM agent_orders WHERE architecture = ?1 AND number NOT IN
                      (SELECT number FROM agent_orders WHERE architecture = ?1 ORDER BY number DESC LIMIT \(Self.maxAgentOrders))
                    """, arguments: [manifest.architecture.rawValue])
            try transaction.record(
                .agentOrdered, manifest.version.description,
                "\(manifest.kind == .back ? "a way back, " : "")for \(manifest.architecture.rawValue), order \(manifest.number), \(terms.share) % of the hosts first, by \(person)"
            )
        }
    }

    /// Stops the order that is under way, or has all hosts get it.
    ///
    /// - Throws: `agent-unknown` where there is none.
    /// - Returns: the order.
    @discardableResult
    public func setRollout(of architecture: AgentArchitecture, to state: Rollout.State, by person: String) async throws(EpitopeError)
        -> AgentOrder
    {
        try await transaction { transaction in
            guard let order = try transaction.latestOrder(for: architecture) else {
                throw HandoutErrors.unknown("version for \(architecture.rawValue)")
            }
            try transaction.set(order.number, to: state, because: state == .stopped ? "by \(person)" : nil)
            if state == .rest {
                // Who has failed so far was looked at: that stops it no more.
                let counts = try transaction.counts(of: order, architecture)
                var terms = order.rollout.terms
                terms.tolerated = min(terms.tolerated + counts.failed + counts.silent, Rollout.Terms.tolerations.upperBound)
                try transaction.db.execute(
                    sql: "UPDATE agent_orders SET tolerated = ? WHERE number = ?", arguments: [terms.tolerated, order.number])
            }
            try transaction.record(
                state == .stopped ? .agentStopped : .agentOrdered, order.version.description,
                "order \(order.number) \(state == .stopped ? "is stopped" : "goes to all hosts"), by \(person)")
            return order
        }
    }

    /// The orders that are kept, the latest last.
    public func agentOrders() async throws(EpitopeError) -> [AgentOrder] {
        try await snapshot { transaction in
            try Row.fetchAll(transaction.db, sql: "SELECT * FROM agent_orders ORDER BY number").compactMap(AgentOrder.init)
        }
    }

    /// The hosts that ask for their version, by name.
    public func agentHosts() async throws(EpitopeError) -> [AgentHost] {
        try await snapshot { transaction in
            try Row.fetchAll(transaction.db, sql: "SELECT * FROM agent_hosts ORDER BY name").compactMap(AgentHost.init)
        }
    }

    /// Notes what a host says of the version that it runs, and decides which one it is to run.
    public func agentOrder(for host: String, after report: AgentReport) async throws(EpitopeError) -> AgentAnswer {
        guard let architecture = AgentArchitecture(rawValue: report.architecture) else { return AgentAnswer() }
        // Of thousands of hosts that ask each minute hardly one has news: that costs a look, and nothing is written.
        if try await snapshot({ try $0.hasNothingNew(of: host, report, architecture) }) { return AgentAnswer() }
        return try await transaction { transaction in
            try transaction.note(report, of: host)
            guard var order = try transaction.latestOrder(for: architecture) else { return AgentAnswer() }
            let counts = try transaction.counts(of: order, architecture)
            let (state, reason) = order.rollout.advanced(by: counts)
            if state != order.rollout.state {
                try transaction.set(order.number, to: state, because: reason)
                try transaction.record(
                    state == .stopped ? .agentStopped : .agentSpread, order.version.description,
                    "order \(order.number): " + (reason ?? "the first hosts are well, the rest get it"))
                order.rollout.state = state
            }
            // What it runs, or has given back, it is not told again.
            guard report.number < order.number, report.about < order.number else { return AgentAnswer() }
            let given = try transaction.isGiven(order.number, to: host)
            guard state != .stopped, given || order.rollout.admits(beside: counts) else { return AgentAnswer() }
            if !given { try transaction.give(order.number, to: host) }
            return AgentAnswer(order: order.signed.text, wellSeconds: order.rollout.terms.wellSeconds)
        }
    }

    /// What a machine gets that is new here: the latest order that has spread to all; else the latest that is not stopped. While an order
    /// is tried by the first hosts, a new one gets what the others run.
    ///
    /// - Throws: `agent-unknown`.
    public func installableAgent(for architecture: AgentArchitecture) async throws(EpitopeError) -> SignedManifest {
        let orders = try await agentOrders().filter { $0.signed.manifest.architecture == architecture }
        let versions = Set(try await agentVersions().filter { $0.architecture == architecture }.map(\.version))
        let usable = orders.filter { versions.contains($0.version) && $0.rollout.state != .stopped }
        guard let order = usable.last(where: { $0.rollout.state == .rest || $0.rollout.state == .former }) ?? usable.last else {
            throw HandoutErrors.unknown("version for \(architecture.rawValue)")
        }
        return order.signed
    }

    /// Forgets hosts that have not asked for long.
    public func pruneAgentHosts() async throws(EpitopeError) {
        try await transaction { transaction in
            try transaction.db.execute(
                sql: "DELETE FROM agent_hosts WHERE seen_ms < ?", arguments: [transaction.nowMilliseconds - Self.keptFor.inMilliseconds])
        }
    }
}

extension StoreTransaction {
    func latestOrder(for architecture: AgentArchitecture) throws -> AgentOrder? {
        try Row.fetchOne(
            db, sql: "SELECT * FROM agent_orders WHERE architecture = ? ORDER BY number DESC LIMIT 1", arguments: [architecture.rawValue]
        ).flatMap(AgentOrder.init)
    }

    fileprivate func set(_ number: Int64, to state: Rollout.State, because reason: String?) throws {
        try db.execute(sql: "UPDATE agent_orders SET state = ?, reason = ? WHERE number = ?", arguments: [state.rawValue, reason, number])
    }

    fileprivate func note(_ report: AgentReport, of host: String) throws {
        let before = try Row.fetchOne(db, sql: "SELECT about, state, version FROM agent_hosts WHERE name = ?", arguments: [host])
        let state = AgentHost.State(rawValue: report.state.rawValue) ?? .waiting
        let detail = [report.code.map { "[\($0)]" }, report.detail.map { RawPath.printable($0.utf8) }].compactMap(\.self).joined(
            separator: " ")
        guard let before else {
            return try db.execute(
                sql: """
                    INSERT INTO agent_hosts (name, architecture, version, about, state, given_ms, seen_ms, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    host, report.architecture, report.version, report.about, state.rawValue, nowMilliseconds, nowMilliseconds, detail,
                ])
        }
        // While it tries an order it says how it fares by the one before: that is no news of this one.
        let about = before["about"] as Int64
        let isNews = report.about == about ? before["state"] as String != state.rawValue : report.about > about
        try db.execute(
            sql: "UPDATE agent_hosts SET architecture = ?, version = ?, seen_ms = ? WHERE name = ?",
            arguments: [report.architecture, report.version, nowMilliseconds, host])
        let actor = AuditActor.peer(Identity(role: .host, name: host))
        // It gave back what it ran, after it had refused a later one: that is no news of the later one.
        if !isNews, report.state == .returned, report.about < about, before["version"] as String != report.version {
            return try record(
                .agentReturned, host, "from order \(report.about) to version \(report.version): \(detail)", by: actor)
        }
        guard isNews else { return }
        try db.execute(
            sql: "UPDATE agent_hosts SET about = ?, state = ?, detail = ? WHERE name = ?",
            arguments: [report.about, state.rawValue, detail, host])
        switch state {
        case .returned: try record(.agentReturned, host, "from order \(report.about) to version \(report.version): \(detail)", by: actor)
        case .refused: try record(.agentRefused, host, "order \(report.about): \(detail)", by: actor)
        case .well: try record(.agentUpdated, host, "version \(report.version) by order \(report.about)", by: actor)
        case .given, .waiting: break
        }
    }

    /// Whether a host says what it said before, and gets no other answer.
    fileprivate func hasNothingNew(of host: String, _ report: AgentReport, _ architecture: AgentArchitecture) throws -> Bool {
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT version, about, state, seen_ms FROM agent_hosts WHERE name = ? AND architecture = ?",
                arguments: [host, report.architecture]), row["version"] as String == report.version,
            row["about"] as Int64 == report.about, row["state"] as String == report.state.rawValue,
            (0..<CenterStore.notedEach.inMilliseconds).contains(nowMilliseconds - (row["seen_ms"] as Int64))
        else { return false }
        guard let order = try latestOrder(for: architecture) else { return true }
        let counts = try counts(of: order, architecture)
        guard order.rollout.advanced(by: counts).state == order.rollout.state else { return false }
        return report.number >= order.number || report.about >= order.number || !order.rollout.admits(beside: counts)
    }

    fileprivate func counts(of order: AgentOrder, _ architecture: AgentArchitecture) throws -> Rollout.Counts {
        var counts = Rollout.Counts(
            known: try Int.fetchOne(
                db, sql: "SELECT count(*) FROM agent_hosts WHERE architecture = ? AND seen_ms >= ?",
                arguments: [architecture.rawValue, nowMilliseconds - CenterStore.knownFor.inMilliseconds]) ?? 0)
        let silentBefore = nowMilliseconds - Int64(order.rollout.terms.reportSeconds) * 1000
        for row in try Row.fetchAll(
            db,
            sql: """
                SELECT state, count(*) AS hosts, sum(CASE WHEN given_ms < ? THEN 1 ELSE 0 END) AS overdue FROM agent_hosts WHERE about = ?
                GROUP BY state
                """,
            arguments: [silentBefore, order.number])
        {
            let hosts = row["hosts"] as Int
            switch AgentHost.State(rawValue: row["state"]) {
            case .well: counts.well += hosts
            case .returned, .refused: counts.failed += hosts
            case .given: counts.silent += Int(row["overdue"] as Int64)
            case .waiting, nil: continue
            }
            counts.given += hosts
        }
        return counts
    }

    fileprivate func isGiven(_ number: Int64, to host: String) throws -> Bool {
        try Int64.fetchOne(db, sql: "SELECT about FROM agent_hosts WHERE name = ?", arguments: [host]) == number
    }

    fileprivate func give(_ number: Int64, to host: String) throws {
        try db.execute(
            sql: "UPDATE agent_hosts SET about = ?, state = ?, given_ms = ?, detail = '' WHERE name = ?",
            arguments: [number, AgentHost.State.given.rawValue, nowMilliseconds, host])
    }
}

extension AgentOrder {
    /// - Returns: `nil` for a row that only a later version understands.
    fileprivate init?(_ row: Row) {
        guard let signed = try? SignedManifest(text: row["signed"]), let state = Rollout.State(rawValue: row["state"]) else { return nil }
        self.init(
            signed: signed,
            rollout: Rollout(
                state: state,
                terms: Rollout.Terms(
                    share: row["share"], tolerated: row["tolerated"], wellSeconds: row["well_seconds"], reportSeconds: row["report_seconds"]
                )),
            reason: row["reason"], madeMilliseconds: row["made_ms"])
    }
}

extension AgentHost {
    /// - Returns: `nil` for a row that only a later version understands.
    fileprivate init?(_ row: Row) {
        guard let architecture = AgentArchitecture(rawValue: row["architecture"]), let state = State(rawValue: row["state"]) else {
            return nil
        }
        self.init(
            name: row["name"], architecture: architecture, version: row["version"], about: row["about"], state: state,
            seenMilliseconds: row["seen_ms"], detail: row["detail"])
    }
}

// SPDX-License-Identifier: Apache-2.0

import Correlation
public import EpitopeModel
import GRDB
import Synchronization

extension CenterStore {
    /// Notes the network that a site, or a host, reports from. What is known costs nothing.
    ///
    /// - Parameter address: the IP address; anything else is no network.
    public func noteSource(of peer: Identity, address: String) async throws(EpitopeError) {
        guard let network = IPAddress(address).map({ IPNetwork.site(of: $0).description }) else { return }
        knownSources.note(network, of: peer)
        guard !knownSources.contains(network, of: peer) else { return }
        let isSettled = try await snapshot { try $0.isSettled(network, of: peer) }
        if !isSettled { try await transaction { try $0.note(network, of: peer) } }
        knownSources.add(network, of: peer)
    }

    /// Trusts a site, or a host, or no longer: what a trusted one reports is published on its word alone. What waited for that is made
    /// and published as soon as the center looks.
    ///
    /// - Parameter person: who decides it, for the audit trail.
    /// - Returns: how many attacks that it reported waited.
    @discardableResult
    public func setTrust(in peer: Identity, to isTrusted: Bool, by person: String) async throws(EpitopeError) -> Int {
        try await transaction { transaction in
            guard try transaction.setTrust(in: peer, to: isTrusted) else { return 0 }
            try transaction.record(isTrusted ? .trusted : .distrusted, peer.name, "the \(peer.role.rawValue), by \(person)")
            return isTrusted ? try transaction.releaseProofs(reportedBy: peer.reporter) : 0
        }
    }
}

/// The networks of reporters that the store has, so that a message of a known one asks it for nothing.
final class KnownSources: Sendable {
    private struct Source: Hashable {
        var network: String
        var peer: Identity
    }

    /// Some 100 bytes each.
    private static let max = 65_536

    private let sources = Mutex<Set<Source>>([])
    /// Where each was last seen.
    private let last = Mutex<[Identity: String]>([:])

    /// Notes where a message comes from that is about to be received.
    func note(_ network: String, of peer: Identity) {
        last.withLock { last in
            if last.count >= Self.max { last.removeAll() }
            last[peer] = network
        }
    }

    /// The network that the latest message of somebody came from; `nil`: nobody says.
    func latest(of peer: Identity) -> String? { last.withLock { $0[peer] } }

    func contains(_ network: String, of peer: Identity) -> Bool { sources.withLock { $0.contains(Source(network: network, peer: peer)) } }

    func add(_ network: String, of peer: Identity) {
        sources.withLock { sources in
            if sources.count >= Self.max { sources.removeAll() }
            sources.insert(Source(network: network, peer: peer))
        }
    }
}

extension StoreTransaction {
    /// Of one reporter. More would make it independent of fewer others: nobody gains by it.
    private static let maxNetworks = 16

    fileprivate func isSettled(_ network: String, of peer: Identity) throws -> Bool {
        let networks = try networks(of: peer)
        return networks.contains(network) || networks.count >= Self.maxNetworks
    }

    fileprivate func note(_ network: String, of peer: Identity) throws {
        guard try !isSettled(network, of: peer) else { return }
        let networks = try networks(of: peer) + [network]
        try db.execute(
            sql: "INSERT INTO peers (reporter, networks) VALUES (?, ?) ON CONFLICT (reporter) DO UPDATE SET networks = excluded.networks",
            arguments: [peer.reporter, networks.joined(separator: " ")])
    }

    private func networks(of peer: Identity) throws -> [String] {
        let select = try db.cachedStatement(sql: "SELECT networks FROM peers WHERE reporter = ?")
        return try String.fetchOne(select, arguments: [peer.reporter]).map(StatusReport.Peer.networks) ?? []
    }

    /// The first network that a reporter was seen from; `nil`: none is known.
    public func firstNetwork(of reporter: String) throws -> String? {
        let select = try db.cachedStatement(sql: "SELECT networks FROM peers WHERE reporter = ?")
        return try String.fetchOne(select, arguments: [reporter]).flatMap { StatusReport.Peer.networks($0).first }
    }

    /// - Returns: whether that is a change.
    func setTrust(in peer: Identity, to isTrusted: Bool) throws -> Bool {
        let isNow = try Bool.fetchOne(db, sql: "SELECT is_trusted FROM peers WHERE reporter = ?", arguments: [peer.reporter]) ?? false
        guard isNow != isTrusted else { return false }
        try db.execute(
            sql:
                "INSERT INTO peers (reporter, is_trusted) VALUES (?, ?) ON CONFLICT (reporter) DO UPDATE SET is_trusted = excluded.is_trusted",
            arguments: [peer.reporter, isTrusted])
        return true
    }
}

// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Finds the cluster that a new packet belongs to, at a cost that depends on the packet's length alone, in memory that is bounded
/// whatever comes in.
///
/// Two packets are similar when their caller windows are equal, or when the later one's code contains the signature of
/// the earlier one's cluster: the same attack caught at another call, or behind another prologue. Of several clusters
/// that match, the oldest takes the packet, so the answer doesn't depend on the order in which clusters were loaded.
/// A cluster may have more signatures than its own: those that were made of its packets.
///
/// The first eight bytes of each signature's longest fixed run are the key of a table; a packet's code is looked up at each offset.
///
/// A cluster that one reporter alone brought counts towards that reporter's share, and gives way to its next ones: who sends ever
/// new code displaces nothing but that. What is no longer here is found by its window in the store.
public struct ClusterIndex: Sendable {
    /// How much an index holds.
    public struct Limits: Hashable, Sendable {
        /// Of all reporters; the oldest gives way.
        public var clusters = 32_768
        /// Of one reporter alone.
        public var clustersOfReporter = 256
        /// Under one key, and without a key; the newest's reporter's own gives way, then what another reporter alone brought, then the
        /// oldest.
        public var clustersOfKey = 64
        /// What one packet is compared with.
        public var candidates = 256

        public init() {}
    }

    private struct Entry {
        var signatures: [Signature] = []
        var ids: [String] = []
        var keys: [UInt64?] = []
        var parts: [SignatureContext] = []
        var soleReporter: String?
    }

    /// The bytes of a signature's longest fixed run that it is filed under.
    private static let keyLength = 8
    /// In bytes, of each part of a context: how many of its newest clusters are known.
    private static let newestOfContext = 16

    private let limits: Limits
    private var entries: [Int64: Entry] = [:]
    private var exact: [String: Int64] = [:]
    /// By key; `nil` for signatures without a fixed run as long as a key, which are tried one by one.
    private var filed: [UInt64?: [Int64]] = [:]
    /// The keys of ``filed``.
    private var keys = KeyFilter()
    /// The newest clusters of each part of a context but the empty one, newest last.
    private var ofContext: [SignatureContext: [Int64]] = [:]
    /// The clusters in the order in which they came; those that are gone stay in it for a while.
    private var order: [Int64] = []
    private var ofReporter: [String: [Int64]] = [:]

    public init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    /// How many clusters are in memory.
    public var count: Int { entries.count }

    /// Adds a cluster, or another signature of it. Only a signature that passes its checks takes part in near
    /// matching: filler bytes would draw unrelated packets together.
    ///
    /// - Parameter soleReporter: who alone brought the cluster; `nil`: several did.
    public mutating func add(cluster: Int64, signature: Signature, soleReporter: String? = nil) {
        if entries[cluster] == nil { insert(cluster, soleReporter) }
        guard entries[cluster]?.ids.contains(signature.id) != true else { return }
        entries[cluster]?.ids.append(signature.id)
        exact[signature.id] = min(exact[signature.id] ?? cluster, cluster)
        for part in signature.context.parts where part != .any { note(cluster, of: part) }
        guard signature.isWellFormed, signature.isSubstantial else { return }
        entries[cluster]?.signatures.append(signature)
        let key = Self.key(of: signature)
        entries[cluster]?.keys.append(key)
        if let key, filed[key] == nil { keys.add(key) }
        filed[key, default: []].append(cluster)
        makeRoom(under: key)
    }

    /// Says that others reported a cluster, too: it is no longer part of anybody's share.
    public mutating func share(_ cluster: Int64) {
        guard let reporter = entries[cluster]?.soleReporter else { return }
        entries[cluster]?.soleReporter = nil
        ofReporter[reporter]?.removeAll { $0 == cluster }
    }

    /// The cluster that a packet with this signature and code belongs to; `nil`: none, it is the first of its kind.
    ///
    /// - Parameter sample: the packet's code, or its caller window where only that was sent.
    public func cluster(for signature: Signature, sample: [UInt8]) -> Int64? {
        exact(signature) ?? nearest(to: sample)
    }

    /// The cluster with this very signature.
    public func exact(_ signature: Signature) -> Int64? { exact[signature.id] }

    /// The newest clusters of packets that came in one of the same ways, newest first; none for an empty context.
    ///
    /// - Parameter limit: at most 16.
    public func newest(of context: SignatureContext, limit: Int) -> [Int64] {
        let found = context.parts.reduce(into: Set<Int64>()) { $0.formUnion((ofContext[$1] ?? []).suffix(limit)) }
        // Clusters are numbered in their order.
        return found.sorted(by: >).prefix(limit).map(\.self)
    }

    /// The oldest cluster a signature of which matches the code.
    public func nearest(to sample: [UInt8]) -> Int64? {
        var candidates = Set(filed[nil] ?? [])
        if sample.count >= Self.keyLength {
            var key = Self.key(sample[..<Self.keyLength])
            if keys.mayHold(key), let found = filed[key] { candidates.formUnion(found) }
            for byte in sample[Self.keyLength...] {
                key = key << 8 | UInt64(byte)
                if keys.mayHold(key), let found = filed[key] { candidates.formUnion(found) }
            }
        }
        return candidates.sorted().prefix(limits.candidates).first { entries[$0]?.signatures.contains { $0.matches(sample) } == true }
    }
}

extension ClusterIndex {
    private mutating func insert(_ cluster: Int64, _ soleReporter: String?) {
        entries[cluster] = Entry(soleReporter: soleReporter)
        order.append(cluster)
        if let soleReporter {
            ofReporter[soleReporter, default: []].append(cluster)
            if ofReporter[soleReporter, default: []].count > limits.clustersOfReporter, let oldest = ofReporter[soleReporter]?.first {
                remove(oldest)
            }
        }
        guard entries.count > limits.clusters else { return }
        // Those that are gone are at the front as often as not: an eighth at a time costs little a cluster.
        for oldest in order.filter({ entries[$0] != nil }).prefix(max(1, limits.clusters / 8)) { remove(oldest) }
        order.removeAll { entries[$0] == nil }
    }

    /// Takes one too many from under a key. The last is the newest.
    private mutating func makeRoom(under key: UInt64?) {
        guard let clusters = filed[key], clusters.count > limits.clustersOfKey, let newest = clusters.last else { return }
        let others = clusters.dropLast()
        let own = entries[newest]?.soleReporter.flatMap { reporter in others.firstIndex { entries[$0]?.soleReporter == reporter } }
        filed[key]?.remove(at: own ?? others.firstIndex { entries[$0]?.soleReporter != nil } ?? 0)
    }

    private mutating func remove(_ cluster: Int64) {
        guard let entry = entries.removeValue(forKey: cluster) else { return }
        for id in entry.ids where exact[id] == cluster { exact[id] = nil }
        for key in entry.keys {
            filed[key]?.removeAll { $0 == cluster }
            if filed[key]?.isEmpty == true {
                filed[key] = nil
                if let key { keys.remove(key) }
            }
        }
        for part in entry.parts {
            ofContext[part]?.removeAll { $0 == cluster }
            if ofContext[part]?.isEmpty == true { ofContext[part] = nil }
        }
        if let reporter = entry.soleReporter {
            ofReporter[reporter]?.removeAll { $0 == cluster }
            if ofReporter[reporter]?.isEmpty == true { ofReporter[reporter] = nil }
        }
        if order.count > 2 * limits.clusters { order.removeAll { entries[$0] == nil } }
    }

    private mutating func note(_ cluster: Int64, of part: SignatureContext) {
        guard ofContext[part]?.contains(cluster) != true else { return }
        ofContext[part, default: []].append(cluster)
        entries[cluster]?.parts.append(part)
        if ofContext[part, default: []].count > Self.newestOfContext { ofContext[part]?.removeFirst() }
    }

    private static func key(of signature: Signature) -> UInt64? {
        let longest = signature.tokens.flatMap { token in token.fixedRuns.map { token.bytes[$0] } }.max { $0.count < $1.count }
        guard let longest, longest.count >= keyLength else { return nil }
        return key(longest.prefix(keyLength))
    }

    private static func key(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

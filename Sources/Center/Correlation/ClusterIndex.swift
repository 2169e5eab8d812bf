// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Finds the cluster that a new packet belongs to, among any number of clusters, at a cost that depends on the
/// packet's length alone.
///
/// Two packets are similar when their caller windows are equal, or when the later one's code contains the signature of
/// the earlier one's cluster: the same attack caught at another call, or behind another prologue. Of several clusters
/// that match, the oldest takes the packet, so the answer doesn't depend on the order in which clusters were loaded.
/// A cluster may have more signatures than its own: those that were made of its packets.
///
/// The first eight bytes of each signature's longest fixed run are the key of a table; a packet's code is looked up at each offset.
public struct ClusterIndex: Sendable {
    /// The bytes of a signature's longest fixed run that it is filed under.
    private static let keyLength = 8

    private var exact: [String: Int64] = [:]
    private var filed: [UInt64: [Int64]] = [:]
    /// Clusters whose signature has no fixed run as long as the key; they are few, and tried one by one.
    private var unfiled: [Int64] = []
    private var signatures: [Int64: [Signature]] = [:]
    /// The clusters of each part of a context but the empty one, newest last.
    private var ofContext: [SignatureContext: [Int64]] = [:]

    public init() {}

    /// Adds a cluster, or another signature of it. Only a signature that passes its checks takes part in near
    /// matching: filler bytes would draw unrelated packets together.
    public mutating func add(cluster: Int64, signature: Signature) {
        exact[signature.id] = min(exact[signature.id] ?? cluster, cluster)
        for part in signature.context.parts where part != .any && ofContext[part]?.contains(cluster) != true {
            ofContext[part, default: []].append(cluster)
        }
        guard signature.isWellFormed, signature.isSubstantial else { return }
        signatures[cluster, default: []].append(signature)
        let longest = signature.tokens.flatMap { token in token.fixedRuns.map { token.bytes[$0] } }
            .max { $0.count < $1.count }
        if let longest, longest.count >= Self.keyLength {
            filed[Self.key(longest.prefix(Self.keyLength)), default: []].append(cluster)
        } else {
            unfiled.append(cluster)
        }
    }

    /// The cluster that a packet with this signature and code belongs to; `nil`: none, it is the first of its kind.
    ///
    /// - Parameter sample: the packet's code, or its caller window where only that was sent.
    public func cluster(for signature: Signature, sample: [UInt8]) -> Int64? {
        exact[signature.id] ?? nearest(to: sample)
    }

    /// The newest clusters of packets that came in one of the same ways, newest first; none for an empty context.
    public func newest(of context: SignatureContext, limit: Int) -> [Int64] {
        let found = context.parts.reduce(into: Set<Int64>()) { $0.formUnion((ofContext[$1] ?? []).suffix(limit)) }
        // Clusters are numbered in their order.
        return found.sorted(by: >).prefix(limit).map(\.self)
    }

    private func nearest(to sample: [UInt8]) -> Int64? {
        var candidates = Set(unfiled)
        if sample.count >= Self.keyLength {
            var key = Self.key(sample[..<Self.keyLength])
            candidates.formUnion(filed[key] ?? [])
            for byte in sample[Self.keyLength...] {
                key = key << 8 | UInt64(byte)
                if let found = filed[key] { candidates.formUnion(found) }
            }
        }
        return candidates.sorted().first { signatures[$0]?.contains { $0.matches(sample) } == true }
    }

    private static func key(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

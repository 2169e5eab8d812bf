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
/// The first eight bytes of each signature's longest fixed run are the key of a table; a packet's code is looked up at each offset, and
/// where a key is found, the whole run must be: instructions that much code begins with draw no candidates.
///
/// Where room runs short, it is taken from who has the most of it: who sends ever new code, under however many names from one machine,
/// displaces nothing but that. What is no longer here is found by its window in the store.
public struct ClusterIndex: Sendable {
    /// How much an index holds.
    public struct Limits: Hashable, Sendable {
        /// Of all reporters.
        public var clusters = 32_768
        /// Of one reporter, those that nobody else reported.
        public var clustersOfReporter = 256
        /// Under one key, and without a key.
        public var clustersOfKey = 64
        /// What one packet is compared with.
        public var candidates = 256
        /// What a signature must hold to take part in near matching.
        public var enough = Signature.Substance()

        public init() {}
    }

    /// A cluster that may be like a packet.
    public struct Candidate: Hashable, Sendable {
        public var cluster: Int64
        /// Who brought it, as its share is counted.
        var holder: String
        /// Whether others reported it, too.
        var isShared: Bool
    }

    private struct Entry {
        var signatures: [Signature] = []
        var ids: [String] = []
        var keys: [UInt64?] = []
        var parts: [SignatureContext] = []
        /// Who brought it.
        var source: ReportSource
        var isShared: Bool
    }

    /// A signature's place in the table of keys.
    private struct Filed {
        var cluster: Int64
        /// The signature's longest fixed run, which begins with the key; empty where there is none.
        var run: ArraySlice<UInt8>
    }

    /// The clusters of one holder.
    private struct Held {
        var count = 0
        /// In the order in which they came; those that are gone stay in it for a while.
        var clusters: [Int64] = []
    }

    /// The bytes of a signature's longest fixed run that it is filed under.
    private static let keyLength = 8
    /// In bytes, of each part of a context: how many of its newest clusters are known.
    private static let newestOfContext = 16

    private let limits: Limits
    private var entries: [Int64: Entry] = [:]
    /// Clusters, and signatures of clusters, that made room for newer ones since that was last asked.
    private var removed = 0
    private var exact: [String: Int64] = [:]
    /// By key; `nil` for signatures without a fixed run as long as a key, which are tried one by one.
    private var filed: [UInt64?: [Filed]] = [:]
    /// The keys of ``filed``.
    private var keys = KeyFilter()
    /// The newest clusters of each part of a context but the empty one, newest last.
    private var ofContext: [SignatureContext: [Int64]] = [:]
    private var ofHolder: [String: Held] = [:]
    /// Those that nobody else reported.
    private var ofReporter: [String: [Int64]] = [:]

    public init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    /// How many clusters are in memory.
    public var count: Int { entries.count }

    /// Adds a cluster, or another signature of it. Only a signature that passes its checks takes part in near
    /// matching: filler bytes would draw unrelated packets together.
    ///
    /// - Parameters:
    ///   - source: who brought the cluster first; `nil`: that isn't known, and its share is its own.
    ///   - isShared: whether others reported it, too.
    public mutating func add(cluster: Int64, signature: Signature, from source: ReportSource? = nil, isShared: Bool = false) {
        if entries[cluster] == nil {
            insert(cluster, Entry(source: source ?? ReportSource(reporter: "cluster \(cluster)", machine: nil), isShared: isShared))
        }
        guard entries[cluster]?.ids.contains(signature.id) != true else { return }
        entries[cluster]?.ids.append(signature.id)
        exact[signature.id] = min(exact[signature.id] ?? cluster, cluster)
        for part in signature.context.parts where part != .any { note(cluster, of: part) }
        guard signature.isWellFormed, signature.isSubstantial(for: limits.enough) else { return }
        entries[cluster]?.signatures.append(signature)
        let run = Self.longestRun(of: signature)
        let key = run.isEmpty ? nil : Self.key(run.prefix(Self.keyLength))
        entries[cluster]?.keys.append(key)
        if let key, filed[key] == nil { keys.add(key) }
        filed[key, default: []].append(Filed(cluster: cluster, run: run))
        if filed[key, default: []].count > limits.clustersOfKey, let place = victim(among: filed[key, default: []].map(\.cluster)) {
            filed[key]?.remove(at: place)
            removed += 1
        }
    }

    /// Says that others reported a cluster, too.
    public mutating func share(_ cluster: Int64) {
        guard let entry = entries[cluster], !entry.isShared else { return }
        entries[cluster]?.isShared = true
        forget(cluster, soleOf: entry.source.reporter)
    }

    /// The cluster that a packet with this signature and code belongs to; `nil`: none, it is the first of its kind.
    ///
    /// - Parameter sample: the packet's code, or its caller window where only that was sent.
    public func cluster(for signature: Signature, sample: [UInt8]) -> Int64? {
        exact(signature) ?? nearest(to: sample)
    }

    /// The cluster with this very signature.
    public func exact(_ signature: Signature) -> Int64? { exact(signature.id) }

    /// - Parameter id: the signature's.
    public func exact(_ id: String) -> Int64? { exact[id] }

    /// The newest clusters of packets that came in one of the same ways, newest first, at most 16 for each way; none for an empty context.
    public func newest(of context: SignatureContext) -> [Candidate] {
        let found = context.parts.reduce(into: Set<Int64>()) { $0.formUnion(ofContext[$1] ?? []) }
        // Clusters are numbered in their order.
        return found.sorted(by: >).compactMap { cluster in
            entries[cluster].map { Candidate(cluster: cluster, holder: $0.source.holder, isShared: $0.isShared) }
        }
    }

    /// The oldest cluster a signature of which matches the code.
    public func nearest(to sample: [UInt8]) -> Int64? {
        bounded(candidates(for: sample)).first { entries[$0]?.signatures.contains { $0.matches(sample) } == true }
    }

    /// The clusters with a signature whose longest run the code holds.
    private func candidates(for sample: [UInt8]) -> Set<Int64> {
        var candidates = Set(filed[nil, default: []].map(\.cluster))
        sample.withUnsafeBytes { bytes in
            guard bytes.count >= Self.keyLength else { return }
            for place in 0...bytes.count - Self.keyLength {
                let key = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
                guard keys.mayHold(key), let found = filed[key] else { continue }
                for filed in found where Self.holds(bytes, filed.run, at: place) { candidates.insert(filed.cluster) }
            }
        }
        return candidates
    }

    /// Whether a run begins at a place.
    private static func holds(_ bytes: UnsafeRawBufferPointer, _ run: ArraySlice<UInt8>, at place: Int) -> Bool {
        run.count <= bytes.count - place && run.elementsEqual(bytes[place..<place + run.count])
    }

    /// The oldest first. Of too many those are taken that others reported, too, and then some of each who brought them.
    private func bounded(_ candidates: Set<Int64>) -> [Int64] {
        let sorted = candidates.sorted()
        guard sorted.count > limits.candidates else { return sorted }
        let shared = sorted.filter { entries[$0]?.isShared == true }
        let sole = Turns.order(sorted.filter { entries[$0]?.isShared != true }) { entries[$0]?.source.holder }
        return Array((shared + sole).prefix(limits.candidates)).sorted()
    }
}

extension ClusterIndex.Candidate {
    /// Which of the clusters a packet is compared with: the newest, one of each who brought them before a second one of anybody; and in
    /// the second half of the places those first that others reported, too.
    ///
    /// - Parameter candidates: the newest first.
    public static func choose(from candidates: [Self], limit: Int) -> [Self] {
        let inTurn = Turns.order(candidates, by: \.holder)
        let first = inTurn.prefix((limit + 1) / 2)
        let rest = inTurn.dropFirst(first.count)
        return Array((first + rest.filter(\.isShared) + rest.filter { !$0.isShared }).prefix(limit))
    }
}

extension ClusterIndex {
    private mutating func insert(_ cluster: Int64, _ entry: Entry) {
        entries[cluster] = entry
        ofHolder[entry.source.holder, default: Held()].count += 1
        ofHolder[entry.source.holder, default: Held()].clusters.append(cluster)
        let reporter = entry.source.reporter
        if !entry.isShared {
            ofReporter[reporter, default: []].append(cluster)
            if ofReporter[reporter, default: []].count > limits.clustersOfReporter, let oldest = ofReporter[reporter]?.first {
                remove(oldest)
            }
        }
        if entries.count > limits.clusters { makeRoom(for: cluster) }
    }

    /// Takes an eighth of the room at once, which costs little a cluster, from who has the most: down to a number that nobody then
    /// exceeds, each one's oldest, those first that nobody else reported.
    private mutating func makeRoom(for newest: Int64) {
        let room = max(1, limits.clusters / 8)
        let counts = ofHolder.values.map(\.count)
        func excess(_ level: Int) -> Int { counts.reduce(0) { $0 + max(0, $1 - level) } }
        // The least number of clusters a holder at which no more has to go than that.
        var (level, above) = (0, counts.max() ?? 0)
        while level < above {
            let middle = (level + above) / 2
            if excess(middle) <= room { above = middle } else { level = middle + 1 }
        }
        var (gone, next): ([Int64], [Int64]) = ([], [])
        for held in ofHolder.values where held.count >= level {
            let others = Set(held.clusters).filter { $0 != newest && entries[$0] != nil }.sorted()
            let ordered = others.filter { entries[$0]?.isShared == false } + others.filter { entries[$0]?.isShared == true }
            gone += ordered.prefix(held.count - level)
            if held.count - level < ordered.count { next.append(ordered[held.count - level]) }
        }
        // What is left to take, one of each who has as many as that: the oldest.
        gone += next.sorted().prefix(max(0, room - gone.count))
        for cluster in gone { remove(cluster) }
    }

    /// Which of too many clusters goes: of who has the most of them, and there the oldest; one that others reported, too, last.
    ///
    /// - Parameter clusters: the last one is the newest, and stays.
    /// - Returns: its place.
    private func victim(among clusters: [Int64]) -> Int? {
        var held: [String: Int] = [:]
        for cluster in clusters { held[holder(of: cluster), default: 0] += 1 }
        return clusters.indices.dropLast().max { one, other in
            let (first, second) = (clusters[one], clusters[other])
            let (count, otherCount) = (held[holder(of: first)] ?? 0, held[holder(of: second)] ?? 0)
            if count != otherCount { return count < otherCount }
            let (isSole, isOtherSole) = (entries[first]?.isShared != true, entries[second]?.isShared != true)
            return isSole == isOtherSole ? one > other : !isSole
        }
    }

    private func holder(of cluster: Int64) -> String { entries[cluster]?.source.holder ?? "" }

    /// How many clusters, and signatures of clusters, made room for newer ones since this was asked last.
    public mutating func takeRemoved() -> Int {
        defer { removed = 0 }
        return removed
    }

    private mutating func remove(_ cluster: Int64) {
        guard let entry = entries.removeValue(forKey: cluster) else { return }
        removed += 1
        for id in entry.ids where exact[id] == cluster { exact[id] = nil }
        for key in entry.keys {
            filed[key]?.removeAll { $0.cluster == cluster }
            if filed[key]?.isEmpty == true {
                filed[key] = nil
                if let key { keys.remove(key) }
            }
        }
        for part in entry.parts {
            ofContext[part]?.removeAll { $0 == cluster }
            if ofContext[part]?.isEmpty == true { ofContext[part] = nil }
        }
        release(cluster, of: entry.source.holder)
        forget(cluster, soleOf: entry.source.reporter)
    }

    private mutating func release(_ cluster: Int64, of holder: String) {
        guard var held = ofHolder.removeValue(forKey: holder), held.count > 1 else { return }
        held.count -= 1
        if held.clusters.count > 2 * held.count + 16 { held.clusters.removeAll { entries[$0] == nil } }
        ofHolder[holder] = held
    }

    private mutating func forget(_ cluster: Int64, soleOf reporter: String) {
        ofReporter[reporter]?.removeAll { $0 == cluster }
        if ofReporter[reporter]?.isEmpty == true { ofReporter[reporter] = nil }
    }

    private mutating func note(_ cluster: Int64, of part: SignatureContext) {
        guard ofContext[part]?.contains(cluster) != true else { return }
        ofContext[part, default: []].append(cluster)
        entries[cluster]?.parts.append(part)
        guard ofContext[part, default: []].count > Self.newestOfContext, let place = victim(among: ofContext[part, default: []]) else {
            return
        }
        ofContext[part]?.remove(at: place)
    }

    /// Empty where it is shorter than a key.
    private static func longestRun(of signature: Signature) -> ArraySlice<UInt8> {
        let longest = signature.tokens.flatMap { token in token.fixedRuns.map { token.bytes[$0] } }.max { $0.count < $1.count }
        return longest.flatMap { $0.count >= keyLength ? $0 : nil } ?? []
    }

    private static func key(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Answers whether a string of 32 bytes is anywhere in the goodware that it was built from, with no false "absent".
///
/// Every window of 32 bytes selects one of its 16-byte grams by its bytes alone (``GramSelection``). The selected grams
/// of all windows of the goodware are in a filter. A window whose gram is not in the filter is in no goodware; one
/// whose gram is there may or may not be.
public struct GoodwareIndex: Sendable {
    /// In bytes: the shortest string that the index can prove absent. As long as a caller window, so that each caller
    /// window can be proven.
    public static let windowLength = 32
    /// In bytes: the gram that is selected of each window, and stored.
    public static let gramLength = windowLength / 2

    /// One for each build or update, in their order.
    public let segments: [IndexSegment]
    /// The frequencies behind ``surprise(of:)``.
    public let pairs: BytePairs
    private let surprise: ByteSurprise

    public init(segments: [IndexSegment], pairs: BytePairs) {
        self.segments = segments
        self.pairs = pairs
        surprise = ByteSurprise(pairs)
    }

    /// An index in memory.
    public init(of corpus: [[UInt8]]) {
        var pairs = BytePairs()
        var contents = IndexSegment.Contents()
        var keys: [UInt64] = []
        for file in corpus {
            contents.corpusBytes += UInt64(file.count)
            file.withUnsafeBytes { bytes in
                pairs.count(bytes)
                keys += [UInt64](unsafeUninitializedCapacity: bytes.count) { buffer, count in
                    count = GramSelection.keys(of: bytes, into: buffer)
                }
            }
        }
        let built = keys.withUnsafeMutableBufferPointer { IndexSegment.filter(of: $0, partitionBits: 0, in: FilterWorkspace()) }
        contents.keys = UInt64(built.keys)
        contents.sampledKeys = UInt64(built.sampled)
        let segment = IndexSegment(
            partitionBits: 0, filters: [built.shape], contents: contents, slots: ImmutableBytes(copying: built.slots))
        self.init(segments: segment.map { [$0] } ?? [], pairs: pairs)
    }

    /// The bytes of goodware that it was built from.
    public var corpusBytes: UInt64 { segments.reduce(0) { $0 &+ $1.contents.corpusBytes } }

    /// For each window of 32 bytes, in order of its start: whether it is proven absent from the goodware. Empty for
    /// fewer than 32 bytes.
    public func absentWindows(in bytes: [UInt8]) -> [Bool] {
        let windows = bytes.count - Self.windowLength + 1
        guard windows > 0 else { return [] }
        return bytes.withUnsafeBytes { raw in
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: windows) { orders in
                guard let base = raw.baseAddress, let out = orders.baseAddress else { return [] }
                GramSelection.orders(base, windows: windows, into: out)
                return [Bool](unsafeUninitializedCapacity: windows) { absent, count in
                    // Neighbouring windows mostly share their gram: it is looked up once.
                    var last = ~out[0]
                    var isAbsent = false
                    for index in 0..<windows {
                        if out[index] != last {
                            last = out[index]
                            isAbsent = !mayContain(GramSelection.key(last))
                        }
                        absent[index] = isAbsent
                    }
                    count = windows
                }
            }
        }
    }

    /// Whether a fixed run of one of its tokens holds a window that is proven absent: then no goodware matches.
    public func provesAbsence(of signature: Signature) -> Bool {
        signature.tokens.contains { token in
            token.fixedRuns.contains { run in
                run.count >= Self.windowLength && absentWindows(in: Array(token.bytes[run])).contains(true)
            }
        }
    }

    /// How surprising a run of bytes is, in bits, by the frequencies of byte pairs in the goodware: the sum over its
    /// bytes of -log2 of the byte's share among those that follow the one before it.
    public func surprise(of run: some Collection<UInt8>) -> Double { surprise.of(run) }

    /// Whether a selected gram's key is in the index. A wrong yes is possible, a wrong no is not.
    public func mayContain(_ key: UInt64) -> Bool {
        for segment in segments where segment.contains(key) { return true }
        return false
    }
}

// SPDX-License-Identifier: Apache-2.0

public import CenterMetrics
public import EpitopeModel
import PacketCoding
import Scheduling
public import SignatureProving
import Signatures
import Synchronization

/// What a center takes out of a region that a host left to it, as values: what the host would have sent.
public struct RegionExtraction: Hashable, Sendable {
    /// A region of at most this many bytes stays whole.
    public var maxCode: Int
    /// Of a larger region, this many bytes on each side of the caller's address stay.
    public var snippetSide: Int

    public init(maxCode: Int = ExtractedPacket.maxCodeBytes, snippetSide: Int = ExtractedPacket.maxCodeBytes / 2) {
        self.maxCode = maxCode
        self.snippetSide = snippetSide
    }

    /// The code of a region, as much as the amounts say.
    ///
    /// - Throws: `caller-outside-code`.
    func code(of region: ExtractedCode, callersAddress: UInt64) throws(EpitopeError) -> ExtractedCode {
        try CallerWindow.callerOffset(in: region, callersAddress: callersAddress)
        if region.isWholeRegion, region.bytes.count <= maxCode { return region }
        return region.snippet(around: callersAddress, side: snippetSide) ?? region
    }

    /// Where the window begins that no file of a goodware index holds; `nil`: there is none, or nothing is known.
    ///
    /// - Parameter absent: by the start of each string of 32 bytes, whether the index proves it absent; `nil`: it can't be asked.
    static func uniqueStart(in region: ExtractedCode, callersAddress: UInt64, length: Int, absent: [Bool]?) -> Int? {
        guard let absent, let caller = region.offset(of: callersAddress) else { return nil }
        let windows = [Bool](repeating: false, count: max(0, region.bytes.count - length + 1))
        let isHeld = UniqueWindow.held(windows, absent: absent, length: length)
        return UniqueWindow(in: region.bytes, caller: caller, length: length, isHeld: isHeld)?.start
    }
}

/// Extracts from the regions that hosts leave to a center, before they are stored: the store holds what another host would have sent, and
/// the region takes no room in it.
public final class RegionExtractor: Sendable {
    /// How many packets wait for the goodware index at a time. Those beyond it get the caller window, as without an index: an index that
    /// is slow must not keep packets from being stored.
    static let maxWaiting = 32
    /// For how long one waits for it, in seconds.
    static let maxSeconds = 2.0

    private let extraction: RegionExtraction
    private let absentWindows: @Sendable ([UInt8]) -> [Bool]?
    private let counters: CenterCounters?
    private let queue = BlockingQueue(label: "epitope.regions")
    private let bounded = BoundedWork()
    private let waiting = Atomic(0)

    /// - Parameter absentWindows: what the center's goodware index says, which may be on a file system that doesn't answer.
    init(
        _ extraction: RegionExtraction = RegionExtraction(), counters: CenterCounters? = nil,
        absentWindows: @escaping @Sendable ([UInt8]) -> [Bool]? = { _ in nil }
    ) {
        self.extraction = extraction
        self.counters = counters
        self.absentWindows = absentWindows
    }

    /// - Parameter provers: whose goodware index is asked for what is unique.
    public convenience init(_ extraction: RegionExtraction, asking provers: ProverSource, counters: CenterCounters?) {
        self.init(extraction, counters: counters) { provers.absentWindows(in: $0) }
    }

    /// The packet as its host would have sent it; the same packet where its host left nothing to the center.
    ///
    /// - Throws: `caller-outside-code`, `packet-malformed`.
    func extract(_ packet: ReceivedPacket) async throws(EpitopeError) -> ReceivedPacket {
        guard let request = packet.value.extraction, case .code(let region) = packet.value.content else { return packet }
        let (caller, length) = (packet.value.callersAddress, request.signatureBytes)
        switch request.signature {
        case nil:
            let code = try extraction.code(of: region, callersAddress: caller)
            counters?.extracted.add(.code)
            return try packet.extracted(.code(code))
        case .unique:
            guard let start = await uniqueStart(in: region, callersAddress: caller, length: length) else {
                counters?.extracted.add(.notUnique)
                break
            }
            counters?.extracted.add(.unique)
            return try packet.extracted(
                .signature(Array(region.bytes[start..<start + length])), signatureAddress: region.base + UInt64(start))
        case .caller: counters?.extracted.add(.callerWindow)
        }
        return try packet.extracted(.signature(CallerWindow.extract(from: region, callersAddress: caller, length: length)))
    }

    private func uniqueStart(in region: ExtractedCode, callersAddress: UInt64, length: Int) async -> Int? {
        let before = waiting.add(1, ordering: .relaxed).oldValue
        defer { waiting.subtract(1, ordering: .relaxed) }
        guard before < Self.maxWaiting else { return nil }
        let (bounded, absentWindows) = (bounded, absentWindows)
        let absent = await queue.run { bounded.run(withinSeconds: Self.maxSeconds) { absentWindows(region.bytes) }.flatMap { $0 } }
        return RegionExtraction.uniqueStart(in: region, callersAddress: callersAddress, length: length, absent: absent)
    }
}

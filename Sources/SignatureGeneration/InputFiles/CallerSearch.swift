// SPDX-License-Identifier: Apache-2.0

public import Disassembly
public import EpitopeModel

/// An address that may be the caller's, for somebody who has code and doesn't know it.
public struct ProposedCaller: Hashable, Sendable {
    /// Why it is proposed, the strongest reason first.
    public enum Reason: Hashable, Sendable, Comparable {
        /// A thread was right behind the call: it waited in it, or had just come back.
        case thread(id: Int32)
        /// The address lies on a thread's stack, as a return address does.
        case stack(thread: Int32, at: UInt64)
        /// The call is in the code.
        case code

        private var rank: Int {
            switch self {
            case .thread: 0
            case .stack: 1
            case .code: 2
            }
        }

        public static func < (one: Self, two: Self) -> Bool { one.rank < two.rank }
    }

    /// The address right after the call.
    public var address: UInt64
    public var call: CallSite
    public var reason: Reason

    /// The one that can be taken without asking: the only one for the strongest reason that there is. Calls that are merely
    /// in the code count only where the code ends with one, or makes a single system call and calls nothing else.
    ///
    /// - Parameter end: the address after the last byte of the code that isn't padding.
    public static func only(of proposals: [ProposedCaller], end: UInt64?) -> ProposedCaller? {
        guard let strongest = proposals.map(\.reason).min() else { return nil }
        let best = proposals.filter { !(strongest < $0.reason) }
        guard strongest == .code else { return Set(best.map(\.address)).count == 1 ? best.first : nil }
        if let last = best.last, let end, last.address >= end { return last }
        return best.count == 1 && best[0].call.kind == .systemCall ? best.first : nil
    }
}

/// Proposes callers.
public enum CallerSearch {
    /// How many are proposed of a core dump.
    public static let maxProposals = 256
    /// How many threads are looked at.
    static let maxThreads = 1024
    /// In bytes: how much of a thread's stack is searched for return addresses.
    static let maxStackBytes = 256 << 10
    /// In bytes: how much of a region is searched for calls.
    static let maxRegionBytes = 1 << 20
    /// In bytes: what lies before an address to see whether a call ends there.
    private static let reach = 64

    /// Of a piece of code, whose padding is still behind it: the calls in it.
    public static func callers(in code: ExtractedCode, architecture: Architecture) -> [ProposedCaller] {
        CallSites.all(in: code, architecture: architecture).map {
            ProposedCaller(address: code.base &+ UInt64($0.end), call: $0, reason: .code)
        }
    }

    /// Of a core dump: where its threads were, what their stacks return to, and the calls in code that no file stands behind.
    /// Each address once, by its strongest reason; the strongest first.
    public static func callers(in core: CoreDump, read: CoreDump.Reader) -> [ProposedCaller] {
        var search = CoreSearch(core)
        let threads = core.threads.prefix(maxThreads)
        for thread in threads { search.add(thread.instruction, .thread(id: thread.id), read) }
        for thread in threads {
            let stack = core.bytes(at: thread.stackPointer, count: maxStackBytes, read: read)
            let word = core.architecture.wordSize
            for place in stride(from: 0, through: stack.count - word, by: word) {
                let value = stack[place..<place + word].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                search.add(value, .stack(thread: thread.id, at: thread.stackPointer &+ UInt64(place)), read)
            }
        }
        search.addCode(read)
        return search.found.values.sorted { ($0.reason, $0.address) < ($1.reason, $1.address) }
    }

    /// The proposals of one core dump.
    private struct CoreSearch {
        private(set) var found: [UInt64: ProposedCaller] = [:]
        private let core: CoreDump
        /// By their addresses.
        private let regions: [CoreDump.Region]
        /// Addresses at which no call ends.
        private var refused: Set<UInt64> = []

        /// How many addresses are looked at: a forged stack may hold nothing but addresses of code.
        private static let maxTried = 1 << 14

        init(_ core: CoreDump) {
            self.core = core
            regions = core.unbackedCode.sorted { $0.start < $1.start }
        }

        mutating func add(_ address: UInt64, _ reason: ProposedCaller.Reason, _ read: CoreDump.Reader) {
            guard let region = region(ofCaller: address), found[address] == nil, found.count < maxProposals,
                !refused.contains(address), refused.count < Self.maxTried
            else { return }
            if let call = call(endingAt: address, in: region, read) {
                found[address] = ProposedCaller(address: address, call: call, reason: reason)
            } else {
                refused.insert(address)
            }
        }

        mutating func addCode(_ read: CoreDump.Reader) {
            for region in regions where found.count < maxProposals {
                let bytes = core.bytes(at: region.start, count: maxRegionBytes, read: read)
                let code = ExtractedCode(base: region.start, bytes: bytes, isWholeRegion: false)
                for proposal in callers(in: code, architecture: core.architecture)
                where found[proposal.address] == nil && found.count < maxProposals {
                    found[proposal.address] = proposal
                }
            }
        }

        private func region(ofCaller address: UInt64) -> CoreDump.Region? {
            // The last one that begins before the address.
            var (low, high) = (0, regions.count)
            while low < high {
                let middle = (low + high) / 2
                if regions[middle].start < address { low = middle + 1 } else { high = middle }
            }
            return low > 0 && address <= regions[low - 1].end ? regions[low - 1] : nil
        }

        private func call(endingAt address: UInt64, in region: CoreDump.Region, _ read: CoreDump.Reader) -> CallSite? {
            let before = min(address - region.start, UInt64(reach))
            let place = address - region.start - before
            guard address - region.start <= region.stored, let bytes = read(region.offset + place, Int(before)), bytes.count == Int(before)
            else { return nil }
            let code = ExtractedCode(base: address - before, bytes: bytes, isWholeRegion: false)
            return CallSites.site(endingAt: bytes.count, in: code, architecture: core.architecture)
        }
    }
}

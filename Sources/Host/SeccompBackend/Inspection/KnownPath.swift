// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import Glibc
import ProcessInspection

/// A way from a caller into the kernel that was found to be without evidence, kept so that the next call that comes the same way
/// is recognised by the bytes which the finding rests on, each read anew:
/// - the return addresses on the stack, at their distances from the stack pointer;
/// - the pages of the code that made the call, and of its callers up to the first one outside of the library. They must equal the
///   file's, read while it hadn't changed since the processes began. What stands in memory and equals a file is that file: then
///   it doesn't matter what was mapped, protected or written since, nor what became of the file.
///
/// That is one read of memory in the place of queries for each mapping, each page's state and each file.
final class KnownPath {
    /// How far up a stack, how many return addresses and how many pages may belong to a path. Others are inspected at each call.
    static let maxStackBytes = 4096
    static let maxWords = 24
    static let maxPages = 8

    /// A return address on the stack.
    struct Word: Equatable {
        /// From the stack pointer, in bytes.
        var offset: Int
        var value: UInt64
    }

    /// Of the system call, in 64-bit code.
    let number: UInt32
    let instructionPointer: UInt64
    /// Whether it says nothing while another thread may change the stack: the frames behind the caller don't belong to it, or
    /// don't agree with it.
    let needsOneThread: Bool
    let words: [Word]
    private let pages: [CodePage]
    private let stackBytes: Int
    /// The stack, whose address differs from call to call, then the pages.
    private let ranges: UnsafeMutablePointer<epitope_range>

    /// - Parameters:
    ///   - words: at least one, at most ``maxWords``, within ``maxStackBytes``.
    ///   - pages: the addresses and contents of at most ``maxPages`` pages.
    init?(number: UInt32, instructionPointer: UInt64, words: [Word], pages: [(address: UInt64, page: CodePage)], needsOneThread: Bool) {
        let last = words.map(\.offset).max() ?? -1
        guard (1...Self.maxWords).contains(words.count), words.allSatisfy({ $0.offset >= 0 }), last + 8 <= Self.maxStackBytes,
            (1...Self.maxPages).contains(pages.count)
        else { return nil }
        self.number = number
        self.instructionPointer = instructionPointer
        self.words = words
        self.pages = pages.map(\.page)
        self.needsOneThread = needsOneThread
        stackBytes = last + 8
        ranges = .allocate(capacity: pages.count + 1)
        ranges[0] = epitope_range(address: 0, length: UInt64(last + 8))
        for (index, page) in pages.enumerated() {
            ranges[index + 1] = epitope_range(address: page.address, length: MapEntry.pageSize)
        }
    }

    deinit { ranges.deallocate() }

    /// Where its pages begin in the process.
    var pageAddresses: [UInt64] { pages.indices.map { ranges[$0 + 1].address } }

    /// What comparing a call with a path told.
    enum Comparison {
        case same
        /// The stack differs, which was read.
        case otherStack(readBytes: Int)
        /// Something can't be read, or the code differs.
        case otherCode
    }

    /// Reads the stack and the pages of a stalled thread, and compares them.
    func compare(_ thread: pid_t, stackPointer: UInt64, _ room: Room) -> Comparison {
        ranges[0].address = stackPointer
        let size = stackBytes + pages.count * CodePage.size
        let count = epitope_read_ranges(thread, ranges, pages.count + 1, room.bytes)
        guard hasWords(room, count) else { return .otherStack(readBytes: max(0, count)) }
        guard count == size else { return .otherCode }
        var place = room.bytes + stackBytes
        for page in pages {
            guard page.equals(place) else { return .otherCode }
            place += CodePage.size
        }
        return .same
    }

    /// Whether the words stand in a stack that was read.
    func hasWords(_ room: Room, _ count: Int) -> Bool {
        guard count >= stackBytes else { return false }
        for word in words where room.bytes.loadUnaligned(fromByteOffset: word.offset, as: UInt64.self) != word.value { return false }
        return true
    }

    /// What is read of a process, for one comparison at a time.
    final class Room {
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: KnownPath.maxStackBytes + KnownPath.maxPages * CodePage.size, alignment: 64)

        deinit { bytes.deallocate() }
    }
}

/// A page of an image's file.
final class CodePage {
    static let size = Int(MapEntry.pageSize)

    private let bytes: UnsafeMutableRawPointer

    /// - Parameter content: at most a page; what is missing is zero, as behind a file's end.
    init(_ content: [UInt8]) {
        bytes = .allocate(byteCount: Self.size, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Self.size)
        content.withUnsafeBytes { bytes.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(bytes), byteCount: min($0.count, Self.size)) }
    }

    deinit { bytes.deallocate() }

    /// Whether a page in memory is the same.
    func equals(_ other: UnsafeRawPointer) -> Bool { memcmp(bytes, other, Self.size) == 0 }
}

/// The paths of one thread, the latest first.
struct KnownPaths {
    static let maxPaths = 16
    /// A process that makes a few calls and ends isn't worth a path: it is kept from this many calls without evidence on.
    static let firstKept = 3
    /// How many are made in all: each costs as much as an inspection, and there may be more ways than are kept.
    static let maxMade = 64

    private(set) var paths: [KnownPath] = []
    private var calls = 0
    private var made = 0

    /// Whether a call came by one of the paths.
    ///
    /// - Parameter hasOneThread: asked where the path says nothing otherwise.
    mutating func contain(
        _ call: PendingCall, stackPointer: UInt64, _ room: KnownPath.Room, hasOneThread: @autoclosure () -> Bool
    ) -> Bool {
        guard let first = paths.firstIndex(where: { $0.number == call.number && $0.instructionPointer == call.instructionPointer })
        else { return false }
        var found = first
        switch paths[first].compare(call.thread, stackPointer: stackPointer, room) {
        case .same: break
        case .otherCode: return false
        case .otherStack(let count):
            guard
                let other = paths[(first + 1)...].firstIndex(where: {
                    $0.number == call.number && $0.instructionPointer == call.instructionPointer && $0.hasWords(room, count)
                }), case .same = paths[other].compare(call.thread, stackPointer: stackPointer, room)
            else { return false }
            found = other
        }
        guard !paths[found].needsOneThread || hasOneThread() else { return false }
        if found > 0 { paths.swapAt(0, found) }
        return true
    }

    /// Keeps the path of a call without evidence, if it can be recognised.
    ///
    /// - Parameter make: makes the path; `nil` if it can't be.
    mutating func keep(_ call: PendingCall, stackPointer: UInt64, _ room: KnownPath.Room, make: () -> KnownPath?) {
        calls += 1
        guard calls >= Self.firstKept, made < Self.maxMade else { return }
        made += 1
        guard let path = make(), case .same = path.compare(call.thread, stackPointer: stackPointer, room) else { return }
        if paths.count >= Self.maxPaths { paths.removeLast() }
        paths.insert(path, at: 0)
    }
}

extension KnownPath {
    /// The path of a call whose caller was found to be an image's that can have made it.
    ///
    /// - Parameters:
    ///   - frames: from the call itself to its caller; at least these two.
    ///   - finder: of the call.
    ///   - isOfOneThread: whether the process had one thread only.
    convenience init?(of call: PendingCall, _ frames: [CallerWalk.Frame], _ finder: ReturnAddressFinder, isOfOneThread: Bool) {
        guard let caller = frames.last, frames.count > 1 else { return nil }
        let stackPointer = frames[0].stackPointer
        var pages: [UInt64: CodePage] = [:]
        for frame in frames {
            guard let found = Self.pages(of: frame) else { return nil }
            pages.merge(found) { first, _ in first }
        }
        var words = frames.dropFirst().map { Word($0, from: stackPointer) }
        var beyond: [CallerWalk.Frame] = []
        var agrees = false
        // A likely one isn't told by these frames alone.
        if case .fit = finder.framesBeyond(callerAt: caller.address, passing: { beyond.append($0) }) { agrees = true }
        // What stands in memory without a file may change.
        let isWhole =
            agrees && words.count + beyond.count <= Self.maxWords
            && beyond.allSatisfy { $0.image != nil && Word($0, from: stackPointer).offset + 8 <= Self.maxStackBytes }
        if isWhole { words += beyond.map { Word($0, from: stackPointer) } }
        guard isWhole || isOfOneThread else { return nil }
        self.init(
            number: call.number, instructionPointer: call.instructionPointer, words: words,
            pages: pages.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, needsOneThread: !isWhole)
    }

    /// The file's pages, by their addresses in the process, that the instruction before a frame's address lies in.
    private static func pages(of frame: CallerWalk.Frame) -> [UInt64: CodePage]? {
        guard let image = frame.image, frame.address > frame.span.start, frame.address <= frame.span.end else { return nil }
        let mask = MapEntry.pageSize - 1
        var found: [UInt64: CodePage] = [:]
        for address in [frame.address - 1, max(frame.span.start, frame.address - UInt64(CallInstruction.maxLength))] {
            let start = address & ~mask
            guard let page = image.page(at: frame.span.offset &+ (start - frame.span.start)) else { return nil }
            found[start] = page
        }
        return found
    }
}

extension KnownPath.Word {
    /// The word that returns to a frame.
    fileprivate init(_ frame: CallerWalk.Frame, from stackPointer: UInt64) {
        // A frame above by more than a stack can be long has no place in a path.
        let distance = frame.stackPointer &- 8 &- stackPointer
        self.init(offset: Int(truncatingIfNeeded: min(distance, UInt64(Int32.max))), value: frame.address)
    }
}

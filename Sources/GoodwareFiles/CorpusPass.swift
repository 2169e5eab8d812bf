import Foundation
import GoodwareIndex
import Synchronization

/// Reads files and captures on all cores into keys.
struct CorpusPass {
    /// In bytes: a piece of a file that is looked at in one go.
    static let piece = 1 << 20

    private struct State {
        var next = 0
        var done = 0
        var bytes: UInt64 = 0
        var pairs = BytePairs()
        var skipped: [GoodwareBuilder.SkippedFile] = []
        var failure: (any Error)?
        var reported = ContinuousClock.now
    }

    /// - Returns: the byte pairs, the bytes that were read, and what was skipped.
    static func run(
        files: [CorpusFile], captures: [String], into spill: KeySpill,
        progress: @Sendable (GoodwareBuilder.Progress) -> Void
    ) throws -> (pairs: BytePairs, bytes: UInt64, skipped: [GoodwareBuilder.SkippedFile]) {
        let state = Mutex(State())
        let all = files.count + captures.count
        DispatchQueue.concurrentPerform(iterations: max(1, ProcessInfo.processInfo.activeProcessorCount)) { _ in
            let collector = KeyCollector(spill)
            let pieces = Pieces(size: piece, overlap: GoodwareIndex.windowLength - 1) { try collector.add($2) }
            var reader = CorpusReader(pieces)
            do {
                while let task = state.withLock({ state -> Int? in
                    guard state.next < all, state.failure == nil else { return nil }
                    defer { state.next += 1 }
                    return state.next
                }) {
                    let before = reader.bytesRead
                    var skipped: GoodwareBuilder.SkippedFile?
                    let path = task < files.count ? files[task].path : captures[task - files.count]
                    do {
                        if task < files.count { try reader.read(files[task]) } else { try reader.read(capture: path) }
                    } catch let failure as KeySpill.Failure {
                        throw failure
                    } catch {
                        skipped = .init(path: path, reason: (error as? CorpusReader.Skipped)?.reason ?? "\(error)")
                    }
                    let read = reader.bytesRead - before
                    let report = state.withLock { state -> GoodwareBuilder.Progress? in
                        state.done += 1
                        state.bytes += read
                        if let skipped { state.skipped.append(skipped) }
                        guard state.reported.duration(to: .now) > .seconds(1) else { return nil }
                        state.reported = .now
                        return .init(files: state.done, ofFiles: all, bytes: state.bytes)
                    }
                    if let report { progress(report) }
                }
                try collector.finish()
                state.withLock { $0.pairs.add(collector.pairs) }
            } catch {
                state.withLock { $0.failure = error }
            }
        }
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            return (state.pairs, state.bytes, state.skipped.sorted { $0.path < $1.path })
        }
    }
}

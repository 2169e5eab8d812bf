// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import GoodwareIndex
import GoodwareReading
import Synchronization

/// Reads the files and captures of a corpus on all cores, chunk by chunk.
///
/// Costs one pass over the corpus and what is packed in it (``UnpackingBudget``), and on each core the memory of a chunk for each
/// layer of the file that is read.
struct CorpusScanner {
    /// A failure that ends the scan. After any other failure only the rest of one file is skipped.
    struct Abort: Error {
        var cause: any Error
    }

    /// Processes chunks; each core has its own.
    struct Worker {
        /// Throws ``Abort`` to end the scan.
        var process: (_ unit: String, _ offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws -> Void
        /// Called when nothing is left.
        var finish: () throws -> Void = {}
    }

    var files: [CorpusFile]
    var captures: [String]
    /// In bytes: the part of a unit (a file, an archive's member, a stream) that is processed in one go.
    var chunkBytes: Int
    /// In bytes: how much of a chunk the next one repeats.
    var overlap: Int

    private static let progressInterval = Duration.seconds(1)

    private struct State {
        var next = 0
        var done = 0
        var bytes: UInt64 = 0
        var skipped: [SkippedFile] = []
        var failure: (any Error)?
        var reported = ContinuousClock.now
    }

    /// - Returns: the bytes that were read, and the files that were skipped.
    /// - Throws: the cause of the failure that ended the scan.
    func run(
        progress: @Sendable (GoodwareBuilder.Progress) -> Void, worker: @Sendable () -> Worker
    ) throws -> (bytes: UInt64, skipped: [SkippedFile]) {
        let state = Mutex(State())
        let all = files.count + captures.count
        DispatchQueue.concurrentPerform(iterations: max(1, ProcessInfo.processInfo.activeProcessorCount)) { _ in
            let worker = worker()
            var reader = CorpusReader(ChunkerStack(size: chunkBytes, overlap: overlap, worker.process))
            do {
                while let task = state.withLock({ state -> Int? in
                    guard state.next < all, state.failure == nil else { return nil }
                    defer { state.next += 1 }
                    return state.next
                }) {
                    let before = reader.bytesRead
                    let skipped = try read(task, &reader)
                    let read = reader.bytesRead - before
                    let report = state.withLock { state -> GoodwareBuilder.Progress? in
                        state.done += 1
                        state.bytes += read
                        if let skipped { state.skipped.append(skipped) }
                        guard state.reported.duration(to: .now) > Self.progressInterval else { return nil }
                        state.reported = .now
                        return .init(files: state.done, ofFiles: all, bytes: state.bytes)
                    }
                    if let report { progress(report) }
                }
                try worker.finish()
            } catch {
                state.withLock { $0.failure = (error as? Abort)?.cause ?? error }
            }
        }
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            return (state.bytes, state.skipped.sorted { $0.path < $1.path })
        }
    }

    /// - Returns: why the file was skipped, if it was.
    private func read(_ task: Int, _ reader: inout CorpusReader) throws -> SkippedFile? {
        let path = task < files.count ? files[task].path : RawPath(captures[task - files.count])
        do {
            if task < files.count { try reader.read(files[task]) } else { try reader.read(capture: captures[task - files.count]) }
            return nil
        } catch let abort as Abort {
            throw abort
        } catch {
            return .init(path: path, reason: (error as? CorpusReader.Skipped)?.reason ?? "\(error)")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import FileAccess
import StreamReassembly
import Synchronization

/// A cache of the streams of captures: of the files that a recorder rotates through, only the one being written changes.
public final class CaptureStreams: Sendable {
    /// In bytes: the size of the cache, 256 MiB. A file whose streams take more than half of it is read each time.
    static let maxBytes = 256 << 20

    private struct File {
        var identity: FileIdentity
        var streams: [CapturedStream]
        var summary: CaptureReader.Summary
        var bytes: Int
        var lastUse: UInt64
    }

    /// What reading a set of captures takes at most.
    struct Limits {
        /// When reading ends, the work on the streams included.
        var deadline: ContinuousClock.Instant
        /// For one file.
        var each: Duration

        var isOver: Bool { ContinuousClock.now >= deadline }
    }

    private struct Cache {
        var files: [String: File] = [:]
        var bytes = 0
        var uses: UInt64 = 0
    }

    private let cache = Mutex(Cache())
    private let reads: BoundedReads
    /// Sets on a file system that did not answer, and until when they are left alone.
    private let hung = Mutex<[String: ContinuousClock.Instant]>([:])
    /// Proofs without these captures are made meanwhile.
    private static let hungTime = Duration.seconds(60)

    /// Reads nothing yet.
    public convenience init() { self.init(reads: BoundedReads()) }

    init(reads: BoundedReads) { self.reads = reads }

    /// Calls the body with each stream of capture sets and its file, of each set the oldest file first, until it returns `false`.
    ///
    /// A capture is written while it is read, and may be anything: one that can't be read, or not in time, is left out, and said. So is
    /// what lies in a folder, or is named by a pattern, and is no capture by its first bytes.
    ///
    /// - Parameter captureSets: each a file, a folder, or a path with `*` in its last part.
    func each(of captureSets: [String], within limits: Limits, _ body: (CapturedStream, String) -> Bool) -> CaptureReading {
        var reading = CaptureReading()
        for captureSet in captureSets {
            do throws(EpitopeError) {
                for path in try files(of: captureSet) {
                    if limits.isOver {
                        reading.add(unread: "\(path): there was no time for it", at: nil)
                        continue
                    }
                    let hangs = reads.hangs
                    if !each(in: path, of: captureSet, limits, &reading, body) { return reading }
                    guard reads.hangs == hangs else {
                        markHung(captureSet)
                        reading.add(unread: "\(captureSet): its file system does not answer", at: captureSet)
                        break
                    }
                }
            } catch {
                reading.add(unread: error.message, at: captureSet)
            }
        }
        return reading
    }

    /// The files of a set, the oldest first.
    ///
    /// - Throws: `capture-unreadable`, where there is none or its file system does not answer.
    func files(of captureSet: String) throws(EpitopeError) -> [String] {
        let isHung = hung.withLock { $0[captureSet].map { .now < $0 } ?? false }
        let found = isHung ? nil : reads.run { Result { () throws(EpitopeError) in try CaptureReader.files(of: captureSet) } }
        if let found { return try found.get() }
        if !isHung { markHung(captureSet) }
        throw EpitopeError(
            .captureUnreadable, "\(captureSet): its file system does not answer",
            remedy: "see what serves it; it is looked at again every minute")
    }

    private func markHung(_ captureSet: String) { hung.withLock { $0[captureSet] = .now + Self.hungTime } }

    /// How many cached streams are looked at between two looks at the clock.
    private static let streamsBetweenLooks = 64

    private func each(
        in path: String, of captureSet: String, _ limits: Limits, _ reading: inout CaptureReading,
        _ body: (CapturedStream, String) -> Bool
    ) -> Bool {
        // What hangs is said by the caller.
        guard let identity = reads.run({ FileIdentity(path: path) }) else { return true }
        if let file = file(path, identity: identity) {
            for (number, stream) in file.streams.enumerated() {
                if number % Self.streamsBetweenLooks == 0, limits.isOver {
                    reading.add(unread: "\(path): there was no time to look at all of its streams", at: nil)
                    return true
                }
                if !body(stream, path) { return false }
            }
            reading.add(file.summary, of: path)
            return true
        }
        do {
            return try read(path, identity, limits, &reading, body)
        } catch let error as EpitopeError where error.code == .captureEmpty {
            reading.add(remark: error.message)
        } catch {
            // Who names a file means a capture.
            if path != captureSet, CaptureReader.isOther(path, reads: reads) {
                reading.add(other: path)
            } else {
                reading.add(unread: (error as? EpitopeError)?.message ?? "\(path): \(error)", at: path)
            }
        }
        return true
    }

    /// Reads a file that is not cached, and caches it.
    private func read(
        _ path: String, _ identity: FileIdentity?, _ limits: Limits, _ reading: inout CaptureReading,
        _ body: (CapturedStream, String) -> Bool
    ) throws -> Bool {
        var streams: [CapturedStream]? = []
        var bytes = 0
        let deadline = min(limits.deadline, .now + limits.each)
        let summary = try CaptureReader.streams(in: path, reads: reads, deadline: deadline) { stream in
            bytes += stream.bytes.count + MemoryLayout<CapturedStream>.stride
            if bytes <= Self.maxBytes / 2 { streams?.append(stream) } else { streams = nil }
            return body(stream, path)
        }
        reading.add(summary, of: path)
        // What there was no time for is read again the next time.
        if [.whole, .cut].contains(summary.end), let streams, let identity {
            store(File(identity: identity, streams: streams, summary: summary, bytes: bytes, lastUse: 0), of: path)
        }
        return summary.end != .stopped
    }

    private func file(_ path: String, identity: FileIdentity?) -> File? {
        cache.withLock { cache in
            guard let file = cache.files[path], file.identity == identity else { return nil }
            cache.uses += 1
            cache.files[path]?.lastUse = cache.uses
            return file
        }
    }

    private func store(_ file: File, of path: String) {
        cache.withLock { cache in
            var file = file
            cache.uses += 1
            file.lastUse = cache.uses
            cache.bytes += file.bytes - (cache.files[path]?.bytes ?? 0)
            cache.files[path] = file
            while cache.bytes > Self.maxBytes, let oldest = cache.files.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                cache.bytes -= oldest.value.bytes
                cache.files[oldest.key] = nil
            }
        }
    }
}

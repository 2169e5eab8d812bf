// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Foundation
import GoodwareIndex
public import GoodwareReading
import Synchronization

/// Builds goodware indexes on disk, and extends them.
public enum GoodwareBuilder {
    /// How far a pass over the corpus is.
    public struct Progress: Sendable {
        /// How many files and captures have been read, and how many there are.
        public var files: Int
        public var ofFiles: Int
        /// The bytes of the corpus that have been read.
        public var bytes: UInt64
    }

    /// What a build or update did.
    public struct Summary: Sendable {
        /// The files and bytes that this run read.
        public var files: Int
        public var bytes: UInt64
        public var skipped: [SkippedFile]
    }

    /// An update of an index with this many segments rebuilds it, since every query looks into each segment.
    public static let maxSegments = 8

    /// In bytes: the part of a file that is processed in one go.
    static let chunkBytes = 1 << 20

    /// Builds an index of all regular files below the sources, of the contents of compressed files and archives, and of
    /// the streams of the captures. It is written to a temporary file and renamed, and says what was not read
    /// (``GoodwareFile/unread``). The build needs 8 bytes of disk for each 9 bytes of the corpus.
    ///
    /// - Parameter isCancelled: asked for every chunk; the build then ends, and leaves nothing behind.
    /// - Throws: `goodware-missing` for a source that does not exist, `goodware-unwritable`, `goodware-stopped`.
    public static func build(
        sources: [String], captures: [String] = [], output: String, isCancelled: @escaping @Sendable () -> Bool = { false },
        progress: @Sendable (Progress) -> Void = { _ in }
    ) throws(EpitopeError) -> Summary {
        try BuildRequest(sources: sources, captures: captures, output: output, isCancelled: isCancelled).run(progress)
    }

    /// Adds new and changed files, of the index's own folders and of further ones. Files that were deleted or had other
    /// contents before remain goodware: no signature is made that matches them.
    ///
    /// - Throws: what `GoodwareFile` and ``build(sources:captures:output:progress:)`` throw.
    public static func update(
        _ path: String, adding sources: [String] = [], captures: [String] = [], isCancelled: @escaping @Sendable () -> Bool = { false },
        progress: @Sendable (Progress) -> Void = { _ in }
    ) throws(EpitopeError) -> Summary {
        let old = try GoodwareFile(path: path)
        var request = BuildRequest(
            sources: old.folders + sources.filter { !old.folders.contains($0) },
            captures: old.captures + captures.filter { !old.captures.contains($0) }, output: path, isCancelled: isCancelled)
        if old.index.segments.count < maxSegments {
            request.segments = old.index.segments
            request.pairs = old.index.pairs
            request.known = Set(old.files)
            request.extended = old
            request.unread = old.unread
        }
        return try request.run(progress)
    }
}

/// A build or update of an index.
private struct BuildRequest {
    /// Folders.
    var sources: [String]
    var captures: [String]
    /// The path of the index.
    var output: String
    /// The segments that the index already has: none for a new one.
    var segments: [IndexSegment] = []
    var pairs = BytePairs()
    /// The files and captures, in the state in which they were read.
    var known: Set<CorpusFile> = []
    /// The index that the segments are mapped from.
    var extended: GoodwareFile?
    /// What the index doesn't know so far.
    var unread = UnreadFiles.none
    /// Whether the user asked to stop.
    var isCancelled: @Sendable () -> Bool = { false }

    typealias Summary = GoodwareBuilder.Summary

    /// The files and captures of a corpus as they are now.
    private struct Corpus {
        var files: [CorpusFile]
        var captures: [CorpusFile]
        var unreadable: [SkippedFile]

        /// Without those that are known.
        func changed(since known: Set<CorpusFile>) -> (files: [CorpusFile], captures: [CorpusFile]) {
            (files.filter { !known.contains($0) }, captures.filter { !known.contains($0) })
        }
    }

    func run(_ progress: @Sendable (GoodwareBuilder.Progress) -> Void) throws(EpitopeError) -> Summary {
        let corpus = try findCorpus()
        let changed = corpus.changed(since: known)
        // A file that was not read is not known, and so has changed.
        if !known.isEmpty, changed.files.isEmpty, changed.captures.isEmpty, unread == UnreadFiles(corpus.unreadable) {
            return Summary(files: 0, bytes: 0, skipped: corpus.unreadable)
        }
        do {
            let writer = try GoodwareWriter(output)
            let keyFile = try PartitionedKeyFile(in: writer.folder)
            let pairs = Mutex(self.pairs)
            let scanner = CorpusScanner(
                files: changed.files, captures: changed.captures.map { String(decoding: $0.path.bytes, as: UTF8.self) },
                chunkBytes: GoodwareBuilder.chunkBytes,
                overlap: GoodwareIndex.windowLength - 1)
            let read = try scanner.run(progress: progress) {
                let collector = KeyCollector(keyFile, known: extended?.index)
                return CorpusScanner.Worker(
                    process: { [isCancelled, output] _, _, bytes in
                        guard !isCancelled() else { throw CorpusScanner.Abort(cause: Self.stopped(output)) }
                        do { try collector.add(bytes) } catch { throw CorpusScanner.Abort(cause: error) }
                    },
                    finish: {
                        try collector.finish()
                        pairs.withLock { $0.add(collector.pairs) }
                    })
            }
            guard !isCancelled() else { throw Self.stopped(output) }
            for segment in segments { try writer.copy(segment) }
            try extended?.requireUnchanged()
            if segments.isEmpty || keyFile.count > 0 { try writer.add(keyFile, corpusBytes: read.bytes) }
            // Files that were skipped are not listed in the index, so that the next update tries them again.
            let skipped = Set(read.skipped.map(\.path))
            try writer.finish(
                pairs: pairs.withLock { $0 }, folders: sources, captures: captures,
                files: (corpus.files + corpus.captures).filter { !skipped.contains($0.path) },
                unread: UnreadFiles(corpus.unreadable + read.skipped))
            return Summary(
                files: changed.files.count + changed.captures.count, bytes: read.bytes, skipped: corpus.unreadable + read.skipped)
        } catch let error as EpitopeError {
            throw error
        } catch let failure as PartitionedKeyFile.Failure {
            throw .unwritable(output, failure.reason)
        } catch {
            throw .unwritable(output, "\(error)")
        }
    }

    private static func stopped(_ output: String) -> EpitopeError {
        EpitopeError(.goodwareStopped, "stopped: \(output) was not written", remedy: "start again; nothing was left behind")
    }

    private func findCorpus() throws(EpitopeError) -> Corpus {
        for source in sources + captures where access(source, R_OK) != 0 {
            throw EpitopeError(
                .goodwareMissing, "the goodware source \(source) cannot be read: \(String(cString: strerror(errno)))",
                remedy: "name a folder or capture that exists and that this user may read")
        }
        var unreadable: [SkippedFile] = []
        let files = CorpusTree(below: sources) { unreadable.append(SkippedFile(path: $0, reason: $1)) }.files
        return Corpus(files: files, captures: captures.compactMap { CorpusFile($0) }, unreadable: unreadable)
    }
}

// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import GoodwareIndex
import Synchronization

/// Builds goodware indexes on disk, and extends them.
public enum GoodwareBuilder {
    /// How far a build is.
    public struct Progress: Sendable {
        public var files: Int
        public var ofFiles: Int
        /// Of the corpus, read so far.
        public var bytes: UInt64
    }

    /// A file of which at least a part is not in the index.
    public struct SkippedFile: Hashable, Sendable {
        public var path: String
        public var reason: String
    }

    /// What a build or update did.
    public struct Summary: Sendable {
        /// Read in this run.
        public var files: Int
        public var bytes: UInt64
        public var skipped: [SkippedFile]
    }

    /// An update that would give more segments than this builds the index anew: each is asked by every query.
    public static let mostSegments = 8

    /// Builds an index of all regular files below the sources, of what compressed files and archives hold, and of the
    /// streams of the captures. It is written beside its final place and renamed; the disk also holds 8 bytes for
    /// each 9 of the corpus while it is built.
    ///
    /// - Throws: `goodware-missing` for a source that isn't there, `goodware-unwritable`.
    public static func build(
        sources: [String], captures: [String] = [], output: String,
        progress: @Sendable (Progress) -> Void = { _ in }
    ) throws(EpitopeError) -> Summary {
        try extend([], nil, sources: sources, captures: captures, known: [], output: output, progress: progress)
    }

    /// Adds new and changed files of the index's own and of further folders. Files that are gone or were different
    /// before stay goodware: a signature that matches them is still not made.
    ///
    /// - Throws: what `GoodwareFile` and ``build(sources:captures:output:progress:)`` throw.
    public static func update(
        _ path: String, adding sources: [String] = [], captures: [String] = [],
        progress: @Sendable (Progress) -> Void = { _ in }
    ) throws(EpitopeError) -> Summary {
        let old = try GoodwareFile(path: path)
        let folders = old.folders + sources.filter { !old.folders.contains($0) }
        let all = old.captures + captures.filter { !old.captures.contains($0) }
        guard old.index.segments.count < mostSegments else {
            return try build(sources: folders, captures: all, output: path, progress: progress)
        }
        return try extend(
            old.index.segments, old.index.pairs, sources: folders, captures: all, known: old.files, output: path,
            progress: progress)
    }

    /// In bytes: a piece of a file that is looked at in one go.
    static let piece = 1 << 20

    private static func extend(
        _ segments: [IndexSegment], _ pairs: BytePairs?, sources: [String], captures: [String], known: [CorpusFile],
        output: String, progress: @Sendable (Progress) -> Void
    ) throws(EpitopeError) -> Summary {
        for source in sources + captures where access(source, R_OK) != 0 {
            throw EpitopeError(
                .goodwareMissing, "the goodware source \(source) cannot be read: \(String(cString: strerror(errno)))",
                remedy: "name a folder or capture that is there and that this user may read")
        }
        var skipped: [SkippedFile] = []
        let files = CorpusFile.below(sources) { skipped.append(SkippedFile(path: $0, reason: $1)) }
        let captured = captures.compactMap { CorpusFile($0) }
        let old = Set(known)
        let changed = files.filter { !old.contains($0) }
        let changedCaptures = captured.filter { !old.contains($0) }.map(\.path)
        if known.isEmpty == false, changed.isEmpty, changedCaptures.isEmpty {
            return Summary(files: 0, bytes: 0, skipped: skipped)
        }
        do {
            let writer = try GoodwareWriter(output)
            let spill = try PartitionedKeyFile(in: writer.folder)
            let pairs = Mutex(pairs ?? BytePairs())
            let pass = CorpusPass(
                files: changed, captures: changedCaptures, piece: piece, overlap: GoodwareIndex.windowLength - 1)
            let read = try pass.run(progress: progress) {
                let collector = KeyCollector(spill)
                return CorpusPass.Worker(
                    take: { _, _, bytes in
                        do { try collector.add(bytes) } catch { throw CorpusPass.Ended(cause: error) }
                    },
                    finish: {
                        try collector.finish()
                        pairs.withLock { $0.add(collector.pairs) }
                    })
            }
            for segment in segments { try writer.copy(segment) }
            try writer.add(spill, corpusBytes: read.bytes)
            // What was skipped is not known: the next update tries it again.
            let unread = Set(read.skipped.map(\.path))
            try writer.finish(
                pairs: pairs.withLock { $0 }, folders: sources, captures: captures,
                files: (files + captured).filter { !unread.contains($0.path) })
            return Summary(files: changed.count + changedCaptures.count, bytes: read.bytes, skipped: skipped + read.skipped)
        } catch let failure as PartitionedKeyFile.Failure {
            throw .unwritable(output, failure.reason)
        } catch {
            throw .unwritable(output, "\(error)")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
public import GoodwareReading
import PatternScan
public import Signatures
import Synchronization

/// Searches the corpus of a goodware index for signatures that the index cannot prove absent, because no token is as long
/// as its windows.
public enum CorpusSearch {
    /// The result for one signature.
    public enum Finding: Hashable, Sendable {
        case absent
        /// In a unit (a file, an archive's member, a stream), at an offset in bytes from its start.
        case found(unit: String, offset: UInt64)
    }

    /// The result of a search.
    public struct Summary: Sendable {
        /// For each signature, in their order.
        public var findings: [Finding]
        /// The bytes that were read until every signature was decided.
        public var bytes: UInt64
        /// The files and captures that were read.
        public var files: Int
        /// What could not be read, or not as a whole: "absent" says nothing of it. Empty where every signature was found.
        public var unread: UnreadFiles
    }

    /// In bytes: a longer unit is searched in parts of this size, one on each core and for each layer of what is packed: the
    /// memory of a search.
    static let maxPartBytes = 24 << 20
    /// In bytes: a match that crosses two parts is found if it is no longer than this, as all are whose gaps have bounds
    /// (`Signature.maxTokens` times `Signature.maxGap`, and their tokens).
    static let overlap = Signature.maxTokens * Signature.maxGap + Signature.maxBytes

    /// Reads the index's folders and captures as they are now, until all is read or every signature was found. Costs one pass over
    /// the corpus and over what is packed in it.
    ///
    /// - Throws: `goodware-missing` if a source no longer exists, `scanner-unbuildable`, `scan-failed`. Nothing is decided
    ///   then.
    public static func run(
        _ signatures: [Signature], corpus: GoodwareFile, progress: @Sendable (GoodwareBuilder.Progress) -> Void = { _ in }
    ) throws(EpitopeError) -> Summary {
        for source in corpus.sources where access(source, R_OK) != 0 {
            throw EpitopeError(
                .goodwareMissing, "the goodware source \(source) cannot be read: \(String(cString: strerror(errno)))",
                remedy: "build the index again without it")
        }
        let matcher = try SignatureScanner(signatures)
        var unreadable: [SkippedFile] = []
        let files = CorpusTree(below: corpus.folders) { unreadable.append(.init(path: $0, reason: $1)) }.files
        let scanner = CorpusScanner(files: files, captures: corpus.captures, chunkBytes: maxPartBytes, overlap: overlap)
        let state = Mutex(State(findings: Array(repeating: .absent, count: signatures.count)))
        var skipped = unreadable
        do {
            skipped += try scanner.run(progress: progress) {
                CorpusScanner.Worker(process: { unit, offset, bytes in
                    do {
                        let matches = try matcher.matches(in: bytes)
                        let isDecided = state.withLock { $0.add(matches, unit: unit, offset: offset, bytes: bytes.count) }
                        if isDecided { throw AllFound() }
                    } catch { throw CorpusScanner.Abort(cause: error) }
                })
            }.skipped
        } catch is AllFound {
            // The rest of the corpus can't change the result.
        } catch let error as EpitopeError {
            throw error
        } catch {
            throw EpitopeError(.scanFailed, "the corpus can't be searched: \(error)", remedy: "try again")
        }
        let read = files.count + corpus.captures.count - (skipped.count - unreadable.count)
        return state.withLock { Summary(findings: $0.findings, bytes: $0.bytes, files: read, unread: UnreadFiles(skipped)) }
    }

    /// Ends the scan: every signature is decided.
    private struct AllFound: Error {}

    private struct State {
        var findings: [Finding]
        var bytes: UInt64 = 0

        /// - Returns: whether every signature was found.
        mutating func add(_ matches: [(signature: Int, place: Range<Int>)], unit: String, offset: UInt64, bytes count: Int) -> Bool {
            bytes += UInt64(count)
            for match in matches where findings[match.signature] == .absent {
                findings[match.signature] = .found(unit: unit, offset: offset + UInt64(match.place.lowerBound))
            }
            return !matches.isEmpty && !findings.contains(.absent)
        }
    }
}

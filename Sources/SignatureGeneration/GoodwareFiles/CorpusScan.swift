// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import PatternScan
public import Signatures
import Synchronization

/// Seeks signatures in the corpus of a goodware index itself: what the index can't speak of, because no token is as
/// long as its windows.
public enum CorpusScan {
    /// What came of one signature.
    public enum Finding: Hashable, Sendable {
        case absent
        /// In a unit (a file, an archive's member, a stream), so many bytes from its start.
        case found(unit: String, offset: UInt64)
    }

    /// What a scan found.
    public struct Summary: Sendable {
        /// For each signature, in their order.
        public var findings: [Finding]
        /// Read until all was decided.
        public var bytes: UInt64
        /// Files of which at least a part could not be read.
        public var skipped: [GoodwareBuilder.SkippedFile]
    }

    /// In bytes: a longer unit is looked at in parts, and a match that lies across two of them is found when it is no
    /// longer than ``overlap``.
    static let longestPart = 256 << 20
    static let overlap = 1 << 20

    /// Reads the index's folders and captures as they are now, until all is read or every signature was found.
    ///
    /// - Throws: `goodware-missing` when a source is no longer there, `scanner-unbuildable`, `scan-failed`: then nothing
    ///   is known.
    public static func run(
        _ signatures: [Signature], corpus: GoodwareFile, progress: @Sendable (GoodwareBuilder.Progress) -> Void = { _ in }
    ) throws(EpitopeError) -> Summary {
        for source in corpus.sources where access(source, R_OK) != 0 {
            throw EpitopeError(
                .goodwareMissing, "the goodware source \(source) cannot be read: \(String(cString: strerror(errno)))",
                remedy: "build the index again without it")
        }
        let scanner = try SignatureScanner(signatures)
        var unreadable: [GoodwareBuilder.SkippedFile] = []
        let files = CorpusFile.below(corpus.folders) { unreadable.append(.init(path: $0, reason: $1)) }
        let pass = CorpusPass(files: files, captures: corpus.captures, piece: longestPart, overlap: overlap)
        let state = Mutex(State(findings: Array(repeating: .absent, count: signatures.count)))
        var skipped = unreadable
        do {
            skipped += try pass.run(progress: progress) {
                CorpusPass.Worker(take: { unit, offset, bytes in
                    do {
                        let matches = try scanner.matches(in: bytes)
                        let isDecided = state.withLock { $0.take(matches, unit: unit, offset: offset, bytes: bytes.count) }
                        if isDecided { throw AllFound() }
                    } catch { throw CorpusPass.Ended(cause: error) }
                })
            }.skipped
        } catch is AllFound {
            // What is left of the corpus can't change the answer.
        } catch let error as EpitopeError {
            throw error
        } catch {
            throw EpitopeError(.scanFailed, "the corpus can't be scanned: \(error)", remedy: "scan again")
        }
        return state.withLock { Summary(findings: $0.findings, bytes: $0.bytes, skipped: skipped) }
    }

    /// Ends the pass: nothing is left to be decided.
    private struct AllFound: Error {}

    private struct State {
        var findings: [Finding]
        var bytes: UInt64 = 0

        /// - Returns: whether every signature was found.
        mutating func take(_ matches: [(signature: Int, place: Range<Int>)], unit: String, offset: UInt64, bytes count: Int) -> Bool {
            bytes += UInt64(count)
            for match in matches where findings[match.signature] == .absent {
                findings[match.signature] = .found(unit: unit, offset: offset + UInt64(match.place.lowerBound))
            }
            return !matches.isEmpty && !findings.contains(.absent)
        }
    }
}

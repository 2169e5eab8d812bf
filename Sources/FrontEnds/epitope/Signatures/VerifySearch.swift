// SPDX-License-Identifier: Apache-2.0

import Captures
import Dispatch
import EpitopeModel
import FileAccess
import Foundation
import InputFiles
import PatternScan
import ProtocolBuffers
import Signatures
import StreamReassembly
import Synchronization
import WireMatching

/// The search of `epitope verify`: files on two threads, captures stream by stream.
final class VerifySearch: Sendable {
    /// Reading and scanning alternate on each. More than two threads gain little on a disk.
    private static let threads = 2

    /// In bytes, at least: how much is searched of a hole of a file.
    private static let minHole = 128 << 10
    /// In bytes: enough of a file to tell a capture.
    private static let magicBytes = 8

    /// Of one capture's hits: so many are kept in mind, that none counts twice.
    private static let maxKnown = 1 << 20

    private let scanner: SignatureScanner
    private let tally: Mutex<VerifyTally>
    /// In bytes: longer holes are shortened to this. No bounded gap of the signatures reaches across.
    private let maxHole: Int
    /// Whether the rule of any signature names a buffer.
    private let isAnyBuffered: Bool

    init(_ scanner: SignatureScanner, maxListed: Int) {
        self.scanner = scanner
        let gaps = scanner.signatures.flatMap { $0.tokens.compactMap(\.gap) }
        let bounds = gaps.flatMap { [$0.lowerBound] + ($0.upperBound < Int(UInt32.max) ? [$0.upperBound] : []) }
        maxHole = max(Self.minHole, (bounds.max() ?? 0) + 1)
        isAnyBuffered = scanner.signatures.contains { $0.context.buffers != [nil] }
        tally = Mutex(VerifyTally(maxListed: maxListed))
    }

    /// - Throws: `search-path-missing`, `scan-failed`.
    func files(under roots: [String]) throws {
        let tree = try VerifyTree(roots)
        for skipped in tree.skipped { tally.withLock { $0.skip(skipped) } }
        let next = Atomic(0)
        let failure = Mutex<EpitopeError?>(nil)
        DispatchQueue.concurrentPerform(iterations: Self.threads) { _ in
            while failure.withLock({ $0 == nil }) {
                let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard number < tree.files.count else { return }
                do {
                    try search(tree.files[number], of: tree.files.count)
                } catch let error as EpitopeError {
                    failure.withLock { $0 = error }
                } catch {
                    let reason = (error as? VerifyFile.Unreadable)?.reason ?? "\(error)"
                    tally.withLock { $0.skip(.init(path: tree.files[number].description, reason: reason)) }
                }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// How often a file is searched that is written meanwhile.
    private static let maxAttempts = 3

    private func search(_ path: RawPath, of total: Int) throws {
        for attempt in 1...Self.maxAttempts {
            let file = try VerifyFile(path, maxHole: maxHole)
            let hits = try scanner.matches(in: file.bytes).map { match in
                VerifyReport.Hit(
                    signature: scanner.signatures[match.signature].id, source: path.description, place: match.place, data: file.bytes,
                    offset: file.offset(of: match.place.lowerBound))
            }
            // What was cut short is gone; what was written may be read again.
            if attempt < Self.maxAttempts, file.unreadable == .written { continue }
            return add(file, hits, path.description, of: total)
        }
    }

    private func add(_ file: VerifyFile, _ hits: [VerifyReport.Hit], _ path: String, of total: Int) {
        let isCapture = [.pcap, .pcapng].contains(FileKind(head: file.bytes.prefix(Self.magicBytes)))
        let (bytes, holes, failure) = (file.bytes.count, file.skippedBytes, file.unreadable)
        tally.withLock {
            $0.files += 1
            $0.holeBytes += holes
            if isCapture { $0.captures += 1 }
            if let failure { $0.skip(.init(path: path, reason: failure.reason)) }
            $0.add(bytes: bytes, hits: hits)
            $0.showProgress(of: total)
        }
    }

    /// - Throws: `capture-unreadable` if a capture set has no file, `scan-failed`. A file that can't be read is skipped.
    func streams(in captureSets: [String]) throws {
        for file in try captureSets.flatMap({ try CaptureReader.files(of: $0) }) {
            var known: Set<StreamHit> = []
            do {
                let summary = try CaptureReader.streams(in: file) { stream in
                    try search(stream, of: file, &known)
                    return true
                }
                tally.withLock { $0.add(summary, of: file) }
            } catch let error as EpitopeError where [.captureUnreadable, .captureEmpty].contains(error.code) {
                tally.withLock { $0.skip(.init(path: file, reason: error.message)) }
            }
        }
    }

    /// A signature in a stream. It counts once, though parts of a stream overlap and can come in several versions.
    private struct StreamHit: Hashable {
        var stream: Int
        var signature: Int
    }

    /// - Parameter known: what was found in earlier parts of the file's streams.
    private func search(_ stream: CapturedStream, of file: String, _ known: inout Set<StreamHit>) throws {
        try stream.bytes.withUnsafeBytes { data in
            var hits: [VerifyReport.Hit] = []
            if known.count >= Self.maxKnown { known.removeAll() }
            for match in try scanner.matches(in: data) {
                let signature = scanner.signatures[match.signature]
                guard signature.context.admits(stream),
                    known.insert(StreamHit(stream: stream.number, signature: match.signature)).inserted
                else { continue }
                hits.append(
                    VerifyReport.Hit(
                        signature: signature.id, source: "\(file): \(stream.flow)", place: match.place, data: data,
                        offset: stream.offset + match.place.lowerBound))
            }
            tally.withLock {
                if !stream.isContinued { $0.streams += 1 }
                $0.add(bytes: data.count - stream.overlap, hits: hits)
                $0.showProgress(of: nil)
            }
        }
        if isAnyBuffered { try searchBuffers(of: stream, in: file, &known) }
    }

    /// Searches what an engine has in its buffers of HTTP and DNS, for the signatures whose rules name them.
    private func searchBuffers(of stream: CapturedStream, in file: String, _ known: inout Set<StreamHit>) throws {
        var buffers: [BufferedBytes] = []
        stream.eachBuffer { buffered in
            buffers.append(buffered)
            return true
        }
        for buffered in buffers {
            try buffered.bytes.withUnsafeBytes { data in
                var hits: [VerifyReport.Hit] = []
                for match in try scanner.matches(in: data) {
                    let signature = scanner.signatures[match.signature]
                    guard signature.context.admits(stream, in: buffered.buffer), buffered.decides(on: signature),
                        known.insert(StreamHit(stream: stream.number, signature: match.signature)).inserted
                    else { continue }
                    hits.append(
                        VerifyReport.Hit(
                            signature: signature.id, source: "\(file): \(stream.flow) \(buffered.buffer.rawValue)", place: match.place,
                            data: data, offset: match.place.lowerBound))
                }
                tally.withLock { $0.add(bytes: 0, hits: hits) }
            }
        }
    }

    func report(refusals: [VerifyRules.Refusal]) -> VerifyReport {
        tally.withLock {
            $0.endProgress()
            return $0.report(signatures: scanner.signatures.count, refusals: refusals)
        }
    }
}

extension CapturedStream {
    /// For people: `tcp 10.0.0.1:4000 -> 10.0.0.2:80`.
    fileprivate var flow: String {
        let (source, destination) = ends
        return "\(transport.rawValue) \(source.address):\(source.port) -> \(destination.address):\(destination.port)"
    }
}

// SPDX-License-Identifier: Apache-2.0

package import Captures
public import EpitopeModel
import FileAccess
import GoodwareFiles
import GoodwareIndex
import GoodwareReading
import Signatures
import Synchronization

/// Provides a prover with the current goodware index: an index file that was replaced is opened again. If the new one
/// is damaged, the previous one stays in use.
///
/// Its file system may never answer. Then the index is left alone for a minute, in which nothing is proven.
public final class ProverSource: Sendable {
    private struct IndexState {
        var identity: FileIdentity?
        var file: GoodwareFile?
        /// Why the file could not be opened the last time.
        var failure: EpitopeError?
        /// Until when it is left alone, since its file system did not answer.
        var hungUntil: ContinuousClock.Instant?
        /// The one that did not answer: to close it would not end, either.
        var hung: GoodwareFile?

        /// Leaves the index alone for a time.
        mutating func leave(_ path: String, for time: Duration) {
            hungUntil = .now + time
            (hung, file, identity) = (file ?? hung, nil, nil)
            failure = EpitopeError(
                .goodwareMissing, "the file system of the goodware index \(path) does not answer: nothing is proven until it does",
                remedy: "see what serves it; it is looked at again every minute")
        }
    }

    /// What a look at the index's file found.
    private enum Look: Sendable {
        /// It is gone, or the one that is open.
        case nothingNew
        case other(FileIdentity?, Result<GoodwareFile, EpitopeError>)
    }

    /// A look at the material, and what it is.
    public struct Current: Sendable {
        public var prover: SignatureProver
        /// When it changes, signatures that failed before may pass.
        public var materialVersion: String
        /// Whether the goodware can be asked. If not, nothing is proven, and what fails is to be proven again once it can.
        public var isAnswering: Bool { prover.material.goodwareOutage == nil }
    }

    /// After so long an index that did not answer is looked at again.
    public let hungTime: Duration

    public let settings: ProverSettings
    private let index = Mutex(IndexState())
    private let streams = CaptureStreams()
    private let reads: BoundedReads

    /// Opens nothing yet.
    public convenience init(_ settings: ProverSettings) {
        self.init(settings, reads: BoundedReads(), hungTime: .seconds(60))
    }

    package init(_ settings: ProverSettings, reads: BoundedReads, hungTime: Duration) {
        self.settings = settings
        self.reads = reads
        self.hungTime = hungTime
    }

    /// Opens the index now, so that a center can report at its start what is wrong.
    ///
    /// - Throws: `goodware-missing`, `goodware-damaged`, `goodware-version`.
    public func open() throws(EpitopeError) {
        _ = current()
        if let failure = index.withLock({ $0.failure }) { throw failure }
    }

    /// What a center says at its start of goodware that was not read; `nil` if all was.
    public var goodwareWarning: String? { index.withLock { $0.file?.warning } }

    /// What a center says at its start of captures that aren't there: a proof would not be checked with them, or fail. They may come.
    public var captureWarnings: [String] { captureProblems.map(\.message) }

    /// The same, each with what to do.
    public var captureProblems: [EpitopeError] {
        (settings.captures + settings.benignCaptures).compactMap { captureSet in
            do throws(EpitopeError) {
                _ = try streams.files(of: captureSet)
                return nil
            } catch {
                return EpitopeError(error.code, "\(error.message) yet: no proof can be checked with it", remedy: error.remedy)
            }
        }
    }

    /// Names the files of the benign captures, and the state that some of them are in: where it differs, another look at them is due.
    ///
    /// - Parameter captures: paths, or capture sets.
    public func stateOfBenignCaptures(with captures: [String]) -> String {
        let names = settings.benignCaptures.map { captureSet in
            do throws(EpitopeError) {
                return try streams.files(of: captureSet).sorted().joined(separator: "\n")
            } catch {
                return error.message
            }
        }
        let states = captures.map { path in (reads.run { FileIdentity(path: path) } ?? nil)?.description ?? "none" }
        return (names + states).joined(separator: "\n")
    }

    /// The prover with the current index. It may take as long as ``BoundedReads`` waits for a step.
    public func current() -> Current {
        let (file, identity, outage) = index.withLock { index in
            refresh(&index)
            return (index.file, index.identity, index.file == nil ? index.failure?.message : nil)
        }
        var material = ProverMaterial(
            goodware: file, isGoodwareRequired: settings.requireGoodware, captures: settings.captures,
            benignCaptures: settings.benignCaptures, noiseShare: settings.noiseShare, streams: streams)
        (material.proofTime, material.captureTime) = (settings.proofTime, settings.captureTime)
        material.isEngineAsked = settings.isEngineAsked
        material.callerWindow = settings.callerWindow
        material.goodwareOutage = outage
        return Current(
            prover: SignatureProver(material),
            materialVersion: "\(identity.map(\.description) ?? "none") \(settings.requireGoodware) \(settings.noiseShare)"
                + (settings.callerWindow == CallerWindow.length ? "" : " \(settings.callerWindow)")
                + (outage == nil ? "" : " without an answer"))
    }

    /// By the start of each string of 32 bytes in some code: whether the goodware index proves it absent; `nil` where it can't be asked, or
    /// so much of its goodware was not read that it proves nothing. It may take as long as ``current()``.
    public func absentWindows(in code: [UInt8]) -> [Bool]? {
        _ = current()
        guard let file = index.withLock({ $0.file }), !file.unread.isTooMany(beside: file.fileCount) else { return nil }
        let absent = file.index.absentWindows(in: code)
        do throws(EpitopeError) {
            try file.requireUnchanged()
        } catch {
            return nil
        }
        return absent
    }

    /// What whoever has something proven gets while it can't be.
    public static let outage = EpitopeError(
        .goodwareMissing, "nothing can be proven now: the goodware, or what else is read for it, does not answer",
        remedy: "see what serves it; what waits is proven once it answers")

    /// Notes that a proof was given up, which may have waited for the index.
    package func gaveUp() {
        guard let path = settings.goodware else { return }
        index.withLock { $0.leave(path, for: hungTime) }
    }

    private func refresh(_ index: inout IndexState) {
        guard let path = settings.goodware, index.hungUntil.map({ $0 <= .now }) ?? true else { return }
        // An index is replaced by renaming another over it.
        let known = index.identity
        let look = reads.run { () -> Look in
            let found = FileIdentity(path: path)
            guard found == nil || found != known else { return .nothingNew }
            return .other(found, Result { () throws(EpitopeError) in try GoodwareFile(path: path) })
        }
        switch look {
        case nil: return index.leave(path, for: hungTime)
        case .nothingNew?: break
        case .other(let found, .success(let file))?: (index.file, index.identity, index.failure) = (file, found, nil)
        case .other(_, .failure(let failure))?: index.failure = failure
        }
        (index.hungUntil, index.hung) = (nil, nil)
    }
}

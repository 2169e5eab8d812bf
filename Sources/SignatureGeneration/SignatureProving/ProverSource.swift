// SPDX-License-Identifier: Apache-2.0

import Captures
public import EpitopeModel
import FileAccess
import GoodwareFiles
import Synchronization

/// Provides a prover with the current goodware index: an index file that was replaced is opened again. If the new one
/// is damaged, the previous one stays in use.
public final class ProverSource: Sendable {
    private struct IndexState {
        var identity: FileIdentity?
        var file: GoodwareFile?
        /// Why the file could not be opened the last time.
        var failure: EpitopeError?
    }

    public let settings: ProverSettings
    private let index = Mutex(IndexState())
    private let streams = CaptureStreams()

    /// Opens nothing yet.
    public init(_ settings: ProverSettings) {
        self.settings = settings
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
    public var captureWarnings: [String] {
        (settings.captures + settings.benignCaptures).compactMap { captureSet in
            do throws(EpitopeError) {
                _ = try CaptureReader.files(of: captureSet)
                return nil
            } catch {
                return "\(error.message) yet: no proof can be checked with it"
            }
        }
    }

    /// The prover with the current index, and the version of its material. When the version changes, signatures that
    /// failed before may pass.
    public func current() -> (prover: SignatureProver, materialVersion: String) {
        let (file, identity) = index.withLock { index in
            Self.refresh(&index, path: settings.goodware)
            return (index.file, index.identity)
        }
        var material = ProverMaterial(
            goodware: file, isGoodwareRequired: settings.requireGoodware, captures: settings.captures,
            benignCaptures: settings.benignCaptures, noiseShare: settings.noiseShare, streams: streams)
        (material.proofTime, material.captureTime) = (settings.proofTime, settings.captureTime)
        material.isEngineAsked = settings.isEngineAsked
        return (SignatureProver(material), "\(identity.map(\.description) ?? "none") \(settings.requireGoodware) \(settings.noiseShare)")
    }

    private static func refresh(_ index: inout IndexState, path: String?) {
        guard let path else { return }
        // An index is replaced by renaming another over it.
        let found = FileIdentity(path: path)
        guard found == nil || found != index.identity else { return }
        do {
            index.file = try GoodwareFile(path: path)
            index.identity = found
            index.failure = nil
        } catch {
            index.failure = error
        }
    }
}
